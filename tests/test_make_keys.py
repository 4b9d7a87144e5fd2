"""Making, listing and revoking keys, and what the Primary User is told of it (P1)."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from errors import NotAllowed
from models.key import MOST_AT_ONCE, ApiKey
from models.letter import Letter
from models.scope import Scope
from models.verifier import VerifierRole, VerifierUser
from models.viewer import Kind
from resolvers import api_keys
from resolvers.api_keys import MADE_BY_INSTITUTION, NewKey
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock
from tests.keyed import Office, kind, only_key
from tests.looking_up import used_up
from tests.mail_server import link_in, mails_in, text_of
from tests.world import World, gid

KEYS = "{ organisation { keys(first: 2) { edges { cursor node { name } } pageInfo { hasNextPage } } } }"
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def office(app: Starlette, client: Client, world: World) -> Office:
    return await Office.of(client, world)


# ---- making


async def test_a_key_is_shown_once_and_kept_as_its_hash_alone(office: Office, clock: ControlledClock) -> None:
    """P1, G3: neither the key nor its secret part stands in any column."""
    told = await office.make(name="  Admissions \n server ", scopes=["VERIFY", "READ_SHARES", "VERIFY"])
    secret, row = told["secret"], await only_key()
    assert await kind(office.client.as_(secret)) == "KEY"
    assert told["key"] == {
        "id": gid(row), "name": "Admissions server", "prefix": secret[:20], "scopes": ["READ_SHARES", "VERIFY"],
        "status": "ACTIVE", "createdAt": clock().isoformat(), "expiresAt": (clock() + timedelta(days=365)).isoformat(),
        "lastUsedAt": None, "revokedAt": None,
    }  # fmt: skip
    assert row.hash == hashlib.sha256(secret.encode()).digest()
    assert (row.created_by_id, row.institution_id) == (office.user.id, office.institution.id)
    kept = await database.rows("SELECT api_key::text, letter::text FROM api_key, letter")
    assert secret[:20] in repr(kept)
    assert secret[20:] not in repr(kept)


@pytest.mark.parametrize(
    ("ahead", "fault"),
    [
        (timedelta(days=730), None),
        (timedelta(days=730) + MICROSECOND, "`expiresAt` may lie at most 2 years ahead."),
        (MICROSECOND, None),
        (timedelta(0), "`expiresAt` must lie in the future."),
    ],
)
async def test_a_key_is_good_for_two_years_at_most(
    office: Office, clock: ControlledClock, ahead: timedelta, fault: str | None
) -> None:
    told = await office.make(expiresAt=(clock() + ahead).isoformat())
    if fault is None:
        assert told["key"]["expiresAt"] == (clock() + ahead).isoformat()
    else:
        assert told["problems"] == [{"path": "expiresAt", "message": fault}]


async def test_what_is_wrong_with_a_wish_is_told_all_at_once(office: Office) -> None:
    told = await office.make(name=" ", scopes=[], expiresAt="2027-01-01T00:00:00")
    assert [problem["path"] for problem in told["problems"]] == ["name", "scopes", "expiresAt"]
    assert (await office.make(name="x" * 101))["problems"][0]["path"] == "name"
    assert (await office.make(name="x" * 100))["__typename"] == "KeyCreated"


async def test_none_but_the_primary_user_makes_and_revokes_keys(office: Office) -> None:
    """P1: no key may, whatever its scopes are, so that one that leaks cannot outlive itself."""
    officer = await office.world.token(await office.world.verifier(office.institution))
    reader = await office.world.token(await office.world.verifier(office.institution, role=VerifierRole.READER))
    elsewhere = await office.world.token(await office.world.verifier())
    board = await office.world.token(await office.world.staff())
    _, all_scopes = await office.world.key(office.institution)
    id = gid(await only_key())
    wanted = {"name": "x", "scopes": ["VERIFY"]}
    for token in (officer, reader, board, all_scopes):
        asker = office.client.as_(token)
        assert (await asker.order("createKey", "", **wanted))["__typename"] == "NotAllowed"
        assert (await asker.order("revokeKey", "", id=id))["__typename"] == "NotAllowed"
    assert (await office.client.order("createKey", "", **wanted))["__typename"] == "NotLoggedIn"
    assert (await office.client.as_(elsewhere).order("revokeKey", "", id=id))["__typename"] == "KeyNotFound"
    assert (await only_key()).revoked_at is None


async def test_at_most_fifty_keys_are_good_at_one_time(office: Office, clock: ControlledClock) -> None:
    """Those that have ended do not count; of two that are wanted at once for the last place, one is made."""
    for _ in range(MOST_AT_ONCE - 1):
        await office.world.key(office.institution)
    await office.world.key(office.institution, revoked_at=clock())
    await office.world.key(
        office.institution, created_at=clock() - timedelta(days=2), expires_at=clock(), name="Expired"
    )
    told = await asyncio.gather(office.make(), office.make())
    assert {one["__typename"] for one in told} == {"KeyCreated", "InvalidInput"}
    assert (await office.make())["problems"][0]["message"].startswith(f"At most {MOST_AT_ONCE} keys")


async def test_keys_are_made_at_most_fifty_times_a_day(office: Office, clock: ControlledClock) -> None:
    await used_up(clock, MADE_BY_INSTITUTION, str(office.institution.id), left=1)
    assert [(await office.make())["__typename"] for _ in range(2)] == ["KeyCreated", "TooManyTries"]


async def test_whoever_hands_the_role_over_meanwhile_makes_and_revokes_no_key(office: Office) -> None:
    """U1: the request had begun as the Primary User's."""
    facts: dict[str, Any] = {"institution_id": office.institution.id, "is_primary": True}
    before = office.world.viewer(Kind.VERIFIER, office.user.id, **facts)
    await office.world.key(office.institution)
    successor = await office.world.verifier(office.institution)
    handed = await office.primary.order("handOverPrimary", "", userId=gid(successor))
    assert handed["__typename"] == "PrimaryHandedOver", handed
    with pytest.raises(NotAllowed):
        await api_keys.make(before, NewKey("x", [Scope.VERIFY]))
    with pytest.raises(NotAllowed):
        await api_keys.revoke(before, (await only_key()).id)
    assert (await only_key()).revoked_at is None


# ---- listing


async def test_keys_are_listed_newest_first_for_those_who_may_see_them(office: Office, clock: ControlledClock) -> None:
    """P1: those that have ended stay; the users beside the Primary, and other institutions, see none."""
    for name, revoked_at in (("First", clock()), ("Second", None), ("Third", None)):
        clock.forward(seconds=1)
        await office.world.key(office.institution, name=name, revoked_at=revoked_at)
    await office.world.key(await office.world.institution(), name="Another's")
    shown = (await office.primary.ask(KEYS))["organisation"]["keys"]
    assert [edge["node"]["name"] for edge in shown["edges"]] == ["Third", "Second"]
    after = KEYS.replace("first: 2", f'first: 2, after: "{shown["edges"][1]["cursor"]}"')
    rest = (await office.primary.ask(after))["organisation"]["keys"]
    assert ([edge["node"]["name"] for edge in rest["edges"]], rest["pageInfo"]) == (["First"], {"hasNextPage": False})
    officer = office.client.as_(await office.world.token(await office.world.verifier(office.institution)))
    assert (await officer.ask(KEYS))["organisation"]["keys"] is None
    managing = await office.key(Scope.MANAGE)
    assert len((await managing.ask(KEYS))["organisation"]["keys"]["edges"]) == 2
    others = await office.key(*set(Scope) - {Scope.MANAGE})
    assert (await others.ask(KEYS))["organisation"]["keys"] is None


# ---- revoking, and mails


async def test_revoking_again_changes_nothing(office: Office, clock: ControlledClock) -> None:
    made = (await office.make())["key"]
    assert (await office.revoke(made["id"]))["key"] == {
        "id": made["id"], "status": "REVOKED", "revokedAt": clock().isoformat(),
    }  # fmt: skip
    first = clock()
    clock.forward(minutes=5)
    assert (await office.revoke(made["id"]))["key"]["revokedAt"] == first.isoformat()
    assert await Letter.filter(kind="key_revoked").count() == 1
    for nobody in (gid(office.institution), "x", gid(ApiKey())):
        assert (await office.revoke(nobody))["__typename"] == "KeyNotFound"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("language", ["en", "ja"])
async def test_the_primary_user_is_told_of_every_key_by_mail(office: Office, settings: Settings, language: str) -> None:
    """P1, N1: when one is made and when it is revoked, with its name and how it begins, and never the key."""
    await VerifierUser.filter(id=office.user.id).update(language=language)
    made = await office.make()
    await office.revoke(made["key"]["id"])
    mails = await mails_in(settings.var / "mail", 2)
    for mail in mails:
        text = " ".join(text_of(mail).split())
        assert mail["To"] == office.user.email
        assert "Admissions server" in text
        assert made["key"]["prefix"] in text
        assert made["secret"][20:] not in mail.as_string() + text + text_of(mail, "html")
        assert link_in(mail) == "http://testserver/organisation"
    assert len({mail["Subject"] for mail in mails}) == 2


async def test_a_merger_tells_of_the_keys_that_it_ends(office: Office, clock: ControlledClock) -> None:
    """To the Primary User of the account that is kept; of those that had ended before there is nothing to tell."""
    await office.world.key(office.institution, name="Good")
    ended: dict[str, Any] = {"created_at": clock() - timedelta(days=2), "expires_at": clock()}
    await office.world.key(office.institution, name="Expired", **ended)
    await office.world.key(office.institution, name="Revoked", revoked_at=clock())
    kept = await office.world.verifier()
    board = office.client.as_(await office.world.token(await office.world.staff()))
    into = {"duplicateId": gid(office.institution), "intoId": gid(await kept.institution)}
    await board.order("mergeInstitutions", "", reason="The same.", **into)
    letters = await Letter.filter(kind="key_revoked")
    assert [(letter.verifier_id, letter.facts["key"]) for letter in letters] == [(kept.id, "Good")]
