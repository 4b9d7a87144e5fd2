"""What belongs to sittings, read for many of them by one statement each (H1-H9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from engine import database
from engine.database import Row
from models.sittings.proctoring import Appeal, Break, CheckInStep, Incident, Message, Recording, Section, SystemCheck
from models.sittings.sitting import WAITING, Sitting, SittingEvent, SittingRecipient
from models.viewer import Kind, Viewer
from resolvers.reading import Seen, grouped


@dataclass(frozen=True, slots=True)
class PartOf:
    """The rows of one table that belong to sittings: its name, what is read of it, and in which order."""

    model: type[Seen]
    table: str
    columns: str
    order: str

    async def of(self, viewer: Viewer, sitting_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
        """Those that the viewer may see, by sitting, in order."""
        visible = self.model.visible_to(viewer)
        found = await database.rows(
            f"""SELECT sitting_id, {self.columns} FROM {self.table} WHERE sitting_id = ANY(:ids) AND {visible}
                ORDER BY {self.order}""",
            ids=list(sitting_ids),
            **visible.named,
        )
        return grouped(found, "sitting_id")


EVENTS = PartOf(SittingEvent, "sitting_event", "kind, state, happened_at, actor, detail", "happened_at, xid, id")
CHECKS = PartOf(SystemCheck, "system_check", "checked_at, failed", "checked_at DESC, id DESC")
STEPS = PartOf(
    CheckInStep,
    "check_in_step",
    "step, confirmed_at, rules_version, rules_text, rules_language",
    "confirmed_at, id",
)
SECTIONS = PartOf(Section, "sitting_section", "skill, started_at, ended_at", "place")
BREAKS = PartOf(Break, "sitting_break", "started_at, ended_at", "id")
MESSAGES = PartOf(Message, "sitting_message", "id, proctor_id, text, sent_at, read_at, answered_at", "sent_at, id")
INCIDENTS = PartOf(Incident, "incident", "text, noted_at", "noted_at, id")
RECIPIENTS = PartOf(
    SittingRecipient,
    "sitting_recipient",
    "institution_id, institution_name_shown, consent_text, named_at, share_id",
    "named_at, id",
)
APPEALS = PartOf(Appeal, "appeal", "text, made_at, outcome, answer, answered_at", "id")
RECORDINGS = PartOf(Recording, "recording", "reference, recorded_at, delete_at, deleted_at", "recorded_at, id")


async def recorded_until(viewer: Viewer, sitting_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Until when the last recording is kept, by sitting: for all who see it, but for nobody else what it is called."""
    visible = Sitting.visible_to(viewer)
    found = await database.rows(
        f"""SELECT sitting.id, max(recording.delete_at) AS kept_until FROM recording
            JOIN sitting ON sitting.id = recording.sitting_id
            WHERE sitting.id = ANY(:ids) AND recording.deleted_at IS NULL AND {visible} GROUP BY sitting.id""",
        ids=list(sitting_ids),
        **visible.named,
    )
    return {row["id"]: row for row in found}


async def places(viewer: Viewer, sitting_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Of those that wait for a proctor: the place in the queue, counted from 1, and since when they wait."""
    visible = Sitting.visible_to(viewer)
    found = await database.rows(
        f"""SELECT sitting.id, queue.place, queue.waiting_since FROM sitting JOIN (
                SELECT sitting.id AS sitting_id,
                       row_number() OVER (ORDER BY appointment_at, check_in_started_at, sitting.id) AS place,
                       greatest(check_in_started_at, (SELECT seen_at FROM proctor_presence
                                                      WHERE staff_id = sitting.proctor_id)) AS waiting_since
                FROM sitting WHERE {WAITING}) AS queue ON queue.sitting_id = sitting.id
            WHERE sitting.id = ANY(:ids) AND {visible}""",
        ids=list(sitting_ids),
        **{"viewer_at": viewer.at} | visible.named,
    )
    return {row["id"]: row for row in found}


async def unofficial(viewer: Viewer, sitting_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """The unofficial scores of one's own sittings that are finished and were not cancelled, by sitting (H8)."""
    found = await database.rows(
        """SELECT sitting_id, skill, unofficial_score FROM sitting_section JOIN sitting ON sitting.id = sitting_id
           WHERE sitting_id = ANY(:ids) AND candidate_id = :candidate_id AND state IN ('FINISHED', 'REPORTED')
           AND unofficial_score IS NOT NULL ORDER BY place""",
        ids=list(sitting_ids),
        candidate_id=viewer.id if viewer.kind is Kind.CANDIDATE else None,
    )
    return grouped(found, "sitting_id")
