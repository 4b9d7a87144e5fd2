"""Correcting results, the versions they had, and who was told (R11)."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import strawberry

from engine.database import Row
from models import result as rules
from models.viewer import Kind, Viewer
from resolvers import corrections
from schema import result
from schema.arguments import Input
from schema.context import Info
from schema.costs import list_of
from schema.exam import ScaleCode, Skill, SkillScoreInput
from schema.ids import key_of
from schema.institution import Institution
from schema.refusals import (
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    ResultChangedMeanwhile,
    ResultNotFound,
    StateForbids,
)

if TYPE_CHECKING:
    from schema.result import Outcome, Result, SkillScore

STAFF_ONLY = "Told to staff; null for all others."


@strawberry.enum(description="What ended a version of a result.")
class Change(Enum):
    AMENDED = strawberry.enum_value("AMENDED", description="Something in it was wrong, or was decided at last.")
    WITHHELD = strawberry.enum_value("WITHHELD", description="It was withheld after its release.")
    RELEASED_AGAIN = strawberry.enum_value("RELEASED_AGAIN", description="It was withheld, and is shown again.")
    REVOKED = strawberry.enum_value("REVOKED", description="It was revoked, for good.")


@strawberry.type(description="A version of a result that stands no more. What it said is told to staff alone.")
class ResultVersion:
    version: int = strawberry.field(description="Which one; the result itself has the number of the one that stands.")
    ended_by: Change = strawberry.field(description="What ended it.")
    ended_at: datetime = strawberry.field(description="Since when it is superseded, UTC.")
    reason: str | None = strawberry.field(description="Why, told to the candidate and to staff; null for all others.")
    outcome: Annotated["Outcome", strawberry.lazy("schema.result")] | None = strawberry.field(
        description=f"What came out then. {STAFF_ONLY}"
    )
    headline: str | None = strawberry.field(description=f"The headline then. {STAFF_ONLY}")
    grade: str | None = strawberry.field(description=f"The grade then. {STAFF_ONLY}")
    cefr: str | None = strawberry.field(description=f"The CEFR level then. {STAFF_ONLY}")
    overall_score: int | None = strawberry.field(description=f"The overall score then. {STAFF_ONLY}")
    skill_scores: list[Annotated["SkillScore", strawberry.lazy("schema.result")]] = strawberry.field(
        description="The scores per skill then. Told to staff; empty for all others.", directives=[list_of(5)]
    )
    certificate_number: str | None = strawberry.field(description=f"The number of the certificate then. {STAFF_ONLY}")

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "ResultVersion":
        """The version of any row that holds the columns of versions."""
        is_staff = viewer.kind is Kind.STAFF
        return cls(
            version=row["version"],
            ended_by=Change(row["ended_by"]),
            ended_at=row["ended_at"],
            reason=row["reason"] if viewer.kind in (Kind.CANDIDATE, Kind.STAFF) else None,
            outcome=result.Outcome[row["outcome"]] if is_staff else None,
            headline=row["headline"] if is_staff else None,
            grade=row["grade"] if is_staff else None,
            cefr=row["cefr"] if is_staff else None,
            overall_score=row["overall_score"] if is_staff else None,
            skill_scores=_skill_scores(row) if is_staff else [],
            certificate_number=row["certificate_number"] if is_staff else None,
        )


def _skill_scores(row: Row) -> list["SkillScore"]:
    """In the order of the exam, which JSON does not keep."""
    scores, scale = row["skill_scores"], ScaleCode[row["scale_code"]]
    return [
        result.SkillScore(skill=Skill[skill], score=scores[skill], scale=scale)
        for skill in row["exam_skills"]
        if skill in scores
    ]


@strawberry.type(description="That an institution which had read, downloaded or pulled a version was told of its end.")
class HolderNotice:
    institution: Institution = strawberry.field(description="Who was told.")
    version: int = strawberry.field(description="The version that they had.")
    change: Change = strawberry.field(description="What ended it.")
    told_at: datetime = strawberry.field(description="When, UTC.")

    @classmethod
    def of(cls, row: Row) -> "HolderNotice":
        """The notice of any row that holds its columns."""
        return cls(
            institution=Institution.of(row),
            version=row["version"],
            change=Change(row["change"]),
            told_at=row["told_at"],
        )


@strawberry.enum(description="An outcome without scores.")
class OutcomeWithoutAward(Enum):
    PENDING = strawberry.enum_value("PENDING", description="Not decided yet.")
    ABSENT_FROM_PART = strawberry.enum_value("ABSENT_FROM_PART", description="X: absent from part.")
    ABSENT_FROM_ALL = strawberry.enum_value("ABSENT_FROM_ALL", description="Z: absent from all.")


RESULT_ID = "The result."
EXPECTED = "The version that you have seen. If another one stands by now, nothing is changed."
REASON = f"Why; its candidate reads it. At most {corrections.LONGEST_REASON} characters."


@strawberry.input(
    description="Put other facts in the place of those that stand. Give all that is to stand, as for loading: "
    "headline, grade and level follow from the scores, by the bands of the exam."
)
class AmendResultInput:
    result_id: strawberry.ID = strawberry.field(description=RESULT_ID)
    expected_version: int = strawberry.field(description=EXPECTED)
    reason: str = strawberry.field(description=REASON)
    overall_score: int | None = strawberry.field(default=None, description="Overall score.")
    skill_scores: list[SkillScoreInput] = strawberry.field(
        default_factory=list, description="Scores of all skills, or none."
    )
    grade: str | None = strawberry.field(default=None, description="The grade, where the exam is graded in words.")
    outcome: OutcomeWithoutAward | None = strawberry.field(
        default=None, description="In place of scores and grade, if there are none."
    )
    certificate_number: str | None = strawberry.field(
        default=None, description="Number of a new certificate; null: it keeps the one that it has, or gets one."
    )


@strawberry.input(description="Withhold a result that was released: it is shown as withheld, without its award.")
class WithholdResultInput:
    result_id: strawberry.ID = strawberry.field(description=RESULT_ID)
    expected_version: int = strawberry.field(description=EXPECTED)
    reason: str = strawberry.field(description=REASON)


@strawberry.input(description="Show again what was withheld after its release.")
class ReleaseResultAgainInput:
    result_id: strawberry.ID = strawberry.field(description=RESULT_ID)
    expected_version: int = strawberry.field(description=EXPECTED)
    reason: str = strawberry.field(description=REASON)


@strawberry.input(description="Revoke a result that was released, for good.")
class RevokeResultInput:
    result_id: strawberry.ID = strawberry.field(description=RESULT_ID)
    expected_version: int = strawberry.field(description=EXPECTED)
    reason: str = strawberry.field(description=REASON)


@strawberry.type(description="The result as it stands now, and who was told that the version before does not.")
class ResultCorrected:
    result: Annotated["Result", strawberry.lazy("schema.result")] = strawberry.field(description="The result.")
    told: list[HolderNotice] = strawberry.field(
        description="Every institution that held the version before.", directives=[list_of(20)]
    )


WHY_NOT = "The corrected result, or why nothing was changed."
AmendResultPayload = Annotated[
    ResultCorrected | NotLoggedIn | NotAllowed | InvalidInput | ResultNotFound | ResultChangedMeanwhile | StateForbids,
    strawberry.union("AmendResultPayload", description=WHY_NOT),
]
WithholdResultPayload = Annotated[
    ResultCorrected | NotLoggedIn | NotAllowed | InvalidInput | ResultNotFound | ResultChangedMeanwhile | StateForbids,
    strawberry.union("WithholdResultPayload", description=WHY_NOT),
]
ReleaseResultAgainPayload = Annotated[
    ResultCorrected | NotLoggedIn | NotAllowed | InvalidInput | ResultNotFound | ResultChangedMeanwhile | StateForbids,
    strawberry.union("ReleaseResultAgainPayload", description=WHY_NOT),
]
RevokeResultPayload = Annotated[
    ResultCorrected | NotLoggedIn | NotAllowed | InvalidInput | ResultNotFound | ResultChangedMeanwhile | StateForbids,
    strawberry.union("RevokeResultPayload", description=WHY_NOT),
]


@strawberry.type
class CorrectionMutation:
    @strawberry.mutation(
        description="Amend a released result, for the board's staff. Everybody who holds the old version is told."
    )
    async def amend_result(self, info: Info, input: Input[AmendResultInput]) -> AmendResultPayload:
        done = await corrections.amend(info.context.viewer, _order(input), _facts(input))
        return _corrected(done, info.context.viewer)

    @strawberry.mutation(
        description="Withhold a released result, for the board's staff. Everybody who holds it is told."
    )
    async def withhold_result(self, info: Info, input: Input[WithholdResultInput]) -> WithholdResultPayload:
        return _corrected(await corrections.withhold(info.context.viewer, _order(input)), info.context.viewer)

    @strawberry.mutation(
        description="Release a withheld result again, for the board's staff. Everybody who saw it withheld is told."
    )
    async def release_result_again(
        self, info: Info, input: Input[ReleaseResultAgainInput]
    ) -> ReleaseResultAgainPayload:
        return _corrected(await corrections.release_again(info.context.viewer, _order(input)), info.context.viewer)

    @strawberry.mutation(
        description="Revoke a released result for good, for the board's staff. Everybody who holds it is told."
    )
    async def revoke_result(self, info: Info, input: Input[RevokeResultInput]) -> RevokeResultPayload:
        return _corrected(await corrections.revoke(info.context.viewer, _order(input)), info.context.viewer)


def _order(
    input: AmendResultInput | WithholdResultInput | ReleaseResultAgainInput | RevokeResultInput,
) -> corrections.Order:
    # an id of another kind names nothing, as a fresh key does
    key = key_of(input.result_id, "Result") or uuid4()
    return corrections.Order(key, input.expected_version, input.reason)


def _facts(input: AmendResultInput) -> corrections.Facts:
    return corrections.Facts(
        outcome=rules.Outcome(input.outcome.value) if input.outcome else None,
        overall_score=input.overall_score,
        skill_scores={str(one.skill.value): one.score for one in input.skill_scores},
        grade=input.grade,
        certificate_number=input.certificate_number,
    )


def _corrected(done: corrections.Corrected, viewer: Viewer) -> ResultCorrected:
    return ResultCorrected(
        result=result.Result.of(done.result, viewer), told=[HolderNotice.of(row) for row in done.told]
    )
