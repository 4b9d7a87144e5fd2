"""How long candidates wait for answers in the chat (H4)."""

from enum import Enum

import strawberry

from engine.database import Row


@strawberry.enum(description="How long a candidate waits for the proctor's answer.")
class AnswerWait(Enum):
    SHORT = strawberry.enum_value("SHORT", description="No more than 30 seconds.")
    LONG = strawberry.enum_value("LONG", description="More than 30 seconds, and no more than 60.")
    OVERDUE = strawberry.enum_value("OVERDUE", description="More than 60 seconds.")


@strawberry.type(description="How long candidates waited for answers to the messages of the last seven days.")
class AnswerTimes:
    asked: int = strawberry.field(description="Messages that candidates wrote.")
    answered: int = strawberry.field(description="How many of them were answered.")
    soon: int = strawberry.field(description="How many were answered within 30 seconds.")
    in_time: int = strawberry.field(description="How many were answered within 60 seconds.")
    median_seconds: float | None = strawberry.field(description="What half of those that were answered waited at most.")
    longest_seconds: float | None = strawberry.field(description="The longest wait for an answer.")

    @classmethod
    def of(cls, row: Row) -> "AnswerTimes":
        """What `answer_times` counted."""
        return cls(
            asked=row["asked"],
            answered=row["answered"],
            soon=row["soon"],
            in_time=row["in_time"],
            median_seconds=row["median_seconds"],
            longest_seconds=row["longest_seconds"],
        )
