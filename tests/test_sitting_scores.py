"""After a sitting: report or cancel, official scores and who gets them, appeals, recordings, and the live events."""

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from engine import files as store
from engine.events import Bookmark
from errors import AlreadyDecided, InvalidInput, NotAllowed, SittingNotFound, SittingStateForbids
from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import Reason
from models.viewer import Kind
from resolvers import closing, releases, results, sessions
from resolvers.reading import SHARES
from resolvers.shares import Consent
from resolvers.sittings import appeals, chat, official_scores, proctoring, recipients, recordings, scores
from resolvers.sittings import events as sitting_events
from tests.conftest import ControlledClock
from tests.served import until
from tests.sitting_world import EXAM, Home, proctor_of
from tests.world import PASSWORD, World, settled

SCORES = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}
YES = Consent(CONSENT_VERSION, "ja")


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock) -> Home:
    home = await Home.booked(world, clock)
    await home.finished()
    return home


async def made(home: Home) -> dict[str, Any]:
    """The result that came of it, and its entry, as the tables hold them."""
    row = await database.row(
        """SELECT result.id AS result_id, outcome, released_at, overall_score, entry.* FROM sitting
           JOIN entry ON entry.id = sitting.entry_id JOIN result ON result.entry_id = entry.id
           WHERE sitting.id = :id""",
        id=home.id,
    )
    return {} if row is None else dict(row)


async def with_photo(home: Home) -> None:
    """The photo that was taken at the check-in."""
    await database.rows(
        """INSERT INTO sitting_photo (id, sitting_id, file, width, height, size, digest, added_at, proctor_id)
           VALUES (gen_random_uuid(), :id, 'photo/a.jpg', 10, 10, 9, :digest, :now, :proctor)""",
        id=home.id,
        digest=b"d" * 32,
        now=home.clock(),
        proctor=home.staff.id,
    )


async def test_unofficial_scores_of_reading_and_listening_are_the_candidates_alone(home: Home) -> None:
    """H8"""
    await scores.record_unofficial(home.board, home.id, {"READING": 25, "LISTENING": 24})
    assert await scores.unofficial(home.viewer, home.id) == {"READING": 25, "LISTENING": 24}
    assert await scores.unofficial(home.proctor, home.id) == {}
    for wrong in ({"SPEAKING": 20}, {"READING": 31}, {"READING": -1}):
        with pytest.raises(InvalidInput):
            await scores.record_unofficial(home.board, home.id, wrong)
    for viewer in (home.viewer, home.proctor):
        with pytest.raises(NotAllowed):
            await scores.record_unofficial(viewer, home.id, {"READING": 30})


async def test_reporting_makes_an_entry_and_a_result_that_nobody_sees_yet(home: Home) -> None:
    """H8, R3: of the day that it was where the candidate was."""
    await scores.report(home.viewer, home.id)
    found = await made(home)
    assert (found["outcome"], found["released_at"]) == ("PENDING", None)
    assert (found["exam_date"], found["claimed_at"]) == (date(2026, 11, 25), home.clock())
    assert await results.by_ids(home.viewer, [found["result_id"]]) == {}
    assert await releases.tell(home.clock()) == 0
    assert [(one["state"], one["reason"]) for one in [await home.row()]] == [("REPORTED", "CHOSE_TO_REPORT")]


async def test_the_release_of_a_session_does_not_release_what_is_held(home: Home) -> None:
    """H8"""
    await scores.report(home.viewer, home.id)
    day = (await made(home))["exam_date"]
    scheduled = await releases.schedule(home.board, EXAM, day, home.clock() + timedelta(days=1))
    assert scheduled.results == 0
    assert [one["results"] for one in await releases.ahead(home.board) or []] == [0]
    assert (await made(home))["released_at"] is None


async def test_a_closed_account_leaves_no_photo_and_no_chat_and_sends_no_result(home: Home) -> None:
    """G2"""
    await with_photo(home)
    await database.rows(
        """INSERT INTO sitting_message (id, sitting_id, text, sent_at)
           VALUES (gen_random_uuid(), :id, 'Hello', now())""",
        id=home.id,
    )
    await recipients.change(home.viewer, home.id, [(await home.world.institution()).id], YES)
    await scores.report(home.viewer, home.id)
    await closing.close(home.viewer, PASSWORD, is_confirmed=True)
    assert await official_scores.record(home.board, home.id, 95, SCORES) == []
    for table in ("sitting_photo", "photo", "sitting_message", "sitting_recipient", "share"):
        assert await database.value(f"SELECT count(*) FROM {table}") == 0


async def test_reporting_twice_at_once_makes_one_result(home: Home) -> None:
    done = await asyncio.gather(*(scores.report(home.viewer, home.id) for _ in range(3)))
    assert len(set(done)) == 1
    assert await database.value("SELECT count(*) FROM entry") == 1


async def test_official_scores_release_the_result_to_its_candidate_and_to_who_was_named(home: Home) -> None:
    """H8, S3: a share each, resting on the consent of the moment in which it was named."""
    named = [await home.world.institution(), await home.world.institution()]
    shut = await home.world.institution()
    await recipients.change(home.viewer, home.id, [one.id for one in (*named, shut)], YES)
    await home.world.suspend(shut)
    await scores.report(home.viewer, home.id)
    home.clock.forward(days=6)
    shares = await official_scores.record(home.board, home.id, 95, SCORES)
    assert len(shares) == 2
    result = (await results.by_ids(home.viewer, [(await made(home))["result_id"]])).popitem()[1]
    assert (result["headline"], result["overall_score"]) == ("Council of Europe Level C1", 95)
    for institution in named:
        await _sees_share(home, institution, shares)
    assert await releases.tell(home.clock()) == 1
    assert await releases.tell(home.clock()) == 0
    assert await database.value("SELECT count(*) FROM journal WHERE kind = 'SHARE_SENT'") == 2
    assert (await home.told())[-1] == "SCORES_RECORDED"


async def _sees_share(home: Home, institution: Institution, shares: Any) -> None:
    viewer = home.world.viewer(Kind.VERIFIER, institution.id, institution_id=institution.id)
    (share,) = (await SHARES.by_ids(viewer, shares)).values()
    kept = await database.row("SELECT * FROM sitting_recipient WHERE institution_id = :id", id=institution.id)
    row = await database.row("SELECT * FROM share WHERE id = :id", id=share["share_id"])
    assert row is not None and kept is not None
    assert row["consent_text"] == kept["consent_text"]
    assert (row["consent_language"], row["includes_photo"], kept["share_id"]) == ("ja", True, row["id"])


async def test_wrong_official_scores_are_refused_and_release_nothing(home: Home) -> None:
    """R2"""
    await scores.report(home.viewer, home.id)
    others: list[dict[str, int]] = [
        {"READING": 25},
        {},
        SCORES | {"candidateNumber": 2},
        SCORES | {"statementNumber": 5},
    ]
    for overall, skills in ((94, SCORES), (95, SCORES | {"READING": 31}), *((95, other) for other in others)):
        with pytest.raises(InvalidInput):
            await official_scores.record(home.board, home.id, overall, skills)
    assert (await made(home))["released_at"] is None
    with pytest.raises(NotAllowed):
        await official_scores.record(home.world.viewer(Kind.STAFF, home.staff.id), home.id, 95, SCORES)


async def test_official_scores_are_recorded_once_and_only_of_what_was_reported(home: Home) -> None:
    with pytest.raises(SittingStateForbids):
        await official_scores.record(home.board, home.id, 95, SCORES)
    await scores.report(home.viewer, home.id)
    await official_scores.record(home.board, home.id, 95, SCORES)
    with pytest.raises(SittingStateForbids):
        await official_scores.record(home.board, home.id, 95, SCORES)
    with pytest.raises(SittingStateForbids):
        await recipients.change(home.viewer, home.id, [], None)


async def test_cancelling_asks_twice_and_makes_no_result_and_no_notice(home: Home) -> None:
    """H8, H9"""
    letters = await database.value("SELECT count(*) FROM letter")
    await recipients.change(home.viewer, home.id, [(await home.world.institution()).id], YES)
    with pytest.raises(SittingStateForbids):
        await scores.cancel(home.viewer, home.id, "0" * 32)
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    assert await home.stands() == "FINISHED"
    with pytest.raises(InvalidInput):
        await scores.cancel(home.viewer, home.id, "0" * 32)
    assert await scores.cancel(home.viewer, home.id, asked.confirmation) is None
    row = await home.row()
    assert (row["state"], row["reason"]) == ("CANCELLED", "CHOSE_TO_CANCEL")
    assert await made(home) == {}
    assert await database.value("SELECT count(*) FROM journal") == 0
    assert await database.value("SELECT count(*) FROM letter") == letters
    assert await scores.unofficial(home.viewer, home.id) == {}


async def test_a_cancellation_is_undone_on_the_sixtieth_day_and_not_a_second_later(home: Home) -> None:
    """H9, H11"""
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    await scores.cancel(home.viewer, home.id, asked.confirmation)
    home.clock.forward(days=60, seconds=1)
    with pytest.raises(SittingStateForbids):
        await scores.undo(home.viewer, home.id)
    home.clock.forward(seconds=-1)
    await scores.undo(home.viewer, home.id)
    with pytest.raises(SittingStateForbids):  # it asks twice again
        await scores.cancel(home.viewer, home.id, asked.confirmation)
    await scores.report(home.viewer, home.id)
    assert (await home.told())[-4:] == ["CANCEL_ASKED", "CANCELLED", "CANCEL_UNDONE", "REPORTED"]


async def test_the_photo_of_a_sitting_goes_the_way_of_test_day_photos(home: Home) -> None:
    """H4, R7"""
    await with_photo(home)
    entry_id = await scores.report(home.viewer, home.id)
    assert await database.value("SELECT file FROM photo WHERE entry_id = :id", id=entry_id) == "photo/a.jpg"
    assert await database.value("SELECT count(*) FROM sitting_photo") == 0


# ---- appeals


async def test_an_appeal_is_made_once_and_answered_once_with_an_outcome_in_the_timeline(
    open_database: None, world: World, clock: ControlledClock
) -> None:
    """H9: what the clock has ended too, before anybody has written it down."""
    home = await Home.booked(world, clock)
    with pytest.raises(SittingStateForbids):
        await appeals.make(home.viewer, home.id, "I was ill")
    clock.forward(days=4)
    await appeals.make(home.viewer, home.id, "I was ill")
    with pytest.raises(SittingStateForbids):
        await appeals.make(home.viewer, home.id, "Really")
    with pytest.raises(NotAllowed):
        await appeals.answer(home.proctor, home.id, AppealOutcome.STANDS, "No")
    await appeals.answer(home.board, home.id, AppealOutcome.NEW_SITTING, "Get well soon: the next one is free.")
    with pytest.raises(AlreadyDecided):
        await appeals.answer(home.board, home.id, AppealOutcome.STANDS, "No")
    found = await appeals.of_sitting(home.viewer, home.id)
    assert found is not None
    assert (found["outcome"], found["answer"]) == ("NEW_SITTING", "Get well soon: the next one is free.")
    assert await appeals.of_sitting(home.proctor, home.id) is None
    assert (await home.told())[-2:] == ["APPEALED", "APPEAL_ANSWERED"]


async def test_what_the_candidate_chose_is_not_appealed(home: Home) -> None:
    await scores.report(home.viewer, home.id)
    with pytest.raises(SittingStateForbids):
        await appeals.make(home.viewer, home.id, "I changed my mind")
    with pytest.raises(SittingNotFound):
        await appeals.answer(home.board, home.id, AppealOutcome.STANDS, "No")


# ---- recordings


async def test_a_recording_is_deleted_on_its_day_with_its_reference(home: Home, tmp_path: Path) -> None:
    """H4"""
    store.use(None, tmp_path)
    await store.put("recording/abc.webm", b"pictures")
    assert await recordings.name(home.proctor, home.id, "recording/abc.webm") == home.clock() + timedelta(days=90)
    assert await recordings.delete_due(home.clock() + timedelta(days=90) - timedelta(microseconds=1)) == 0
    assert await store.get("recording/abc.webm") == b"pictures"
    assert await recordings.delete_due(home.clock() + timedelta(days=90)) == 1
    assert await store.get("recording/abc.webm") is None
    assert await database.value("SELECT reference FROM recording") is None


@pytest.mark.parametrize("reference", ["photo/a.jpg", "recording/../photo/a.jpg", "recording/", "https://x.example/a"])
async def test_a_recording_names_no_other_file_of_ours(home: Home, reference: str) -> None:
    with pytest.raises(InvalidInput):
        await recordings.name(home.proctor, home.id, reference)


# ---- events


async def test_events_are_read_behind_a_cursor_without_gaps_or_repetitions(home: Home) -> None:
    """H10"""
    await settled()
    told, cursor = [], (0, 0)
    while (batch := await sitting_events.read(home.id, cursor)).events:
        told += [event.kind.value for event in batch.events]
        cursor = batch.position
    assert told == await home.told(home.board)
    await scores.report(home.viewer, home.id)
    await settled()
    assert [event.kind.value for event in (await sitting_events.read(home.id, cursor)).events] == ["REPORTED"]


async def test_no_text_of_a_person_is_in_an_event(open_database: None, world: World, clock: ControlledClock) -> None:
    """G1, G3"""
    home = await Home.booked(world, clock)
    await home.begun()
    await chat.send(home.viewer, home.id, "Hiddenchat")
    await proctoring.note_incident(home.proctor, home.id, "Hiddenincident")
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "Hiddenwords")
    told = await database.value("SELECT string_agg(sitting_event::text, ' ') FROM sitting_event")
    assert [text for text in ("Hidden", home.released.password, home.released.test_id) if text in told] == []


async def test_candidate_and_proctor_see_each_other_live_and_a_hand_over_ends_it_for_the_first(
    app: Starlette, world: World, clock: ControlledClock
) -> None:
    """H10"""
    home = await Home.booked(world, clock)
    await home.taken()
    await settled()  # or what happened before is told, too
    hub = app.state.services.sitting_hub
    own: list[str] = []
    watching: list[str] = []
    streams = [
        asyncio.create_task(follow_live(home, hub, owner, kinds))
        for owner, kinds in ((home.candidate, own), (home.staff, watching))
    ]
    await until(lambda: hub.open_streams == 2)
    other = await proctor_of(world)
    await proctoring.note_presence(world.viewer(Kind.PROCTOR, other.id))
    await chat.send(home.viewer, home.id, "Hello")
    await proctoring.note_incident(home.proctor, home.id, "Somebody speaks")
    await until(lambda: len(watching) == 2)
    await proctoring.hand_over(home.proctor, home.id, other.id)
    async with asyncio.timeout(60):
        await asyncio.gather(*streams)
    assert own == ["MESSAGE_SENT", "HANDED_OVER"]
    assert watching == ["MESSAGE_SENT", "INCIDENT_NOTED"]


async def follow_live(home: Home, hub: Any, owner: Any, kinds: list[str]) -> None:
    """Note what a candidate or a proctor is told of a sitting from now on, until it is handed over."""
    token = await home.world.token(owner)
    viewer = await sessions.viewer_of(token, home.clock(), "192.0.2.1")
    async for event in sitting_events.follow(viewer, hub, home.id, Bookmark(None)):
        kinds.append(event.kind.value)
        if event.kind.value == "HANDED_OVER":
            break
