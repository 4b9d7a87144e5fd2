"""Entering candidates, and Confirmations of Entry."""

from datetime import date
from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from errors import InvalidInput as Invalid
from errors import Problem
from models.base import required
from resolvers import entering
from resolvers.rows import MOST_IN_AN_ORDER, Bad, Given
from schema.arguments import Input
from schema.context import Info
from schema.costs import BULK, list_of
from schema.entry import Entry
from schema.ids import key_of
from schema.refusals import EntryClaimed, EntryNotFound, InvalidInput, NotAllowed, NotLoggedIn


@strawberry.type(description="What is wrong with one row; the good rows of the same order are not lost.")
class RowProblem:
    row: int = strawberry.field(description="Which row, from 1.")
    column: str | None = strawberry.field(description="The field at fault, such as `examDate`; null for the whole row.")
    reason: str = strawberry.field(description="What is wrong with it, in English.")


def problems_of(bad: list[Bad]) -> list[RowProblem]:
    """Every fault of every row that was not taken."""
    return [RowProblem(row=one.line, column=one.column or None, reason=one.reason) for row in bad for one in row.faults]


def given_rows(rows: list[dict[str, object]]) -> list[Given]:
    """The rows of an order as those of a file. Raises InvalidInput when there are too many, or none."""
    if not 1 <= len(rows) <= MOST_IN_AN_ORDER:
        raise Invalid([Problem("rows", f"Give 1 to {MOST_IN_AN_ORDER} rows at a time.")])
    return [
        Given(number, {column: str(value) for column, value in row.items() if value is not None})
        for number, row in enumerate(rows, start=1)
    ]


@strawberry.input(description="A candidate to be entered. What is written here cannot be changed by the candidate.")
class CandidateRow:
    centre: str = strawberry.field(description="Number of the exam centre; a centre's staff give their own.")
    exam_code: str = strawberry.field(description="Code of the exam, such as `C1_ADVANCED`.")
    exam_date: date = strawberry.field(description="Date of the exam.")
    candidate_number: str = strawberry.field(
        description="Number within centre and session, up to 10 digits and letters."
    )
    family_name: str = strawberry.field(description="Family name in Latin letters.")
    given_name: str = strawberry.field(default="", description="Given name in Latin letters; may be empty.")
    native_name: str | None = strawberry.field(default=None, description="Whole name in the person's own script.")
    date_of_birth: date = strawberry.field(description="Date of birth.")
    results_by: date | None = strawberry.field(
        default=None, description="The date by which results are out; six weeks after the exam if left out."
    )

    def texts(self) -> dict[str, object]:
        """The row by the columns of a file."""
        return {
            "centre": self.centre,
            "examCode": self.exam_code,
            "examDate": self.exam_date,
            "candidateNumber": self.candidate_number,
            "familyName": self.family_name,
            "givenName": self.given_name,
            "nativeName": self.native_name,
            "dateOfBirth": self.date_of_birth,
            "resultsBy": self.results_by,
        }


@strawberry.input(description="Enter candidates.")
class EnterCandidatesInput:
    rows: list[CandidateRow] = strawberry.field(description=f"The candidates, 1 to {MOST_IN_AN_ORDER}.")


@strawberry.type(
    description="What a Confirmation of Entry tells its candidate. The Secret Number is shown in this answer and never "
    "again: only a re-issue makes a new one."
)
class Confirmation:
    id_number: str = strawberry.field(description="ID Number, such as `KDM123456`.")
    secret_number: str = strawberry.field(description="Secret Number, 4 digits; claims the entry, once.")
    issue: int = strawberry.field(description="1, and one more for each re-issue.")
    entry: Entry = strawberry.field(description="The entry.")


@strawberry.type(description="What became of the rows. To send the same rows once more changes nothing.")
class CandidatesEntered:
    confirmations: list[Confirmation] = strawberry.field(
        description="Of the rows that were new, in the order of the rows.", directives=[list_of(50)]
    )
    already_there: int = strawberry.field(description="How many rows were entered before, with the same values.")
    problems: list[RowProblem] = strawberry.field(
        description="What is wrong with the rows that were not taken.", directives=[list_of(50)]
    )


EnterCandidatesPayload = Annotated[
    CandidatesEntered | NotLoggedIn | NotAllowed | InvalidInput,
    strawberry.union("EnterCandidatesPayload", description="What became of the rows, or why none was looked at."),
]


@strawberry.input(description="Which Confirmation of Entry was lost.")
class ReissueConfirmationInput:
    entry_id: strawberry.ID = strawberry.field(description="The entry.")


@strawberry.type(description="A new Confirmation of Entry; the Secret Number of the old one has ended.")
class ConfirmationReissued:
    confirmation: Confirmation = strawberry.field(description="The new one; its ID Number is the old one.")


ReissueConfirmationPayload = Annotated[
    ConfirmationReissued | NotLoggedIn | NotAllowed | EntryNotFound | EntryClaimed,
    strawberry.union("ReissueConfirmationPayload", description="The new confirmation, or why there is none."),
]


@strawberry.type
class EnteringMutation:
    @strawberry.mutation(
        description="Enter candidates; the board's staff for every centre, a centre's for their own. Rows that cannot "
        "be taken are told one by one, the others are kept.",
        directives=[BULK],
    )
    async def enter_candidates(self, info: Info, input: Input[EnterCandidatesInput]) -> EnterCandidatesPayload:
        rows = given_rows([row.texts() for row in input.rows])
        done = [one async for one in entering.enter(info.context.viewer, rows)]
        return CandidatesEntered(
            confirmations=await _confirmations(info, [new for one in done for new in one.new]),
            already_there=sum(one.there for one in done),
            problems=problems_of([bad for one in done for bad in one.bad]),
        )

    @strawberry.mutation(
        description="Issue a lost Confirmation of Entry anew, with a new Secret Number. Opens registration again where "
        "too many wrong Secret Numbers have closed it. Not for entries that are claimed."
    )
    async def reissue_confirmation(
        self, info: Info, input: Input[ReissueConfirmationInput]
    ) -> ReissueConfirmationPayload:
        key: UUID = key_of(input.entry_id, "Entry") or uuid4()  # a fresh key names nothing
        done = await entering.reissue(info.context.viewer, key)
        return ConfirmationReissued(confirmation=(await _confirmations(info, [done]))[0])


async def _confirmations(info: Info, made: list[entering.Confirmation]) -> list[Confirmation]:
    rows = await info.context.loaders.entry.load_many([one.entry_id for one in made])
    return [
        Confirmation(
            id_number=one.id_number,
            secret_number=one.secret_number,
            issue=one.issue,
            entry=Entry.of(required(row), info.context.viewer),
        )
        for one, row in zip(made, rows, strict=True)
    ]
