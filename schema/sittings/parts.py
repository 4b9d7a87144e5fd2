"""What belongs to a sitting: its end, proctor, sections, chat, incidents, and what comes after it (H4-H9)."""

from datetime import datetime
from enum import Enum

import strawberry

from engine.database import Row
from engine.languages import told
from models.sittings import remedies
from models.sittings.answering import wait_at
from models.sittings.reasons import WORDS
from models.sittings.states import LIVE
from models.sittings.table import BREAK, Facts, nobody_watches
from models.viewer import Kind, Viewer
from resolvers.sittings import views
from schema.context import Info
from schema.exam import Skill
from schema.ids import global_id
from schema.sittings.answer_times import AnswerWait
from schema.sittings.states import SittingAct


@strawberry.type(description="Why a sitting ended, in the viewer's language.")
class SittingEnd:
    code: str = strawberry.field(description="A name for the reason, such as `NOT_STARTED_IN_TIME`.")
    reason: str = strawberry.field(description="Why it ended.")
    words: str | None = strawberry.field(description="What the proctor or staff wrote about it; null: nobody ended it.")
    facts: strawberry.Private[Facts]
    row: strawberry.Private[Row]

    @classmethod
    def of(cls, facts: Facts, row: Row, viewer: Viewer) -> "SittingEnd | None":
        """The end of a sitting with these facts, if it has come to one."""
        if facts.reason is None:
            return None
        reason = told(WORDS[facts.reason].reason, viewer.language)
        return cls(code=facts.reason.value, reason=reason, words=row["words"], facts=facts, row=row)

    @strawberry.field(
        description="What can be done about it, as things stand: it tells of an appeal as well, to who may know of it."
    )
    async def remedy(self, info: Info) -> str:
        appeals = await info.context.loaders.appeal_of.load(self.row["id"])
        appeal, is_released = appeals[0] if appeals else None, self.row["released_at"] is not None
        viewer = info.context.viewer
        return told(remedies.at_present(self.facts, appeal, is_released, viewer.at), viewer.language)


@strawberry.type(description="Something that could be done with a sitting where it stands, but not at this moment.")
class SittingHindrance:
    act: SittingAct = strawberry.field(description="What cannot be done.")
    reason: str = strawberry.field(description="Why not, in the viewer's language.")


@strawberry.type(description="The proctor who watches a sitting.")
class SittingProctor:
    number: int = strawberry.field(description="Four digits that stand for the proctor, in this sitting alone.")
    name: str | None = strawberry.field(description="For proctors and the board's staff: the name; else null.")
    is_connected: bool = strawberry.field(description="Whether the proctor gave a sign of life in the last 15 seconds.")

    @classmethod
    def of(cls, facts: Facts, row: Row, viewer: Viewer) -> "SittingProctor | None":
        """The proctor of a sitting, if it has one."""
        number = views.proctor_number(row)
        if number is None:
            return None
        name = None if viewer.kind is Kind.CANDIDATE else row["proctor_name"]
        return cls(number=number, name=name, is_connected=not nobody_watches(facts, viewer.at))


@strawberry.type(description="A place in the queue for a proctor.")
class SittingQueue:
    place: int = strawberry.field(description="1 for the one who is taken next; the first appointment comes first.")
    waiting_since: datetime = strawberry.field(description="Since when, UTC.")


@strawberry.type(description="A section of the test.")
class Section:
    skill: Skill = strawberry.field(description="What it is about.")
    started_at: datetime | None = strawberry.field(description="When it was started, UTC; null: not yet.")
    ended_at: datetime | None = strawberry.field(description="When it was finished, UTC; null: not yet.")


def sections_of(facts: Facts, started: list[Row]) -> list[Section]:
    """All sections of a test in order, from the rows of those that were started."""
    rows = {row["skill"]: row for row in started}
    times = [(skill, rows.get(skill)) for skill in facts.sections]
    return [
        Section(
            skill=Skill[skill], started_at=row["started_at"] if row else None, ended_at=row["ended_at"] if row else None
        )
        for skill, row in times
    ]


@strawberry.type(description="The one break of a sitting, after Listening.")
class Break:
    started_at: datetime = strawberry.field(description="When it began, UTC.")
    ends_at: datetime = strawberry.field(description="The last moment to be back, UTC: ten minutes after it began.")
    ended_at: datetime | None = strawberry.field(
        description="When the candidate was back, UTC; null: not yet, or not in time."
    )

    @classmethod
    def of(cls, row: Row) -> "Break":
        """The break of a row of `parts.BREAKS`."""
        return cls(started_at=row["started_at"], ends_at=row["started_at"] + BREAK, ended_at=row["ended_at"])


@strawberry.type(description="A message of the chat between candidate and proctor.")
class Message:
    id: strawberry.ID = strawberry.field(description="The id that events of it name as their detail.")
    text: str = strawberry.field(description="What was written.")
    is_by_proctor: bool = strawberry.field(description="Whether the proctor wrote it.")
    sent_at: datetime = strawberry.field(description="When, UTC.")
    read_at: datetime | None = strawberry.field(description="When the other side read it, UTC; null: unread.")
    answered_at: datetime | None = strawberry.field(
        description="Of the candidate's: when the proctor wrote next, UTC; null: not yet, or it is the proctor's."
    )

    @classmethod
    def of(cls, row: Row) -> "Message":
        """The message of a row of `parts.MESSAGES`."""
        return cls(
            id=message_id(row["id"]),
            text=row["text"],
            is_by_proctor=row["proctor_id"] is not None,
            sent_at=row["sent_at"],
            read_at=row["read_at"],
            answered_at=row["answered_at"],
        )


def message_id(key: object) -> strawberry.ID:
    """The id of a message, which names it in its sitting and is no entity."""
    return global_id("Message", str(key))


@strawberry.type(description="How the chat of a sitting stands.")
class SittingChat:
    unread: int = strawberry.field(description="Messages that the viewer's side has not read.")
    waiting_since: datetime | None = strawberry.field(
        description="Since when the candidate waits for an answer, UTC; null: nothing is unanswered, or it is over."
    )
    wait: AnswerWait | None = strawberry.field(description="How long that is by now; null: nobody waits.")
    longest_seconds: float | None = strawberry.field(description="The longest wait for an answer so far.")
    mean_seconds: float | None = strawberry.field(description="The mean wait for an answer so far.")

    @classmethod
    def of(cls, row: Row | None, facts: Facts, now: datetime) -> "SittingChat":
        """The chat of a row of `chat.waits`; None where nobody has written."""
        if row is None:
            return cls(unread=0, waiting_since=None, wait=None, longest_seconds=None, mean_seconds=None)
        since = row["waiting_since"] if facts.state in LIVE else None
        wait = wait_at(since, now)
        return cls(
            unread=row["unread"],
            waiting_since=since,
            wait=wait and AnswerWait(wait.value),
            longest_seconds=row["longest_seconds"],
            mean_seconds=row["mean_seconds"],
        )


@strawberry.type(description="What a proctor noted; candidates are told the reason that comes of it.")
class Incident:
    text: str = strawberry.field(description="What happened.")
    noted_at: datetime = strawberry.field(description="When, UTC.")


@strawberry.type(description="A score of the test that is not official.")
class UnofficialScore:
    skill: Skill = strawberry.field(description="The skill.")
    score: int = strawberry.field(description="The score, on the scale of the exam.")


@strawberry.type(description="An institution that gets the result once it is released.")
class SittingRecipient:
    institution_name: str = strawberry.field(description="Its name, as it was shown when it was named.")
    consent: str = strawberry.field(description="The sentence that was agreed to.")
    named_at: datetime = strawberry.field(description="When, UTC.")
    is_sent: bool = strawberry.field(description="Whether the result was sent.")

    @classmethod
    def of(cls, row: Row) -> "SittingRecipient":
        """The institution of a row of `parts.RECIPIENTS`."""
        return cls(
            institution_name=row["institution_name_shown"],
            consent=row["consent_text"],
            named_at=row["named_at"],
            is_sent=row["share_id"] is not None,
        )


@strawberry.enum(description="What came of an appeal.")
class AppealOutcome(Enum):
    STANDS = strawberry.enum_value("STANDS", description="The end stands.")
    NEW_SITTING = strawberry.enum_value("NEW_SITTING", description="A new sitting without a fee.")
    FEE_RETURNED = strawberry.enum_value("FEE_RETURNED", description="The fee is returned.")


@strawberry.type(description="A candidate's word against how a sitting ended, and the answer of the board's staff.")
class Appeal:
    text: str = strawberry.field(description="What the candidate wrote.")
    made_at: datetime = strawberry.field(description="When, UTC.")
    outcome: AppealOutcome | None = strawberry.field(description="What came of it; null: it is not answered yet.")
    answer: str | None = strawberry.field(description="What the board's staff answered; null: not yet.")
    answered_at: datetime | None = strawberry.field(description="When, UTC; null: not yet.")

    @classmethod
    def of(cls, row: Row) -> "Appeal":
        """The appeal of a row of `parts.APPEALS`."""
        return cls(
            text=row["text"],
            made_at=row["made_at"],
            outcome=row["outcome"] and AppealOutcome(row["outcome"]),
            answer=row["answer"],
            answered_at=row["answered_at"],
        )


@strawberry.type(description="A recording of a sitting, which is kept elsewhere. Seen by the board's staff.")
class Recording:
    reference: str | None = strawberry.field(description="What it is called in the store; null: it is deleted.")
    recorded_at: datetime = strawberry.field(description="When it was named, UTC.")
    delete_at: datetime = strawberry.field(
        description="When it is deleted, UTC; not before an appeal that was made by then is answered."
    )
    deleted_at: datetime | None = strawberry.field(description="When it was deleted, UTC; null: not yet.")

    @classmethod
    def of(cls, row: Row) -> "Recording":
        """The recording of a row of `parts.RECORDINGS`."""
        return cls(
            reference=row["reference"],
            recorded_at=row["recorded_at"],
            delete_at=row["delete_at"],
            deleted_at=row["deleted_at"],
        )
