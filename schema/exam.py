"""Exams and their scales."""

from datetime import date
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any

import strawberry

from engine.database import Row
from resolvers import exams
from resolvers.sittings.bookings import SCALE_AT_HOME
from schema.context import Info
from schema.costs import list_of
from schema.ids import global_id, parts
from schema.node import Node
from schema.sittings.rules import SittingRules


@strawberry.enum(description="A skill with a score of its own.")
class Skill(Enum):
    READING = strawberry.enum_value("READING", description="Reading.")
    USE_OF_ENGLISH = strawberry.enum_value("USE_OF_ENGLISH", description="Use of English.")
    WRITING = strawberry.enum_value("WRITING", description="Writing.")
    LISTENING = strawberry.enum_value("LISTENING", description="Listening.")
    SPEAKING = strawberry.enum_value("SPEAKING", description="Speaking.")
    READING_AND_WRITING = strawberry.enum_value("READING_AND_WRITING", description="Reading and writing in one paper.")


@strawberry.input(description="The score for one skill.")
class SkillScoreInput:
    skill: Skill = strawberry.field(description="Which skill.")
    score: int = strawberry.field(description="The score, on the exam's scale for skills.")


@strawberry.enum(description="A scale of scores.")
class ScaleCode(Enum):
    CES = strawberry.enum_value("CES", description="80 to 230, for overall and skill scores.")
    STD100 = strawberry.enum_value("STD100", description="0 to 100, standardised, until 2016; no numbers for skills.")
    IBT120 = strawberry.enum_value("IBT120", description="0 to 120 in all, 0 to 30 per section.")
    GRADE_ONLY = strawberry.enum_value("GRADE_ONLY", description="A grade and no score.")


@strawberry.type(description="A scale and its limits, inclusive; null where the scale has no such score.")
class Scale:
    code: ScaleCode = strawberry.field(description="Which scale.")
    overall_min: int | None = strawberry.field(description="Lowest overall score.")
    overall_max: int | None = strawberry.field(description="Highest overall score.")
    skill_min: int | None = strawberry.field(description="Lowest score of one skill.")
    skill_max: int | None = strawberry.field(description="Highest score of one skill.")


@strawberry.federation.type(keys=["id", "code"], description="An exam that people are entered for.")
class Exam(Node):
    code: str = strawberry.field(description="Stable code, such as `C1_ADVANCED`.")
    title: str = strawberry.field(description="Name of the qualification. Never translated.")
    former_title: str | None = strawberry.field(description="Earlier name of the qualification.")
    scale: Scale = strawberry.field(description="The scale of its scores.")
    skills: list[Skill] = strawberry.field(description="Skills with a score of their own, in the order shown.")
    has_photo: bool = strawberry.field(description="Whether a test-day photo belongs to its results.")
    first_date: date = strawberry.field(description="First exam date, inclusive.")
    last_date: date | None = strawberry.field(description="Last exam date, inclusive; null while it is offered.")

    @strawberry.field(description="The rules of taking it at home, to be read before; null for other exams.")
    def rules_at_home(self, info: Info) -> SittingRules | None:
        is_at_home = self.scale.code is ScaleCode[SCALE_AT_HOME]
        return SittingRules.told_in(info.context.viewer.language) if is_at_home else None

    @classmethod
    def of(cls, row: Row) -> "Exam":
        """The exam of any row that holds the columns of exams."""
        return _exam(tuple(row["exam_skills"]), _facts(row))

    @classmethod
    async def resolve_reference(
        cls, info: Info, id: strawberry.ID | None = None, code: str | None = None
    ) -> "Exam | None":
        """The exam with this id or code; exams are public."""
        type_name, key = ("Exam", code) if id is None else parts(id)
        row = await info.context.loaders.exam.load(key or "") if type_name == "Exam" else None
        return None if row is None else cls.of(row)


FACTS = (
    "exam_code", "exam_title", "former_title", "exam_photo", "first_date", "last_date",
    "scale_code", "overall_min", "overall_max", "skill_min", "skill_max",
)  # fmt: skip
_facts = itemgetter(*FACTS)


@lru_cache(maxsize=200)
def _exam(skills: tuple[str, ...], facts: tuple[Any, ...]) -> Exam:
    """Few exams are in very many rows: while its facts are the same, so is the object."""
    row = dict(zip(FACTS, facts, strict=True))
    return Exam(
        id=global_id("Exam", row["exam_code"]),
        code=row["exam_code"],
        title=row["exam_title"],
        former_title=row["former_title"],
        scale=_scale(row),
        skills=[Skill[skill] for skill in skills],
        has_photo=row["exam_photo"],
        first_date=row["first_date"],
        last_date=row["last_date"],
    )


def _scale(row: Row) -> Scale:
    return Scale(
        code=ScaleCode[row["scale_code"]],
        overall_min=row["overall_min"],
        overall_max=row["overall_max"],
        skill_min=row["skill_min"],
        skill_max=row["skill_max"],
    )


@strawberry.type
class ExamQuery:
    @strawberry.field(description="All exams, by code. Public.", directives=[list_of(20)])
    async def exams(self) -> list[Exam]:
        return [Exam.of(row) for row in await exams.every()]

    @strawberry.field(description="The exam with this code, or null. Public.")
    async def exam(
        self, info: Info, code: Annotated[str, strawberry.argument(description="Its code, such as `C1_ADVANCED`.")]
    ) -> Exam | None:
        return await Exam.resolve_reference(info, code=code)
