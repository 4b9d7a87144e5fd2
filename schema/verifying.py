"""Checking results that nobody shared, one by one and in lists (V3, V4, V5)."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum

import strawberry

from engine.database import Row
from engine.languages import told
from models.names import full_name
from models.viewer import Viewer
from resolvers import verifying
from resolvers.verifying import MOST_AT_ONCE, Pair, Verdict
from schema.arguments import Input
from schema.context import Info
from schema.costs import BULK, COUNTED, list_of
from schema.exam import ScaleCode
from schema.refusals import Problem
from schema.result import Outcome, Result, SkillScore

PURPOSE = (
    "What the look-up is for, 3 to 200 characters; the candidate can read it in the access log, with the institution."
)
LIMITS = (
    "Refused with `TOO_MANY_TRIES` (`retryAfter`, `limit`) before anything is compared when a user, an institution, an "
    "address or the whole service has looked up too much, or was wrong too often. A refused operation counts nothing."
)

BY_POST = frozenset({"findResult", "verifyResults"})  # what is asked by GET stands in logs on the way (G3)


@strawberry.enum(description="What a pair of numbers is worth at this moment.")
class VerificationVerdict(Enum):
    GENUINE = strawberry.enum_value("GENUINE", description="It is ours, and this is the result that stands.")
    NOT_MATCHED = strawberry.enum_value(
        "NOT_MATCHED",
        description="No released result has both numbers. Which is wrong, or whether it is not released yet, is never "
        "told.",
    )
    WITHHELD = strawberry.enum_value(
        "WITHHELD", description="It is ours, and the result is withheld: ask the candidate to contact the exam centre."
    )
    SUPERSEDED = strawberry.enum_value(
        "SUPERSEDED",
        description="It is ours, but what is printed does not stand any more: `result` is what stands now. Told where "
        "the version printed was given.",
    )
    REVOKED = strawberry.enum_value("REVOKED", description="It is ours, and the result was revoked for good.")
    NOT_CHECKED = strawberry.enum_value(
        "NOT_CHECKED",
        description="It could not be checked, and may be genuine: there were too many wrong tries with this number, "
        "whether or not there is such a one. `retryAfter` tells when to try again.",
    )


@strawberry.type(
    description="A result as an institution sees it to whom it was not sent: what stands on its statement, and no way "
    "from there to anything else of the candidate. That it was looked up is in the candidate's access log."
)
class FoundResult:
    id: strawberry.ID = strawberry.field(
        description="Id of the result. When it is corrected, the institution is told by this id."
    )
    name: str = strawberry.field(description="The candidate's whole name in Latin letters, given name first.")
    native_name: str | None = strawberry.field(description="The whole name in the person's own script.")
    date_of_birth: date = strawberry.field(description="The candidate's date of birth.")
    qualification: str = strawberry.field(description="Name of the qualification. Never translated.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    statement_number: str = strawberry.field(description="Number of the Statement of Results.")
    certificate_number: str | None = strawberry.field(description="Number of the certificate, where there is one.")
    outcome: Outcome | None = strawberry.field(description="What came out; null where it is revoked.")
    headline: str | None = strawberry.field(
        description="The grade, or `Council of Europe Level …`; like all of the award, null where it does not stand."
    )
    grade: str | None = strawberry.field(description="Grade as awarded.")
    cefr: str | None = strawberry.field(description="CEFR level as awarded, A1 to C2.")
    overall_score: int | None = strawberry.field(description="Overall score, a whole number on `scale`.")
    overall_score_shown: str | None = strawberry.field(description="Overall score with its scale.")
    scale: ScaleCode = strawberry.field(description="The scale of its scores.")
    skill_scores: list[SkillScore] | None = strawberry.field(
        description="Scores per skill. Null where the candidate left them out of the last share with the institution.",
        directives=[list_of(5)],
    )
    version: int = strawberry.field(description="The version that stands; it is printed on its statement.")
    corrected_at: datetime | None = strawberry.field(
        description="When this version took the place of another, UTC: a statement printed before does not stand. "
        "Null for the first one."
    )

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "FoundResult":
        """What stands in the row of a look-up, as `Result` tells it."""
        stands = Result.of(row, viewer)
        return cls(
            id=stands.id,
            name=full_name(row["given_name"], row["family_name"]),
            native_name=row["native_name"],
            date_of_birth=row["date_of_birth"],
            qualification=stands.qualification,
            exam_date=stands.exam_date,
            statement_number=stands.statement_number,
            certificate_number=stands.certificate_number,
            outcome=stands.outcome,
            headline=stands.headline,
            grade=stands.grade,
            cefr=stands.cefr,
            overall_score=stands.overall_score,
            overall_score_shown=stands.overall_score_shown,
            scale=stands.scale,
            skill_scores=stands.skill_scores,
            version=stands.version,
            corrected_at=row["corrected_at"],
        )


@strawberry.type(description="The answer to one pair of numbers.")
class Verification:
    verdict: VerificationVerdict = strawberry.field(description="What it is worth.")
    result: FoundResult | None = strawberry.field(description="The result; null where nothing matched.")
    problems: list[Problem] = strawberry.field(
        description="Why nothing could be compared: what is wrong with the form of a number, or too many wrong tries.",
        directives=[list_of(1)],
    )
    retry_after: datetime | None = strawberry.field(
        description="Of what was not checked, the moment from which it can be, UTC; null: only after the exam centre "
        "issues new numbers."
    )

    @classmethod
    def of(cls, verdict: Verdict, viewer: Viewer) -> "Verification":
        """A verdict as clients see it, in the viewer's language."""
        return cls(
            verdict=VerificationVerdict[verdict.answer.name],
            result=None if verdict.result is None else FoundResult.of(verdict.result, viewer),
            problems=[Problem(path=one.path, message=told(one.message, viewer.language)) for one in verdict.problems],
            retry_after=verdict.retry_after,
        )


@strawberry.input(
    description="What the candidate gave: `statementNumber` and `dateOfBirth`, or `idNumber` and `secretNumber`."
)
class PairInput:
    statement_number: str | None = strawberry.field(default=None, description="Statement number, in any case or width.")
    date_of_birth: str | None = strawberry.field(default=None, description="Date of birth, such as `2001-02-03`.")
    version: int | None = strawberry.field(
        default=None, description="The version printed on the statement, to be told whether it still stands."
    )
    id_number: str | None = strawberry.field(default=None, description="ID Number of the Confirmation of Entry.")
    secret_number: str | None = strawberry.field(default=None, description="Its Secret Number; not used up by this.")

    def pair(self) -> Pair:
        """The pair as it is checked."""
        return Pair(
            statement_number=self.statement_number or "",
            date_of_birth=verifying.written_date(self.date_of_birth or ""),
            id_number=self.id_number or "",
            secret_number=self.secret_number or "",
            version=self.version,
        )


@strawberry.input(description="One pair of numbers, and what for.")
class FindResultInput(PairInput):
    purpose: str = strawberry.field(description=PURPOSE)


@strawberry.input(description="A list of pairs of numbers, and what for.")
class VerifyResultsInput:
    pairs: list[PairInput] = strawberry.field(description=f"1 to {MOST_AT_ONCE} pairs, of either kind or both.")
    purpose: str = strawberry.field(description=PURPOSE)


async def _verified(info: Info, pairs: Sequence[Pair], purpose: str) -> list[Verification]:
    viewer = info.context.viewer
    return [Verification.of(one, viewer) for one in await verifying.verdicts(viewer, pairs, purpose)]


@strawberry.type
class VerifyingQuery:
    @strawberry.field(
        description="As a verifier who may look up, or by a key that does: find a result that was not shared, by "
        "the numbers that the candidate gave; a share that was withdrawn does not stand in the way. 10 wrong dates of "
        "birth in a row lock a statement number for a day; wrong Secret Numbers count as in `register`. "
        f"{LIMITS} By POST only: numbers do not belong into addresses.",
        directives=[COUNTED],
    )
    async def find_result(self, info: Info, input: Input[FindResultInput]) -> Verification | None:
        return (await _verified(info, [input.pair()], input.purpose))[0]

    @strawberry.field(
        description=f"The same for up to {MOST_AT_ONCE} at once: a verdict for each, in the order asked; a row that is "
        f"wrong spoils no other. {LIMITS} Every row counts; a list needs room for all its rows as if none matched.",
        directives=[BULK, list_of(MOST_AT_ONCE)],
    )
    async def verify_results(self, info: Info, input: Input[VerifyResultsInput]) -> list[Verification] | None:
        return await _verified(info, [one.pair() for one in input.pairs], input.purpose)
