"""Who may order, see, fetch and follow a download, and until when (O3, U2, U3, P1, D6, S10)."""

import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from engine import database
from models.institution import Institution
from models.scope import Scope
from models.trail import TrailAct, TrailEntry
from models.verifier import VerifierRole, VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import mergers
from resolvers.downloads import files as download_files
from resolvers.downloads import jobs as download_jobs
from resolvers.downloads import orders
from resolvers.downloads.choices import Choice
from resolvers.downloads.reading import Reading
from resolvers.inbox_filters import Filter
from schema.ids import global_id
from tests.client import Client
from tests.conftest import ControlledClock
from tests.downloads import PROGRESS, content, fetched, history, made, ordered, rows_in, shared, state
from tests.events import events
from tests.world import World

TAKES = (Scope.READ_SHARES, Scope.DOWNLOAD)


@pytest.fixture
async def home(app: Any, world: World) -> Institution:
    return await world.institution()


@pytest.fixture
async def user(world: World, home: Institution) -> VerifierUser:
    """An officer, beside the Primary User."""
    await world.verifier(home)
    return await world.verifier(home)


@pytest.fixture
async def officer(client: Client, world: World, user: VerifierUser) -> Client:
    return client.as_(await world.token(user))


@pytest.fixture
async def download(officer: Client, world: World, home: Institution) -> Any:
    """A download of two results, ready."""
    await shared(world, home, 2)
    return await made(officer, format="CSV")


@pytest.fixture
async def waiting(app: Any, world: World, user: VerifierUser, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A download that is ordered, and that no worker has begun to make."""
    monkeypatch.setattr("resolvers.downloads.reading.AT_ONCE", 0)
    await shared(world, await Institution.get(id=user.institution_id), 2)
    viewer = world.viewer(Kind.VERIFIER, user.id, institution_id=user.institution_id)
    order = await orders.request(viewer, world.clock, Choice(filter=Filter()), orders.LayoutWanted())
    return order.download["download_id"]


async def told_by(app: Starlette, token: str | None, id: str) -> list[Any]:
    """What a stream tells of a download until it ends."""
    told = []
    async with events(app, PROGRESS, {"id": id}, token) as stream:
        while (result := await stream.next()) is not None:
            told.append(result["data"]["downloadProgress"] if result.get("data") else result["errors"][0]["extensions"])
    return told


# ---- who may not

Ask = Callable[[World, Institution], Awaitable[str | None]]


async def _key_of(world: World, institution: Institution, *scopes: Scope) -> str:
    return (await world.key(institution, *scopes))[1]


async def _reader(world: World, home: Institution) -> str:
    return await world.token(await world.verifier(home, role=VerifierRole.READER))


STRANGERS: dict[str, tuple[str, Ask]] = {
    "nobody": ("NotLoggedIn", lambda *_: _nobody()),
    "a candidate": ("NotAllowed", lambda world, _: _token(world, world.candidate())),
    "staff of a centre": ("NotAllowed", lambda world, _: _centre(world)),
    "a reader": ("NotAllowed", _reader),
    "a key that may only read": ("NotAllowed", lambda world, home: _key_of(world, home, Scope.READ_SHARES)),
    "a key that may manage": ("NotAllowed", lambda world, home: _key_of(world, home, Scope.MANAGE)),
    "another institution": ("NothingToDownload", lambda world, _: _token(world, world.verifier())),
    "a key of another institution": ("NothingToDownload", lambda world, _: _other_key(world)),
}


async def _nobody() -> None:
    return None


async def _token(world: World, owner: Awaitable[Any]) -> str:
    return await world.token(await owner)


async def _centre(world: World) -> str:
    return await world.token(await world.staff(centre=await world.centre()))


async def _other_key(world: World) -> str:
    return await _key_of(world, await world.institution())


@pytest.mark.parametrize("name", STRANGERS)
async def test_nobody_else_orders_sees_fetches_or_follows_a_download(
    app: Starlette, officer: Client, world: World, home: Institution, download: Any, name: str
) -> None:
    """U2, U3, P1: by whatever way it is asked for."""
    refusal, token_of = STRANGERS[name]
    stranger = officer.as_(await token_of(world, home))
    assert (await ordered(stranger))["__typename"] == refusal
    again = await stranger.order("repeatDownload", "", id=download["id"])
    assert again["__typename"] == ("DownloadNotFound" if refusal == "NothingToDownload" else refusal)
    assert await state(stranger, download["id"]) is None
    told = await told_by(app, stranger.token, download["id"])
    assert [one for one in told if "code" not in one] == []


async def test_staff_see_downloads_and_not_what_is_in_them(officer: Client, world: World, download: Any) -> None:
    staff = officer.as_(await world.token(await world.staff()))
    told = await state(staff, download["id"])
    assert (told["rows"], told["file"], told["noFile"]) == (2, None, None)
    assert (await ordered(staff))["__typename"] == "NotAllowed"


async def test_a_key_that_sees_no_shares_takes_none_away(
    officer: Client, world: World, home: Institution, download: Any
) -> None:
    """P1: it knows of the download, and may not have what is in it."""
    program = officer.as_(await _key_of(world, home, Scope.DOWNLOAD))
    assert (await ordered(program))["__typename"] == "NothingToDownload"
    assert (await fetched(program, await state(program, download["id"]))).status_code == 410


async def test_a_key_takes_away_what_its_scopes_show(officer: Client, world: World, home: Institution) -> None:
    """P1, S9: skill scores with READ_SKILLS alone; its name stands in the history, its id in the trail."""
    await shared(world, home, 1)
    for scopes, has_scores in ((TAKES, False), ((*TAKES, Scope.READ_SKILLS), True)):
        key, token = await world.key(home, *scopes)
        program = officer.as_(token)
        download = await made(program, format="CSV")
        row = rows_in(await content(program, download))[0]
        assert any("Reading" in name and cell for name, cell in row.items()) is has_scores
        assert download["askedBy"] == key.name
    entry = await TrailEntry.filter(act=TrailAct.DOWNLOADED).order_by("-id").first()
    assert entry is not None
    assert (entry.viewer_kind, entry.viewer_id) == ("key", key.id)
    assert {one["askedBy"] for one in await history(officer)} > {key.name}


# ---- addresses


async def test_an_address_serves_for_fifteen_minutes(officer: Client, download: Any, clock: ControlledClock) -> None:
    """D6: both sides of the edge."""
    clock.forward(minutes=15, microseconds=-1)
    assert (await fetched(officer, download)).status_code == 200
    clock.forward(microseconds=1)
    assert (await fetched(officer, download)).status_code == 404


async def test_an_address_serves_for_one_file_and_cannot_be_changed(
    officer: Client, world: World, home: Institution, download: Any
) -> None:
    """D6: one sign of it after the other; and it is of no other kind, nor is one of another kind its."""
    path = urlsplit(download["file"]["address"]).path
    start, _, token = path.rpartition("/")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(0, len(raw), 7):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        answer = await officer.http.get(f"{start}/{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}")
        assert answer.status_code == 404
    for kind in ("statement", "list", "photo"):
        assert (await officer.http.get(f"/files/{kind}/{token}")).status_code == 404
    share = "{ inbox { edges { node { result { statement { address } } } } } }"
    edges = (await officer.ask(share))["inbox"]["edges"]
    other = urlsplit(edges[0]["node"]["result"]["statement"]["address"]).path.rpartition("/")[2]
    assert (await officer.http.get(f"/files/download/{other}")).status_code == 404


async def _suspend(world: World, user: VerifierUser) -> None:
    await world.suspend(await Institution.get(id=user.institution_id))


ENDS: dict[str, Callable[[World, VerifierUser], Awaitable[object]]] = {
    "logged out": lambda world, user: database.rows("UPDATE session SET ended_at = :now", now=world.clock()),
    "deactivated": lambda world, user: VerifierUser.filter(id=user.id).update(status=VerifierStatus.DEACTIVATED),
    "removed": lambda world, user: world.remove(user),
    "made a reader": lambda world, user: VerifierUser.filter(id=user.id).update(role=VerifierRole.READER),
    "suspended": _suspend,
}


@pytest.mark.parametrize("name", ENDS)
async def test_an_address_ends_with_the_right_to_the_file(
    officer: Client, world: World, user: VerifierUser, download: Any, name: str
) -> None:
    """D6, O3, U2: and nothing of it is in the trail."""
    await ENDS[name](world, user)
    assert (await fetched(officer, download)).status_code == 404
    assert await TrailEntry.filter(act=TrailAct.DOWNLOADED).count() == 0


async def test_the_address_of_a_key_ends_with_the_key(
    officer: Client, world: World, home: Institution, clock: ControlledClock
) -> None:
    """P1: revoked, or at its end; both sides of the edge."""
    await shared(world, home, 1)
    for column in ("revoked_at", "expires_at"):
        key, token = await world.key(home, *TAKES)
        download = await made(officer.as_(token), format="CSV")
        ends = clock() + timedelta(minutes=1) if column == "expires_at" else clock()
        assert (await fetched(officer, download)).status_code == 200
        await database.rows(f"UPDATE api_key SET {column} = :ends WHERE id = :id", ends=ends, id=key.id)
        if column == "expires_at":
            clock.now = ends - timedelta(microseconds=1)
            assert (await fetched(officer, download)).status_code == 200
            clock.now = ends
        assert (await fetched(officer, download)).status_code == 404


async def test_merged_accounts_have_the_downloads_of_both(
    officer: Client, world: World, home: Institution, user: VerifierUser
) -> None:
    """The files too: also of results that both accounts had."""
    kept = await world.institution()
    result = (await shared(world, home, 1))[0]
    await world.share(result, kept)
    download = await made(officer, format="CSV")
    staff = world.viewer(Kind.STAFF, (await world.staff()).id, is_board=True)
    await mergers.merge(staff, home.id, kept.id, "The same")
    moved = officer.as_(await world.token(user))
    assert [one["id"] for one in await history(moved)] == [download["id"]]
    assert (await fetched(moved, await state(moved, download["id"]))).status_code == 200


# ---- while it is made

STOPS: dict[str, tuple[str, Callable[[World, VerifierUser], Awaitable[object]]]] = {
    "deactivated": ("can no longer log in", ENDS["deactivated"]),
    "removed": ("can no longer log in", ENDS["removed"]),
    "made a reader": ("may not take results away", ENDS["made a reader"]),
    "suspended": ("account is not open", ENDS["suspended"]),
}


@pytest.mark.parametrize(
    ("name", "when"),
    [*((name, "at the end") for name in STOPS), ("suspended", "before"), ("suspended", "in the middle")],
)
async def test_a_download_fails_with_the_reason_when_its_user_loses_the_right(
    world: World, user: VerifierUser, waiting: Any, monkeypatch: pytest.MonkeyPatch, name: str, when: str, settings: Any
) -> None:
    """O3, U2: before it is begun, while it is read, or before it is noted; and no file stays."""
    reason, stop = STOPS[name]
    if when == "before":
        await stop(world, user)
    elif when == "in the middle":
        monkeypatch.setattr("resolvers.downloads.reading.BATCH", 1)
        monkeypatch.setattr("resolvers.downloads.reading.STEP", 1)
        during(monkeypatch, Reading, "_tell", lambda: stop(world, user))
    else:
        during(monkeypatch, download_files, "keep", lambda: stop(world, user))
    await download_jobs.make(waiting, world.clock)
    row = await database.row("SELECT status, failure, file FROM download")
    assert row is not None
    assert (row["status"], reason in row["failure"], row["file"]) == ("FAILED", True, None)
    assert not list((settings.var / "files" / "download").glob("*"))


def during(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, happening: Callable[[], Awaitable[object]]) -> None:
    """Let something happen each time before a function is called."""
    original = getattr(owner, name)

    async def and_then(*values: Any) -> Any:
        await happening()
        return await original(*values)

    monkeypatch.setattr(owner, name, and_then)


async def test_a_download_of_a_key_fails_when_the_key_ends(
    world: World, home: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1"""
    monkeypatch.setattr("resolvers.downloads.reading.AT_ONCE", 0)
    await shared(world, home, 1)
    key, _ = await world.key(home, *TAKES)
    scopes = frozenset(TAKES)
    viewer = world.viewer(Kind.KEY, key.id, institution_id=home.id, scopes=scopes)
    order = await orders.request(viewer, world.clock, Choice(filter=Filter()), orders.LayoutWanted())
    await database.rows("UPDATE api_key SET revoked_at = :now", now=world.clock())
    await download_jobs.make(order.download["download_id"], world.clock)
    assert "The key that asked" in await database.value("SELECT failure FROM download")


async def test_the_progress_ends_when_the_user_is_removed(
    app: Starlette, client: Client, world: World, user: VerifierUser, waiting: Any
) -> None:
    """U2: a download that is still waiting tells how it is, and then that the session is over."""
    id = global_id("Download", waiting)
    async with events(app, PROGRESS, {"id": id}, await world.token(user)) as stream:
        first = await stream.next()
        assert first is not None
        assert first["data"]["downloadProgress"]["status"] == "QUEUED"
        await world.remove(user)
        last = await stream.next()
        assert last is not None
        assert last["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await stream.next() is None
