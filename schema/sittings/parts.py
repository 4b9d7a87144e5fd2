"""What belongs to a sitting: its end, the chat, incidents, scores, and who gets them (H4, H7-H9)."""

from datetime import datetime

import strawberry


@strawberry.type(description="Why a sitting ended, in the viewer's language.")
class SittingEnd:
    code: str = strawberry.field(description="A name for the reason, such as `NOT_STARTED_IN_TIME`.")
    reason: str = strawberry.field(description="Why it ended.")
    words: str | None = strawberry.field(description="What the proctor or staff wrote about it; null: nobody ended it.")
    remedy: str = strawberry.field(description="What can be done about it.")


@strawberry.type(description="A message of the chat between candidate and proctor.")
class SittingMessage:
    text: str = strawberry.field(description="What was written.")
    is_by_proctor: bool = strawberry.field(description="Whether the proctor wrote it.")
    sent_at: datetime = strawberry.field(description="When, UTC.")
    read_at: datetime | None = strawberry.field(description="When the other side read it, UTC; null: unread.")


@strawberry.type(description="How the chat of a sitting stands.")
class SittingChat:
    unread: int = strawberry.field(description="Messages that the viewer's side has not read.")
    waiting_since: datetime | None = strawberry.field(
        description="Since when the candidate waits for an answer, UTC; null: nothing is unanswered."
    )
    longest_seconds: float | None = strawberry.field(description="The longest wait for an answer so far.")
    mean_seconds: float | None = strawberry.field(description="The mean wait for an answer so far.")


@strawberry.type(description="What a proctor noted; candidates are told the reason that comes of it.")
class Incident:
    text: str = strawberry.field(description="What happened.")
    noted_at: datetime = strawberry.field(description="When, UTC.")


@strawberry.type(description="A score of the test that is not official.")
class UnofficialScore:
    skill: str = strawberry.field(description="The skill.")
    score: int = strawberry.field(description="The score, on the scale of the exam.")


@strawberry.type(description="An institution that gets the result once it is released.")
class SittingRecipient:
    institution_name: str = strawberry.field(description="Its name, as it was shown when it was named.")
    consent: str = strawberry.field(description="The sentence that was agreed to.")
    named_at: datetime = strawberry.field(description="When, UTC.")
    is_sent: bool = strawberry.field(description="Whether the result was sent.")
