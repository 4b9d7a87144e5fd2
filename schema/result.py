"""Results and skill scores (R4-R6, R10, R12)."""

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from models import result as rules
from models.grades import has_certificates, shown_score
from models.scope import Scope
from models.viewer import Kind, Viewer
from resolvers import photos, statements
from schema import candidate, correction, share
from schema.arguments import Id, Language, language_for
from schema.context import Info
from schema.costs import PAGE, list_of
from schema.entry import Centre
from schema.exam import Exam, ScaleCode, Skill
from schema.file import FileLink
from schema.ids import global_id, key_of
from schema.node import Node
from schema.notices import Notice, notices_for
from schema.pages import After, First, place

if TYPE_CHECKING:
    from schema.candidate import Candidate
    from schema.correction import HolderNotice, ResultVersion
    from schema.share import ShareConnection


@strawberry.enum(description="Where a result stands now.")
class ResultStatus(Enum):
    LOADED = strawberry.enum_value("LOADED", description="Loaded, not released; seen by staff only.")
    PENDING = strawberry.enum_value("PENDING", description="Not decided yet.")
    RELEASED = strawberry.enum_value("RELEASED", description="Released; the only ones that can be sent.")
    WITHHELD = strawberry.enum_value("WITHHELD", description="Withheld: the candidate should contact the centre.")
    REVOKED = strawberry.enum_value("REVOKED", description="Revoked: it does not hold any more.")


@strawberry.enum(description="What came out of the exam.")
class Outcome(Enum):
    GRADE = strawberry.enum_value("GRADE", description="A grade was reached.")
    LEVEL = strawberry.enum_value("LEVEL", description="The grade was missed, but the CEFR level below was reached.")
    FAIL = strawberry.enum_value("FAIL", description="Neither a grade nor the level below was reached.")
    PENDING = strawberry.enum_value("PENDING", description="Not decided yet. No skill profile.")
    WITHHELD = strawberry.enum_value("WITHHELD", description="Withheld. No skill profile.")
    ABSENT_FROM_PART = strawberry.enum_value("ABSENT_FROM_PART", description="X: absent from part. No skill profile.")
    ABSENT_FROM_ALL = strawberry.enum_value("ABSENT_FROM_ALL", description="Z: absent from all. No skill profile.")


@strawberry.type(description="The score for one skill of a result.")
class SkillScore:
    skill: Skill = strawberry.field(description="Which skill.")
    score: int = strawberry.field(description="The score, a whole number on `scale`.")
    scale: ScaleCode = strawberry.field(description="The scale that the score is on.")


@strawberry.federation.type(
    keys=["id", "statementNumber"],
    description="What the board awarded for one entry. Seen, once released, by its candidate and by verifiers of "
    "institutions that hold a live share; by staff always.",
)
class Result(Node):
    qualification: str = strawberry.field(
        description="Name of the qualification, such as `C1 Advanced`. Never translated."
    )
    statement_number: str = strawberry.field(description="Number of the Statement of Results.")
    certificate_number: str | None = strawberry.field(description="Number of the certificate, where there is one.")
    status: ResultStatus = strawberry.field(description="Where it stands now.")
    outcome: Outcome | None = strawberry.field(description="What came out; null where it is revoked.")
    headline: str | None = strawberry.field(
        description="The grade, or `Council of Europe Level …`, in the words in force in that session."
    )
    grade: str | None = strawberry.field(description="Grade as awarded; not the same as the CEFR level.")
    cefr: str | None = strawberry.field(description="CEFR level as awarded, A1 to C2.")
    overall_score: int | None = strawberry.field(description="Overall score, a whole number on `scale`.")
    overall_score_shown: str | None = strawberry.field(
        description="Overall score with its scale: `85/100`, `95/120`, or `168` on the 80 to 230 scale."
    )
    scale: ScaleCode = strawberry.field(description="The scale of its scores.")
    skill_scores: list[SkillScore] | None = strawberry.field(
        description="Scores per skill, in the order shown; often empty. Null for an institution where the candidate "
        "left them out: `includes { skills }` of its share is false then.",
        directives=[list_of(5)],
    )
    exam: Exam = strawberry.field(description="The exam.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    centre: Centre = strawberry.field(description="The exam centre.")
    version: int = strawberry.field(description="1, and one more for every correction.")
    released_at: datetime | None = strawberry.field(description="Moment of release, UTC.")
    key: strawberry.Private[UUID]
    candidate_key: strawberry.Private[UUID]
    row: strawberry.Private[Row]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "Result":
        """The result of any row that holds the columns of results."""
        viewer.saw(row["candidate_id"], row["result_id"], row["version"])
        stands = rules.standing(row, viewer.at)
        awarded = stands.has_award
        scale, score = row["scale_code"], row["overall_score"] if awarded else None
        return cls(
            id=global_id("Result", row["result_id"]),
            qualification=row["exam_title"],
            statement_number=row["statement_number"],
            certificate_number=row["certificate_number"] if awarded else None,
            status=ResultStatus[stands.status.name],
            outcome=Outcome[stands.outcome.name] if stands.outcome else None,
            headline=row["headline"] if awarded else None,
            grade=row["grade"] if awarded else None,
            cefr=row["cefr"] if awarded else None,
            overall_score=score,
            overall_score_shown=None if score is None else shown_score(score, scale),
            scale=ScaleCode[scale],
            skill_scores=_skill_scores(row, awarded) if _shows_skills(row, viewer) else None,
            exam=Exam.of(row),
            exam_date=row["exam_date"],
            centre=Centre.of(row),
            version=row["version"],
            released_at=row["released_at"],
            key=row["result_id"],
            candidate_key=row["candidate_id"],
            row=row,
        )

    @classmethod
    async def resolve_reference(
        cls, info: Info, id: strawberry.ID | None = None, statement_number: str | None = None
    ) -> "Result | None":
        """The result with this id or statement number, if the viewer may see it."""
        if id is None:
            row = await info.context.loaders.result_by_number.load(statement_number or "")
        else:
            key = key_of(id, "Result")
            row = await info.context.loaders.result.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(
        description="The Statement of Results, a signed PDF, as long as the result is released. Null for an "
        "institution whose share leaves out skill scores or downloads."
    )
    def statement(self, info: Info, language: Language = None) -> FileLink | None:
        viewer = info.context.viewer
        link = statements.link(viewer, self.row, language_for(viewer, language))
        return None if link is None else FileLink.of(link)

    @strawberry.field(
        description="The test-day photo, a JPEG, for exams with `hasPhoto`. Null where there is none yet, for an "
        "institution whose share leaves it out, and for a centre's staff."
    )
    async def photo(self, info: Info) -> FileLink | None:
        photo_id = await info.context.loaders.photo_of_result.load(self.key)
        link = photos.link(info.context.viewer, photo_id)
        return None if link is None else FileLink.of(link)

    @strawberry.field(
        description="Address of LinkedIn's form with this award filled in; for the candidate, where a grade or a level "
        "was awarded. It carries the address of the public check page."
    )
    def linked_in_url(self, info: Info) -> str | None:
        return statements.linkedin_url(info.context.viewer, self.row)

    @strawberry.field(description="What to know about this result, in the language asked for.")
    def notices(self, info: Info, language: Language = None) -> list[Notice]:
        outcome = str(self.outcome.value) if self.outcome else "REVOKED"
        return notices_for(
            outcome, has_certificates(str(self.scale.value)), language_for(info.context.viewer, language)
        )

    @strawberry.field(
        description="Its versions that stand no more, the last one first; before its release there are none for others "
        "than staff.",
        directives=[list_of(2)],
    )
    async def versions(self, info: Info) -> list[Annotated["ResultVersion", strawberry.lazy("schema.correction")]]:
        rows = await info.context.loaders.versions_of.load(self.key)
        return [correction.ResultVersion.of(row, info.context.viewer) for row in rows or ()]

    @strawberry.field(
        description="Who was told that a version stands no more, latest first. An institution sees itself alone.",
        directives=[list_of(10)],
    )
    async def told(self, info: Info) -> list[Annotated["HolderNotice", strawberry.lazy("schema.correction")]]:
        rows = await info.context.loaders.notices_of.load(self.key)
        return [correction.HolderNotice.of(row) for row in rows or ()]

    @strawberry.field(description="The candidate, if the viewer may see them.")
    async def candidate(self, info: Info) -> Annotated["Candidate", strawberry.lazy("schema.candidate")] | None:
        row = await info.context.loaders.candidate.load(self.candidate_key)
        return None if row is None else candidate.Candidate.of(row, info.context.viewer)

    @strawberry.field(
        description='"Shared with": shares of this result that the viewer may see, newest first.', directives=[PAGE]
    )
    async def shares(
        self, info: Info, first: First = 50, after: After = None
    ) -> Annotated["ShareConnection", strawberry.lazy("schema.share")]:
        page = await info.context.loaders.shares_of_result.load((self.key, place(first, after)))
        return share.ShareConnection.of(page, info.context.viewer)


def _shows_skills(row: Row, viewer: Viewer) -> bool:
    """Whether the viewer may see skill scores: an institution, as far as its live share goes (S9), and its key."""
    if viewer.kind not in (Kind.VERIFIER, Kind.KEY):
        return True
    return viewer.may(Scope.READ_SKILLS) and bool(row["includes_skills"])


def _skill_scores(row: Row, awarded: bool) -> list[SkillScore]:
    if not awarded:
        return []
    scale = ScaleCode[row["scale_code"]]
    return [SkillScore(skill=Skill[skill], score=score, scale=scale) for skill, score in row["skill_scores"] or ()]


@strawberry.type
class ResultQuery:
    @strawberry.field(description="The result with this id, or null if the viewer may not see it.")
    async def result(self, info: Info, id: Id) -> Result | None:
        return await Result.resolve_reference(info, id=id)
