"""The public check of a Statement of Results (V6)."""

from enum import Enum
from typing import Annotated

import strawberry

from resolvers import checks
from resolvers.checks import Checked
from schema.context import Info
from schema.costs import COUNTED

ONLY = "no more than is needed to see that the answer is about this paper"


@strawberry.enum(description="What a Statement of Results that somebody holds in their hands is worth.")
class StatementVerdict(Enum):
    GENUINE = strawberry.enum_value(
        "GENUINE", description="It is ours, it is the version that stands, and it says what is told here."
    )
    SUPERSEDED = strawberry.enum_value(
        "SUPERSEDED",
        description="It is ours, but does not stand any more: the result was corrected since, or is withheld. Ask the "
        "candidate for what stands now. Which of the two it is, and why, is not told to the public.",
    )
    REVOKED = strawberry.enum_value("REVOKED", description="It is ours, and the result was revoked for good.")
    NOT_KNOWN = strawberry.enum_value(
        "NOT_KNOWN", description="No released statement has this number and this token; which is wrong is never told."
    )


@strawberry.type(description=f"The answer to a check: the verdict, and {ONLY}.")
class StatementCheck:
    verdict: StatementVerdict = strawberry.field(description="What the statement is worth now.")
    version: int | None = strawberry.field(description="The version printed on it; null where it is not known.")
    initials: str | None = strawberry.field(
        description="Initials of the candidate, such as `A. T.`, from the name in Latin letters; null where not known."
    )
    exam_title: str | None = strawberry.field(description="Name of the qualification; null where not known.")
    headline: str | None = strawberry.field(
        description="The headline; null unless the statement is genuine, and where nothing was awarded (absent)."
    )

    @classmethod
    def of(cls, checked: Checked) -> "StatementCheck":
        """The answer as it was found."""
        return cls(
            verdict=StatementVerdict[checked.verdict.name],
            version=checked.version,
            initials=checked.initials,
            exam_title=checked.exam_title,
            headline=checked.headline,
        )


Number = Annotated[
    str, strawberry.argument(description="Statement number, in any case or width; it stands on the statement.")
]
Token = Annotated[
    str, strawberry.argument(description="What stands behind the point in the check code and the QR code.")
]


@strawberry.type
class CheckQuery:
    @strawberry.field(
        description="Check a Statement of Results, without logging in. Null, with an error, when it could not be "
        "checked: `SERVICE_UNAVAILABLE`, or `TOO_MANY_TRIES` with `retryAfter` when a client (120 an hour) or the "
        "whole service has checked too much. Never take that for genuine.",
        directives=[COUNTED],
    )
    async def check_statement(self, info: Info, number: Number, token: Token) -> StatementCheck | None:
        return StatementCheck.of(await checks.check(info.context.viewer, number, token))
