"""Loading results."""

from collections import defaultdict
from datetime import date
from typing import Annotated

import strawberry

from models.scores import SKILL_COLUMNS
from resolvers import loading
from resolvers.rows import MOST_IN_AN_ORDER
from schema.arguments import Input
from schema.context import Info
from schema.costs import BULK, list_of
from schema.entering import RowProblem, given_rows, problems_of
from schema.exam import SkillScoreInput
from schema.refusals import InvalidInput, NotAllowed, NotLoggedIn
from schema.result import Outcome


@strawberry.input(
    description="A result. What is left out is derived: outcome, grade and CEFR level from the bands in force in that "
    "session, and the numbers are made. What is given is compared with that."
)
class ResultRow:
    centre: str = strawberry.field(description="Number of the exam centre.")
    exam_code: str = strawberry.field(description="Code of the exam, such as `C1_ADVANCED`.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    candidate_number: str = strawberry.field(description="Number within centre and session.")
    outcome: Outcome | None = strawberry.field(
        default=None,
        description="Needed where there is no score: pending, withheld, absent, or a fail below all scores.",
    )
    overall_score: int | None = strawberry.field(default=None, description="Overall score, where the exam has scores.")
    skill_scores: list[SkillScoreInput] = strawberry.field(
        default_factory=list, description="One for each skill of the exam, or none."
    )
    grade: str | None = strawberry.field(default=None, description="Grade; needed where the exam has no scores.")
    cefr: str | None = strawberry.field(default=None, description="CEFR level, A1 to C2.")
    statement_number: str | None = strawberry.field(default=None, description="Number of the Statement of Results.")
    certificate_number: str | None = strawberry.field(default=None, description="Number of the certificate.")

    def _scores(self) -> dict[str, list[str]]:
        """The scores of each skill; of one that is given twice, both are told to be no number."""
        scores: dict[str, list[str]] = defaultdict(list)
        for one in self.skill_scores:
            scores[one.skill.name].append(str(one.score))
        return scores

    def texts(self) -> dict[str, object]:
        """The row by the columns of a file."""
        return {
            "centre": self.centre,
            "examCode": self.exam_code,
            "examDate": self.exam_date,
            "candidateNumber": self.candidate_number,
            "outcome": self.outcome and self.outcome.name,
            "overallScore": self.overall_score,
            **{SKILL_COLUMNS[skill]: " and ".join(scores) for skill, scores in self._scores().items()},
            "grade": self.grade,
            "cefr": self.cefr,
            "statementNumber": self.statement_number,
            "certificateNumber": self.certificate_number,
        }


@strawberry.input(description="Load results.")
class LoadResultsInput:
    rows: list[ResultRow] = strawberry.field(description=f"The results, 1 to {MOST_IN_AN_ORDER}.")
    replaces: bool = strawberry.field(
        default=False, description="Put these in the place of other results that are loaded and not yet released."
    )


@strawberry.type(description="What became of the rows. To send the same rows once more changes nothing.")
class ResultsLoaded:
    loaded: int = strawberry.field(description="How many rows were new.")
    replaced: int = strawberry.field(description="How many took the place of another result.")
    already_there: int = strawberry.field(description="How many were loaded before, with the same values.")
    problems: list[RowProblem] = strawberry.field(
        description="What is wrong with the rows that were not taken.", directives=[list_of(50)]
    )


LoadResultsPayload = Annotated[
    ResultsLoaded | NotLoggedIn | NotAllowed | InvalidInput,
    strawberry.union("LoadResultsPayload", description="What became of the rows, or why none was looked at."),
]


@strawberry.type
class LoadingMutation:
    @strawberry.mutation(
        description="Load results; for the board's staff. Rows that cannot be taken are told one by one, the others "
        "are kept. They are seen once their session is released; what is released is changed by amending it.",
        directives=[BULK],
    )
    async def load_results(self, info: Info, input: Input[LoadResultsInput]) -> LoadResultsPayload:
        rows = given_rows([row.texts() for row in input.rows])
        done = [one async for one in loading.load(info.context.viewer, rows, input.replaces, info.context.clock)]
        return ResultsLoaded(
            loaded=sum(one.new for one in done),
            replaced=sum(one.replaced for one in done),
            already_there=sum(one.there for one in done),
            problems=problems_of([bad for one in done for bad in one.bad]),
        )
