"""Recordings of sittings: who names one, who sees it, and that it goes on its day whatever stands in the way (H4)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import database
from engine import files as store
from errors import InvalidInput, NotAllowed, NotLoggedIn, SittingNotFound, Unavailable
from models.sittings.proctoring import AppealOutcome, Recording
from models.sittings.reasons import Reason
from models.trail import TrailEntry
from models.viewer import Kind
from resolvers import closing
from resolvers.sittings import appeals, proctoring, recordings
from resolvers.sittings.recordings import KEPT
from tests.conftest import ControlledClock
from tests.dying import deaths_at_each_statement
from tests.sitting_world import HERE, IN_TOKYO, Home
from tests.world import PASSWORD, World

NAME = "recording/abc.webm"
TICK = timedelta(microseconds=1)


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock, tmp_path: Path) -> Home:
    store.use(None, tmp_path)
    home = await Home.booked(world, clock)
    await home.taken()
    await store.put(NAME, b"a voice")
    return home


async def named(home: Home, name: str = NAME) -> datetime:
    """When the recording of this name will go, named by the proctor now."""
    return await recordings.name(home.proctor, home.id, name)


async def left() -> list[str | None]:
    """The names that stand in the table."""
    return [one.reference for one in await Recording.all().order_by("id")]


# ---- who


async def test_its_proctor_and_the_board_name_a_recording_and_nobody_else(home: Home) -> None:
    """G1: and it stands in the trail."""
    world = home.world
    others = (Kind.CANDIDATE, Kind.VERIFIER, Kind.KEY, Kind.STAFF, Kind.PROCTOR)  # a centre's, and of another sitting
    for viewer in (*(world.viewer(kind, home.candidate.id) for kind in others), world.viewer(Kind.ANONYMOUS)):
        with pytest.raises((NotAllowed, SittingNotFound, NotLoggedIn)):
            await recordings.name(viewer, home.id, NAME)
    assert await left() == []
    before = await TrailEntry.all().count()
    await named(home)
    await recordings.name(home.board, home.id, "recording/def.webm")
    noted = (await TrailEntry.all().order_by("id"))[before:]
    assert [(one.viewer_kind, one.candidates) for one in noted] == [
        ("proctor", [home.candidate.id]),
        ("staff", [home.candidate.id]),
    ]


@pytest.mark.parametrize("kind", Kind)
async def test_only_the_board_reads_what_recordings_are_called(home: Home, kind: Kind) -> None:
    await named(home)
    owner = home.candidate if kind is Kind.CANDIDATE else home.staff
    viewer = home.world.viewer(kind, None if kind is Kind.ANONYMOUS else owner.id)
    seen = Recording.visible_to(viewer)
    assert not await database.rows(f"SELECT 1 FROM recording WHERE {seen}", **seen.named)
    board = Recording.visible_to(home.board)
    assert await database.rows(f"SELECT 1 FROM recording WHERE {board}", **board.named)


async def test_naming_it_twice_keeps_its_day_and_no_other_sitting_has_it(home: Home) -> None:
    day = await named(home)
    home.clock.forward(days=1)
    assert await named(home) == day
    other = await Home.booked(home.world, home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(days=2)))
    with pytest.raises(InvalidInput):
        await recordings.name(home.board, other.id, NAME)
    assert await left() == [NAME]


# ---- when it goes


async def test_it_is_kept_for_ninety_days_and_not_a_moment_longer(home: Home) -> None:
    day = await named(home)
    assert day == home.clock() + timedelta(days=90)
    assert await recordings.delete_due(day - TICK) == 0
    assert (await left(), await store.get(NAME)) == ([NAME], b"a voice")
    assert await recordings.delete_due(day) == 1
    assert (await left(), await store.get(NAME)) == ([None], None)
    assert await recordings.delete_due(day) == 0


async def test_it_stays_until_an_appeal_is_answered(home: Home) -> None:
    """H9: what was seen and heard is what the answer rests on."""
    day = await named(home)
    await proctoring.invalidate(home.proctor, home.id, Reason.HELP_BY_OTHERS, "Somebody whispered")
    await appeals.make(home.viewer, home.id, "It was the radio")
    assert await recordings.delete_due(day) == 0
    await appeals.answer(home.board, home.id, AppealOutcome.STANDS, "It was not")
    assert await recordings.delete_due(day) == 1


async def test_many_that_are_due_go_in_one_turn(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "DELETED_AT_ONCE", 2)
    for number in range(5):
        await named(home, f"recording/{number}")  # whose files are lost, or were never there
    assert await recordings.delete_due(home.clock() + KEPT) == 5
    assert await left() == [None] * 5


async def test_while_the_store_is_away_names_stay_and_the_next_turn_goes_on(home: Home, tmp_path: Path) -> None:
    day = await named(home)
    (tmp_path / "recording").rename(tmp_path / "elsewhere")
    (tmp_path / "recording").write_bytes(b"no folder")
    with pytest.raises(Unavailable):
        await recordings.delete_due(day)
    assert await left() == [NAME]
    (tmp_path / "recording").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "recording")
    assert await recordings.delete_due(day) == 1
    assert (await left(), await store.get(NAME)) == ([None], None)


async def test_a_worker_that_dies_at_any_statement_leaves_the_rest_to_the_next_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between deleting the file and writing that it is gone."""
    day = await named(home)
    assert await deaths_at_each_statement(monkeypatch, lambda: recordings.delete_due(day), []) >= 2
    assert (await left(), await store.get(NAME)) == ([None], None)


async def test_a_recording_that_nobody_named_goes_no_later_than_the_others(home: Home) -> None:
    await named(home)
    await store.put("recording/unnamed", b"a voice")
    await store.put("photo/other", b"a face")
    now = datetime.now(UTC)  # files have the time of the machine
    await recordings.purge(now + KEPT - timedelta(hours=1))
    assert await store.get("recording/unnamed") is not None
    await recordings.purge(now + KEPT + timedelta(hours=1))
    assert await store.get("recording/unnamed") is None
    assert None not in (await store.get(NAME), await store.get("photo/other"))


async def test_recordings_of_a_closed_account_go_at_once(home: Home) -> None:
    """G2: also one that is named after it, and one that an appeal waits for."""
    await home.world.entry(home.candidate)
    await named(home)
    await proctoring.invalidate(home.proctor, home.id, Reason.HELP_BY_OTHERS, "Somebody whispered")
    await appeals.make(home.viewer, home.id, "It was the radio")
    await closing.close(home.viewer, PASSWORD, is_confirmed=True)
    late = "recording/late.webm"
    assert await recordings.name(home.board, home.id, late) == home.clock()
    assert await recordings.delete_due(home.clock()) == 2
    assert (await left(), await store.get(NAME)) == ([None, None], None)
