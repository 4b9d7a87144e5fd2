"""The photo of a sitting: taken by its proctor at check-in, seen with the result, gone when nobody needs it (H4)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx2
import pytest
from starlette.applications import Starlette

from engine import database, files
from engine.jobs import Worker
from errors import NotAllowed, NotLoggedIn, SittingNotFound, SittingStateForbids
from models.consent import CONSENT_VERSION
from models.exam import Exam
from models.institution import Institution
from models.photo import Photo
from models.scope import Scope
from models.sittings.check_in import STEPS
from models.sittings.proctoring import SittingPhoto
from models.sittings.reasons import Reason
from models.trail import TrailEntry
from models.viewer import Kind
from resolvers import closing, exports, photos, withdrawals
from resolvers.shares import Consent
from resolvers.sittings import appeals, bookings, check_ins, official_scores, proctoring, recipients, running, scores
from resolvers.sittings import photos as sitting_photos
from schema.ids import global_id
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.dying import deaths_at_each_statement
from tests.locks import lined_up
from tests.served import until
from tests.sitting_world import HERE, IN_TOKYO, Home, proctor_of
from tests.test_photos import SECRET, jpeg, kept, opened, path, png, png_with_everything
from tests.world import PASSWORD, World

UPLOAD = "... on PhotoAwaited { upload { address } }"
PHOTO = "query ($id: ID!) { sitting(id: $id) { photo { address } } }"
OF_RESULT = "query ($id: ID!) { result(id: $id) { photo { address } } }"
SCORES = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}


class Desk:
    """A sitting at its check-in, its candidate, its proctor, and whoever asks by HTTP."""

    def __init__(self, home: Home, client: Client) -> None:
        self.home = home
        self.world = home.world
        self.client = client
        self.id = str(global_id("Sitting", home.id))

    async def as_(self, owner: Any) -> Client:
        return self.client.as_(await self.world.token(owner))

    async def address(self, client: Client | None = None) -> str:
        asked = client or await self.as_(self.home.staff)
        payload = await asked.order("addSittingPhoto", UPLOAD, sittingId=self.id)
        assert payload["__typename"] == "PhotoAwaited", payload
        return path(payload["upload"])

    async def put(self, address: str, raw: bytes) -> httpx2.Response:
        return await self.client.http.put(address, content=raw)

    async def add(self, raw: bytes | None = None) -> SittingPhoto:
        """The photo, sent just now."""
        answer = await self.put(await self.address(), raw or jpeg())
        assert answer.status_code == 201, answer.text
        return await SittingPhoto.get(sitting_id=self.home.id)

    async def seen_by(self, client: Client) -> str | None:
        """Where this session sees the photo of the sitting."""
        told = (await client.ask(PHOTO, id=self.id))["sitting"]
        return path(told["photo"]) if told and told["photo"] else None

    async def status(self, address: str | None) -> int:
        assert address is not None
        return (await self.client.http.get(address)).status_code

    async def result(self) -> str:
        """The id of the result that was made of it."""
        key = await database.value(
            "SELECT result.id FROM result JOIN sitting ON sitting.entry_id = result.entry_id WHERE sitting.id = :id",
            id=self.home.id,
        )
        return str(global_id("Result", key))

    async def of_result(self, client: Client) -> str | None:
        """Where this session sees the photo of the result."""
        told = (await client.ask(OF_RESULT, id=await self.result()))["result"]
        return path(told["photo"]) if told and told["photo"] else None

    async def go_on(self) -> None:
        """From the check-in to the end of the test."""
        home = self.home
        await home.confirm(*STEPS)
        await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)
        await home.sections(4)
        await running.finish(home.viewer, home.id)

    async def name(self, *institutions: Institution) -> None:
        consent = Consent(CONSENT_VERSION, "en")
        await recipients.change(self.home.viewer, self.home.id, [one.id for one in institutions], consent)

    async def release(self) -> None:
        await official_scores.record(self.home.board, self.home.id, 95, SCORES)

    async def cancel(self) -> None:
        asked = await scores.cancel(self.home.viewer, self.home.id)
        assert asked is not None
        await scores.cancel(self.home.viewer, self.home.id, asked.confirmation)


@pytest.fixture
async def desk(app: Starlette, client: Client, world: World, clock: ControlledClock) -> Desk:
    home = await Home.booked(world, clock)
    await world.entry(home.candidate)  # by whose number passwords are counted
    await home.taken()
    return Desk(home, client)


# ---- taking it


async def test_the_photo_is_made_anew_and_both_sides_are_told(desk: Desk, settings: Settings) -> None:
    """H4, R7: nothing that was hidden in the file is left."""
    photo = await desk.add(png_with_everything())
    (file,) = kept(settings)
    assert (photo.file, photo.proctor_id) == (f"photo/{file.name}", desk.home.staff.id)
    assert SECRET not in file.read_bytes()
    assert opened(file.read_bytes()).format == "JPEG"
    assert (await desk.home.told())[-1] == "PHOTO_ADDED"
    added = await TrailEntry.filter(path="file new-sitting-photo").get()
    assert (added.viewer_kind, added.candidates) == ("proctor", [desk.home.candidate.id])


async def test_what_is_no_picture_is_refused_and_a_better_one_is_taken_at_the_same_address(desk: Desk) -> None:
    address = await desk.address()
    refused = await desk.put(address, b"<svg/>")
    assert (refused.status_code, "JPEG or a PNG" in refused.text) == (422, True)
    assert (await desk.put(address, png())).status_code == 201


async def test_only_the_proctor_who_has_the_sitting_adds_its_photo(desk: Desk) -> None:
    """R7"""
    home, nobody = desk.home, desk.world.viewer(Kind.ANONYMOUS)
    other = desk.world.viewer(Kind.PROCTOR, (await proctor_of(desk.world)).id)
    refusals = {home.viewer: NotAllowed, home.board: NotAllowed, nobody: NotLoggedIn, other: SittingNotFound}
    for viewer, refusal in refusals.items():
        with pytest.raises(refusal):
            await sitting_photos.address_for(viewer, home.id)
        assert await sitting_photos.take(viewer, home.id, "", jpeg()) is None
    assert await SittingPhoto.all().count() == 0
    refused = await (await desk.as_(home.candidate)).order("addSittingPhoto", "", sittingId=desk.id)
    assert refused["__typename"] == "NotAllowed"


async def test_it_can_be_taken_anew_until_the_test_begins_and_the_old_file_goes(
    desk: Desk, settings: Settings, worker: Worker
) -> None:
    """R7: an address serves for one photo."""
    first, second = await desk.address(), await desk.address()
    assert (await desk.put(first, png())).status_code == 201
    for used in (first, second):
        assert (await desk.put(used, png())).status_code == 404
    new = await desk.add(jpeg((40, 50)))
    await until(lambda: [file.name for file in kept(settings)] == [new.file.removeprefix("photo/")])
    late = await desk.address()
    await desk.go_on()
    assert (await desk.put(late, png())).status_code == 404
    with pytest.raises(SittingStateForbids):
        await sitting_photos.address_for(desk.home.proctor, desk.home.id)
    assert (await SittingPhoto.get()).id == new.id


async def test_of_many_that_are_sent_at_once_one_is_kept(desk: Desk, settings: Settings) -> None:
    address = await desk.address()
    answers = await asyncio.gather(*(desk.put(address, jpeg((10 + one, 10))) for one in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404, 404]
    assert [file.name for file in kept(settings)] == [(await SittingPhoto.get()).file.removeprefix("photo/")]


async def test_whoever_hands_a_sitting_over_neither_adds_nor_sees_its_photo_any_more(desk: Desk) -> None:
    other = await proctor_of(desk.world)
    await desk.add()
    adds, sees = await desk.address(), await desk.seen_by(await desk.as_(desk.home.staff))
    assert await desk.status(sees) == 200
    await proctoring.note_presence(desk.world.viewer(Kind.PROCTOR, other.id))
    await proctoring.hand_over(desk.home.proctor, desk.home.id, other.id)
    assert ((await desk.put(adds, png())).status_code, await desk.status(sees)) == (404, 404)
    assert await desk.status(await desk.seen_by(await desk.as_(other))) == 200


# ---- who sees it


async def test_results_of_every_exam_that_is_taken_at_home_have_a_photo(desk: Desk) -> None:
    """R7"""
    at_home = await Exam.filter(scale_id=bookings.SCALE_AT_HOME)
    assert [exam.code for exam in at_home if exam.photo] == ["IBT_HOME", "IBT_HOME_2026"]
    assert all(exam.photo for exam in at_home)


async def test_candidate_proctor_and_board_see_it_and_nobody_else(desk: Desk) -> None:
    """R7: also no proctor who could take the sitting, as the first one is silent."""
    await desk.add()
    home, world = desk.home, desk.world
    for owner in (home.candidate, home.staff, await world.staff()):
        assert await desk.status(await desk.seen_by(await desk.as_(owner))) == 200
    views = await TrailEntry.filter(path="file sitting-photo").order_by("id")
    assert [one.viewer_kind for one in views] == ["proctor", "staff"]  # one's own is in no trail (G1)
    desk.home.clock.forward(seconds=16)
    centre = await world.staff(centre=await world.centre())
    others: list[Any] = [await world.candidate(), await proctor_of(world), centre]
    for owner in (*others, await world.verifier()):
        assert await desk.seen_by(await desk.as_(owner)) is None
    assert await desk.seen_by(desk.client) is None


async def test_a_proctor_sees_it_while_the_test_runs_and_not_after_it(desk: Desk) -> None:
    await desk.add()
    proctor = await desk.as_(desk.home.staff)
    address = await desk.seen_by(proctor)
    await desk.go_on()
    assert (await desk.status(address), await desk.seen_by(proctor)) == (404, None)
    assert await desk.seen_by(await desk.as_(desk.home.candidate)) is not None


async def test_an_address_of_one_kind_of_photo_is_none_of_the_other(desk: Desk) -> None:
    """R7: no guessing by changing a link; a photo keeps its key when it becomes the entry's."""
    await desk.add()
    sees = await desk.seen_by(await desk.as_(desk.home.candidate))
    assert sees is not None
    assert await desk.status(sees.replace("/sitting-photo/", "/photo/")) == 404
    adds = await desk.address()
    assert await desk.status(adds.replace("/new-sitting-photo/", "/sitting-photo/")) == 404
    assert (await desk.put(adds.replace("/new-sitting-photo/", "/new-photo/"), png())).status_code == 404


async def test_it_is_seen_with_the_result_by_who_was_named_from_the_release_on(desk: Desk) -> None:
    """H4, H8, R3, R7, S3: the consent names the photo; keys need their scope; nobody else sees it."""
    world, home = desk.world, desk.home
    named, elsewhere = await world.institution(), await world.institution()
    await desk.add()
    await desk.name(named)
    own = await desk.as_(home.candidate)
    sees = await desk.seen_by(own)
    await desk.go_on()
    await scores.report(home.viewer, home.id)
    keys = [
        (await world.key(named, *scopes))[1] for scopes in ((Scope.READ_SHARES, Scope.READ_PHOTO), (Scope.READ_SHARES,))
    ]
    program, without = (desk.client.as_(token) for token in keys)
    office, stranger = await desk.as_(await world.verifier(named)), await desk.as_(await world.verifier(elsewhere))
    askers = (own, office, program, without, stranger, desk.client)
    assert [await desk.of_result(one) for one in askers] == [None] * 6
    assert (await desk.seen_by(own), await desk.status(sees)) == (None, 404)
    home.clock.forward(minutes=1)
    await desk.release()
    assert [await desk.of_result(one) is not None for one in askers] == [True, True, True, False, False, False]
    shown = await desk.of_result(office)
    assert await desk.status(shown) == 200
    (consent,) = await recipients.of_sitting(home.viewer, home.id)
    assert "test-day photo" in consent["consent_text"]
    await withdrawals.withdraw(home.viewer, consent["share_id"])
    assert await desk.status(shown) == 404


async def test_the_photo_of_a_cancelled_sitting_goes_nowhere_until_the_cancellation_is_undone(desk: Desk) -> None:
    """H8, H9"""
    named = await desk.world.institution()
    await desk.add()
    await desk.name(named)
    await desk.go_on()
    await desk.cancel()
    assert await Photo.all().count() == 0
    assert await desk.seen_by(await desk.as_(desk.home.candidate)) is not None
    home = desk.home
    home.clock.forward(days=60)
    await sitting_photos.let_go_due(home.clock())
    await scores.undo(home.viewer, home.id)
    await scores.report(home.viewer, home.id)
    await desk.release()
    assert await desk.status(await desk.of_result(await desk.as_(await desk.world.verifier(named)))) == 200


async def test_photos_of_many_sittings_take_one_statement(desk: Desk, statements: Statements) -> None:
    await desk.add()
    proctor = await desk.as_(desk.home.staff)
    counts = []
    for _ in range(2):
        with statements.counted():
            told = await proctor.ask("{ sittings { photo { address } } }")
        counts.append((len(told["sittings"]), sum("sitting_photo" in one for one in statements.sent)))
        other = await Home.booked(desk.world, desk.home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(days=1)))
        await other.check_system()
        await database.rows(
            "UPDATE sitting SET appointment_at = :now WHERE id = :id", now=desk.home.clock(), id=other.id
        )
        await check_ins.start(other.viewer, other.id)
    assert counts == [(1, 1), (2, 1)]


# ---- when it goes


async def test_a_process_that_dies_while_it_takes_a_photo_leaves_no_row_and_its_file_goes(
    desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R7: at whatever statement; the file of the photo itself is no forgotten one, however old."""
    viewer, raw = desk.home.proctor, jpeg()

    async def add() -> None:
        assert await sitting_photos.take(viewer, desk.home.id, "", raw) is not None

    tables = ["sitting_photo", "sitting_event", "trail", "pgqueuer"]
    assert await deaths_at_each_statement(monkeypatch, add, tables) >= 5
    assert len(kept(settings)) > 1
    await photos.purge(datetime.now(UTC) + timedelta(hours=25))
    assert [f"photo/{file.name}" for file in kept(settings)] == [(await SittingPhoto.get()).file]


async def reported(desk: Desk) -> None:
    await desk.go_on()
    await scores.report(desk.home.viewer, desk.home.id)


async def invalidated(desk: Desk) -> None:
    await proctoring.invalidate(desk.home.proctor, desk.home.id, Reason.HELP_BY_OTHERS, "Somebody spoke.")


async def cancelled(desk: Desk) -> None:
    await desk.go_on()
    await desk.cancel()


async def left(desk: Desk) -> None:
    """The candidate went away in the middle of the check-in, and nobody ended it."""


@pytest.mark.parametrize("ended", [invalidated, cancelled, left])
async def test_a_sitting_without_a_report_keeps_its_photo_for_ninety_days(
    desk: Desk, settings: Settings, worker: Worker, ended: Callable[[Desk], Awaitable[None]]
) -> None:
    await desk.add()
    await ended(desk)
    desk.home.clock.forward(days=90, microseconds=-1)
    assert await sitting_photos.let_go_due(desk.home.clock()) == 0
    desk.home.clock.forward(microseconds=1)
    assert await sitting_photos.let_go_due(desk.home.clock()) == 1
    assert await sitting_photos.let_go_due(desk.home.clock()) == 0
    await until(lambda: kept(settings) == [])


async def appealed(desk: Desk) -> None:
    await invalidated(desk)
    await appeals.make(desk.home.viewer, desk.home.id, "It was the radio")


@pytest.mark.parametrize("ended", [reported, Desk.go_on, appealed])
async def test_a_photo_that_is_needed_is_kept(
    desk: Desk, settings: Settings, ended: Callable[[Desk], Awaitable[None]]
) -> None:
    """H8, H9: of a reported sitting, of one whose candidate may still report it, or who waits for an answer."""
    await desk.add()
    await ended(desk)
    desk.home.clock.forward(days=900)
    assert await sitting_photos.let_go_due(desk.home.clock()) == 0
    await photos.purge(datetime.now(UTC) + timedelta(hours=25))
    assert len(kept(settings)) == 1


async def test_closing_the_account_erases_row_and_file(desk: Desk, settings: Settings, worker: Worker) -> None:
    """G2: and an address that was asked for before takes nothing more."""
    await desk.add()
    adds = await desk.address()
    await closing.close(desk.home.viewer, PASSWORD, is_confirmed=True)
    assert await SittingPhoto.all().count() == 0
    assert (await desk.put(adds, png())).status_code == 404
    await until(lambda: kept(settings) == [])


@pytest.mark.parametrize("first", ["close", "photo"])
async def test_a_photo_that_comes_in_while_the_account_closes_does_not_stay(
    desk: Desk, database_url: str, first: str
) -> None:
    """G2: whichever of the two is first."""
    home = desk.home
    orders: dict[str, Callable[[], Awaitable[Any]]] = {
        "close": lambda: closing.close(home.viewer, PASSWORD, is_confirmed=True),
        "photo": lambda: sitting_photos.take(home.proctor, home.id, "", png()),
    }
    await lined_up(database_url, "sitting", orders.pop(first), *orders.values())
    assert await SittingPhoto.all().count() == 0


async def test_ones_export_holds_the_photo_of_a_sitting(desk: Desk) -> None:
    """G2"""
    photo = await desk.add()
    made = await exports.file(desk.home.viewer, desk.home.candidate.id, "")
    assert made is not None
    assert isinstance(made.body, AsyncIterator)
    packed = ZipFile(BytesIO(b"".join([piece async for piece in made.body])))
    assert packed.read("photos/sitting-2026-11-25T0100.jpg") == await files.get(photo.file)
