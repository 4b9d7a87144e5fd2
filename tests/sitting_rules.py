"""What breaks each rule of the tables of sittings, and the rows beside it; see test_constraints.py."""

from datetime import timedelta
from typing import Any

from models.base import new_id
from models.entry import Entry
from models.institution import Institution
from models.result import Result
from models.sittings.check_in import Step
from models.sittings.proctoring import Appeal, Break, CheckInStep, Incident, Message, Recording, Section, SittingPhoto
from models.sittings.reasons import Reason
from models.sittings.sitting import Sitting, SittingRecipient
from models.sittings.states import SittingState
from tests.world import World

BOOKED, REPORTED = "WHERE state = 'BOOKED'", "WHERE state = 'REPORTED'"
ACCEPTED = {"rules_version": "'1'", "rules_text": "'Quiet'", "rules_language": "'en'"}
OPEN_AGAIN = "state = 'FINISHED', reason = NULL, entry_id = NULL"


def again(table: str, **changes: str) -> str:
    """An order to insert the first row once more, with these columns changed; values are SQL."""
    changes.setdefault("id", "gen_random_uuid()")
    facts = ", ".join(f"'{column}', {value}" for column, value in changes.items())
    return f"""INSERT INTO {table} SELECT (jsonb_populate_record({table}, jsonb_build_object({facts}))).*
               FROM {table} ORDER BY {table}.id LIMIT 1"""


REFUSED = {
    "sitting_end_has_reason": [
        f"UPDATE sitting SET reason = 'LEFT' {BOOKED}",
        f"UPDATE sitting SET reason = NULL {REPORTED}",
    ],
    "sitting_says_why": [
        f"UPDATE sitting SET state = 'INVALIDATED', reason = 'LEFT' {BOOKED}",
        f"UPDATE sitting SET state = 'ENDED_BY_PROCTOR', reason = 'LEFT', words = '' {BOOKED}",
    ],
    "sitting_counts": [
        "UPDATE sitting SET steps = 8",
        "UPDATE sitting SET steps = -1",
        "UPDATE sitting SET sections_done = 3",
        "UPDATE sitting SET sections_done = -1",
    ],
    "sitting_break_began": [f"UPDATE sitting SET state = 'ON_BREAK' {BOOKED}"],
    "sitting_reported_is_entered": [
        f"UPDATE sitting SET state = 'FINISHED', reason = NULL {REPORTED}",
        f"UPDATE sitting SET state = 'REPORTED', reason = 'LEFT' {BOOKED}",
    ],
    "sitting_once": [f"UPDATE sitting SET {OPEN_AGAIN}, appointment_at = '2026-11-25'"],
    "sitting_test_id": [again("sitting", entry_id="NULL", state="'FINISHED'", reason="NULL")],
    "sitting_entry_id_key": [again("sitting")],
    "sitting_recipient_once": [again("sitting_recipient")],
    "check_in_step_once": [again("check_in_step")],
    "check_in_step_rules": [
        again("check_in_step", step="'ROOM'", **ACCEPTED),
        again("check_in_step", step="'RULES'", rules_version="'1'"),
    ],
    "sitting_section_place": [again("sitting_section")],
    "sitting_message_has_text": ["UPDATE sitting_message SET text = ''"],
    "sitting_message_key": [again("sitting_message")],
    "incident_has_text": ["UPDATE incident SET text = ''"],
    "incident_key": [again("incident")],
    "sitting_break_sitting_id_key": [again("sitting_break")],
    "sitting_photo_sitting_id_key": [again("sitting_photo")],
    "sitting_photo_digest": ["UPDATE sitting_photo SET digest = 'short'"],
    "recording_reference": [again("recording")],
    "recording_goes": ["UPDATE recording SET deleted_at = now()", "UPDATE recording SET reference = NULL"],
    "appeal_sitting_id_key": [again("appeal")],
    "appeal_answered": ["UPDATE appeal SET outcome = 'STANDS'", "UPDATE appeal SET answered_at = now()"],
}
TAKEN = [
    "UPDATE sitting SET steps = 7, sections_done = 2",
    f"UPDATE sitting SET state = 'INVALIDATED', reason = 'LEFT', words = 'Gone' {BOOKED}",
    f"UPDATE sitting SET state = 'ON_BREAK', break_started_at = now() {BOOKED}",
    f"UPDATE sitting SET {OPEN_AGAIN} {REPORTED}",
    again("check_in_step", step="'RULES'", **ACCEPTED),
    again("sitting_section", place="1"),
    "UPDATE recording SET deleted_at = now(), reference = NULL",
    "UPDATE appeal SET outcome = 'STANDS', answer = 'No', answered_at = now(), staff_id = gen_random_uuid()",
]


async def with_sittings(world: World, result: Result, institution: Institution) -> None:
    """A reported sitting, and then a booked one, of one candidate; and a row in each table that belongs to them."""
    entry = await Entry.get(id=result.entry_id)
    now = world.clock()
    facts: dict[str, Any] = {
        "candidate_id": entry.candidate_id, "exam_id": "IBT_HOME_2026", "timezone": "UTC", "booked_at": now,
        "since": now, "sections": ["READING", "LISTENING"],
    }  # fmt: skip
    sitting = await Sitting.create(
        **facts, state=SittingState.REPORTED, reason=Reason.CHOSE_TO_REPORT, entry_id=entry.id, test_id="T1",
        appointment_at=now,
    )  # fmt: skip
    await Sitting.create(**facts, state=SittingState.BOOKED, appointment_at=now + timedelta(days=9))
    await _rows_of(sitting.id, now, institution)


async def _rows_of(sitting_id: Any, now: Any, institution: Institution) -> None:
    of: dict[str, Any] = {"sitting_id": sitting_id}
    by: dict[str, Any] = of | {"proctor_id": institution.id}
    consent: dict[str, Any] = {"consent_text": "Yes", "consent_version": "1", "consent_language": "en"}
    shown: dict[str, Any] = {"institution_id": institution.id, "institution_name_shown": "A"}
    await SittingRecipient.create(**of, **consent, **shown, named_at=now)
    await CheckInStep.create(**by, step=Step.DOCUMENT, confirmed_at=now)
    await Section.create(**of, place=0, skill="READING", started_at=now)
    await Message.create(**of, text="Hello", key=new_id(), sent_at=now)
    await Incident.create(**by, text="Noise", key=new_id(), noted_at=now)
    await Break.create(**of, started_at=now)
    picture: dict[str, Any] = {"file": "a.jpg", "width": 10, "height": 10, "size": 9, "digest": b"d" * 32}
    await SittingPhoto.create(**of, **picture, added_at=now)
    await Recording.create(**of, reference="recording/a", recorded_at=now, delete_at=now)
    await Appeal.create(**of, text="No", made_at=now)
