"""What an export tells of sittings, and what becomes of them when their candidate closes the account (G2)."""

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from tortoise.models import Model

from engine import database
from errors import NotLoggedIn, SittingStateForbids
from models.consent import CONSENT_VERSION
from models.result import Result
from models.share import Share
from models.sittings import proctoring as tables
from models.sittings.check_in import STEPS
from models.sittings.reasons import Reason
from models.sittings.sitting import Sitting, SittingEvent, SittingRecipient
from resolvers import closing, exports
from resolvers.shares import Consent
from resolvers.sittings import (
    appeals,
    chat,
    check_ins,
    moves,
    official_scores,
    proctoring,
    recipients,
    recordings,
    running,
    scores,
    views,
)
from tests.conftest import ControlledClock
from tests.locks import lined_up
from tests.sitting_world import Home
from tests.world import PASSWORD, World

SCORES = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}
YES = Consent(CONSENT_VERSION, "en")


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock) -> Home:
    home = await Home.booked(world, clock)
    await world.entry(home.candidate)  # which the account was registered with
    await recipients.change(home.viewer, home.id, [(await world.institution("Harbour University")).id], YES)
    return home


async def exported(home: Home) -> tuple[Any, str]:
    """The data of an export, also as text."""
    file = await exports.file(home.viewer, home.candidate.id, "")
    assert file is not None
    assert not isinstance(file.body, bytes)
    packed = b"".join([piece async for piece in file.body])
    text = zipfile.ZipFile(BytesIO(packed)).read("data.json").decode()
    return json.loads(text), text


async def close(home: Home) -> None:
    await closing.close(home.viewer, PASSWORD, is_confirmed=True)


async def cancel(home: Home) -> None:
    """Cancel the scores, and confirm it."""
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    await scores.cancel(home.viewer, home.id, asked.confirmation)


async def stands(home: Home) -> tuple[str, str | None]:
    """The state and the reason that are written."""
    row = await database.row("SELECT state, reason FROM sitting WHERE id = :id", id=home.id)
    assert row is not None
    return row["state"], row["reason"]


# ---- the export


async def test_everything_that_is_held_of_a_sitting_is_exported(home: Home) -> None:
    """G2: what proctors noted as well, once the sitting is over."""
    await home.begun()
    await running.start_section(home.viewer, home.id)
    await chat.send(home.viewer, home.id, "May I drink?")
    await chat.send(home.proctor, home.id, "Yes.")
    await proctoring.note_incident(home.proctor, home.id, "Looked away")
    await recordings.name(home.proctor, home.id, "recording/2f0c9a.webm")
    assert "Looked away" not in (await exported(home))[1]
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "You went away.")
    await appeals.make(home.viewer, home.id, "I did not.")
    data, text = await exported(home)
    (sitting,) = data["sittings"]
    assert (sitting["state"], sitting["words"], sitting["steps"]) == ("ENDED_BY_PROCTOR", "You went away.", 7)
    told = {name: data[name] for name in data if name.startswith("sitting") and name != "sittings"}
    assert [event["kind"] for event in told["sittingEvents"]] == await home.told()
    assert [(one["text"], one["isOwn"]) for one in told["sittingMessages"]] == [("May I drink?", True), ("Yes.", False)]
    assert [one["text"] for one in told["sittingIncidents"]] == ["Looked away"]
    assert [one["institutionNameShown"] for one in told["sittingRecipients"]] == ["Harbour University"]
    assert [one["skill"] for one in told["sittingSections"]] == ["READING"]
    assert [one["step"] for one in data["checkInSteps"]] == [step.value for step in STEPS]
    assert [one["failed"] for one in data["systemChecks"]] == [[]]
    assert [one["deletedAt"] for one in data["recordings"]] == [None]
    assert [one["text"] for one in data["appeals"]] == ["I did not."]
    secrets = (home.released.password, home.released.test_id, "2f0c9a", str(home.staff.id), "INCIDENT_NOTED")
    assert [secret for secret in secrets if secret in text] == []


async def test_unofficial_scores_are_exported_as_they_are_shown(home: Home) -> None:
    """H8: once the test is finished, and not after it was cancelled."""
    told = []

    async def look() -> None:
        data, _ = await exported(home)
        told.append(data["sittingSections"][0]["unofficialScore"])

    await home.begun()
    await home.sections(4)
    await scores.record_unofficial(home.board, home.id, {"READING": 27})
    await look()
    await running.finish(home.viewer, home.id)
    await look()
    await cancel(home)
    await look()
    assert told == [None, 27, None]


async def test_nobody_elses_sitting_is_exported(home: Home, world: World, clock: ControlledClock) -> None:
    other = await Home.booked(world, clock)
    await other.taken()
    await chat.send(other.viewer, other.id, "Hiddenchat")
    data, text = await exported(home)
    assert len(data["sittings"]) == 1
    assert "Hiddenchat" not in text


KEPT_BACK = {
    # who the proctors are; the numbers of rows, and of sending; what opened the test; and what is only for the moment
    "sitting": {
        "candidate_id",
        "exam_id",
        "proctor_id",
        "test_id",
        "test_password_seal",
        "entry_id",
        "is_in_section",
        "lost_at",
    },
    "sitting_event": {"actor_id"},
    "check_in_step": {"proctor_id"},
    "sitting_section": {"place"},
    "sitting_message": {"key"},
    "incident": {"proctor_id", "key"},
    "sitting_recipient": {"institution_id"},
    "recording": {"reference"},  # what it is called in a store that candidates have no way into
    "appeal": {"staff_id"},
}
PARTS = {
    Sitting: "sittings", SittingEvent: "sittingEvents", SittingRecipient: "sittingRecipients",
    tables.SystemCheck: "systemChecks", tables.CheckInStep: "checkInSteps", tables.Section: "sittingSections",
    tables.Message: "sittingMessages", tables.Incident: "sittingIncidents", tables.Break: "sittingBreaks",
    tables.Recording: "recordings", tables.Appeal: "appeals",
}  # fmt: skip


@pytest.mark.parametrize("model", PARTS)
def test_columns_of_sittings_are_exported_or_known_to_be_kept_back(model: type[Model]) -> None:
    """G2: a new column is exported, or stands above with a reason."""
    table = model._meta.db_table
    columns = set(model._meta.fields_db_projection.values())
    asked = {word.removeprefix(f"{table}.") for word in exports.PARTS[PARTS[model]].replace(",", " ").split()}
    assert columns - KEPT_BACK.get(table, set()) - {"id", "sitting_id"} - asked == set()


# ---- closing the account


async def booked(home: Home) -> None:
    pass


async def waiting(home: Home) -> None:
    await home.come()


async def checked_in(home: Home) -> None:
    await home.taken()
    await home.confirm(*STEPS)


async def in_a_section(home: Home) -> None:
    await home.begun()
    await running.start_section(home.viewer, home.id)


async def on_a_break(home: Home) -> None:
    await home.begun()
    await home.sections(2)
    await running.start_break(home.viewer, home.id)


async def interrupted(home: Home) -> None:
    await home.begun()
    home.clock.forward(seconds=60)


@pytest.mark.parametrize("how_far", [booked, waiting, checked_in, in_a_section, on_a_break, interrupted])
async def test_what_is_booked_or_runs_is_cancelled_and_nobody_waits_for_it(
    home: Home, how_far: Callable[[Home], Any]
) -> None:
    """G2, H9: with a reason, and for good; proctors and the clock find nothing more to do."""
    await how_far(home)
    await close(home)
    assert await stands(home) == ("CANCELLED", "ACCOUNT_CLOSED")
    row = await Sitting.get(id=home.id)
    assert row.test_password_seal is None
    assert [await views.of_viewer(home.proctor), await proctoring.queue(home.proctor)] == [[], []]
    assert await moves.settle(home.clock() + timedelta(days=9)) == 0
    assert (await home.told(home.board))[-1] == "CANCELLED"
    for act in (scores.undo, check_ins.start, running.start_section, running.report_connection):
        with pytest.raises(SittingStateForbids):  # whoever had passed the door before
            await act(home.viewer, home.id)
    with pytest.raises(SittingStateForbids):
        await chat.send(home.viewer, home.id, "Hello?")
    assert await proctoring.take_next(home.proctor) is None


async def test_what_was_written_and_recorded_is_erased_and_what_was_decided_stays(home: Home) -> None:
    """G2: notes, reasons and appeals are the record of why a sitting ended."""
    await home.begun()
    await chat.send(home.viewer, home.id, "Hello")
    await proctoring.note_incident(home.proctor, home.id, "Looked away")
    await recordings.name(home.proctor, home.id, "recording/2f0c9a.webm")
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "You went away.")
    await appeals.make(home.viewer, home.id, "I did not.")
    await close(home)
    assert await stands(home) == ("ENDED_BY_PROCTOR", "LEFT")
    for table, left in ((tables.Message, 0), (SittingRecipient, 0), (tables.Incident, 1), (tables.Appeal, 1)):
        assert await table.filter(sitting_id=home.id).count() == left
    (recording,) = await tables.Recording.all()
    assert recording.delete_at == home.clock()
    await appeals.answer(home.board, home.id, tables.AppealOutcome.STANDS, "You did.")


async def test_a_finished_sitting_is_not_reported_without_its_candidates_word(home: Home) -> None:
    """H8: it stays as it is; whoever opens the account again can still choose."""
    await home.finished()
    await close(home)
    assert await stands(home) == ("FINISHED", None)
    assert await Result.all().count() == 0


async def test_a_cancellation_stays_one(home: Home) -> None:
    await home.finished()
    await cancel(home)
    await close(home)
    assert await stands(home) == ("CANCELLED", "CHOSE_TO_CANCEL")


async def test_scores_that_come_after_the_closing_are_the_record_and_are_sent_to_nobody(home: Home) -> None:
    """G2, S10: the result is released as what was awarded; there is no share, no event and no letter."""
    await home.finished()
    await scores.report(home.viewer, home.id)
    await close(home)
    assert await official_scores.record(home.board, home.id, 95, SCORES) == []
    (result,) = await Result.all()
    assert (result.overall_score, result.released_at) == (95, home.clock())
    assert await Share.all().count() == 0
    assert await database.value("SELECT count(*) FROM journal") == 0
    assert await database.value("SELECT count(*) FROM letter WHERE kind <> 'account_closed'") == 0


async def record(home: Home) -> None:
    await official_scores.record(home.board, home.id, 95, SCORES)


async def name_another(home: Home) -> None:
    with suppress(NotLoggedIn):  # where the account was closed meanwhile
        await recipients.change(home.viewer, home.id, [(await home.world.institution("Hill College")).id], YES)


@pytest.mark.parametrize(
    ("first", "second"), [(close, name_another), (name_another, close), (close, record), (record, close)]
)
async def test_nothing_is_shared_by_a_closed_account_whoever_comes_first(
    home: Home, database_url: str, first: Callable[[Home], Any], second: Callable[[Home], Any]
) -> None:
    """G2: also where a recipient is named, or scores are recorded, at the moment at which the account is closed."""
    await home.finished()
    await scores.report(home.viewer, home.id)
    await lined_up(database_url, "sitting", lambda: first(home), lambda: second(home))
    if record not in (first, second):
        await record(home)
    assert await Result.filter(released_at=home.clock()).count() == 1
    assert await Share.filter(withdrawn_at=None).count() == 0
    assert await SittingRecipient.filter(share_id=None).count() == 0
