"""What the board's staff order about sittings: scores, and answers to appeals (H8, H9)."""

from typing import Annotated

import strawberry

from models.sittings.proctoring import AppealOutcome as Outcome
from resolvers.sittings import appeals, official_scores, scores
from schema.arguments import Input
from schema.context import Info
from schema.exam import SkillScoreInput
from schema.pages import bad_input
from schema.refusals import AlreadyDecided, InvalidInput, NotAllowed, NotLoggedIn, SittingNotFound
from schema.sittings.answers import SittingChanged, SittingTextPayload, changed, sitting_key
from schema.sittings.inputs import SittingInput, SittingTextInput
from schema.sittings.parts import AppealOutcome


@strawberry.input(description="Official scores.")
class RecordOfficialScoresInput(SittingInput):
    overall_score: int = strawberry.field(description="Of the whole exam.")
    skill_scores: list[SkillScoreInput] = strawberry.field(description="Of each skill.")


@strawberry.input(description="Unofficial scores of finished sections.")
class RecordUnofficialScoresInput(SittingInput):
    skill_scores: list[SkillScoreInput] = strawberry.field(description="Of Reading and Listening.")


@strawberry.input(description="The answer to an appeal.")
class AnswerAppealInput(SittingTextInput):
    outcome: AppealOutcome = strawberry.field(description="What comes of it.")


def _by_skill(given: list[SkillScoreInput]) -> dict[str, int]:
    scores = {one.skill.name: one.score for one in given}
    if len(scores) < len(given):
        raise bad_input("`skillScores` gives one score of each skill.")
    return scores


AnswerAppealPayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | AlreadyDecided | InvalidInput,
    strawberry.union("AnswerAppealPayload", description="The sitting, or why it was not answered."),
]


@strawberry.type
class SittingBoardMutation:
    @strawberry.mutation(description="Record what the test made of Reading and Listening, as the board's staff.")
    async def record_unofficial_scores(
        self, info: Info, input: Input[RecordUnofficialScoresInput]
    ) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        await scores.record_unofficial(info.context.viewer, key, _by_skill(input.skill_scores))
        return await changed(info, key)

    @strawberry.mutation(description="Record the official scores of a reported sitting: its result is released.")
    async def record_official_scores(self, info: Info, input: Input[RecordOfficialScoresInput]) -> SittingTextPayload:
        key = sitting_key(input.sitting_id)
        by_skill = _by_skill(input.skill_scores)
        await official_scores.record(info.context.viewer, key, input.overall_score, by_skill)
        return await changed(info, key)

    @strawberry.mutation(description="Answer an appeal, as the board's staff.")
    async def answer_appeal(self, info: Info, input: Input[AnswerAppealInput]) -> AnswerAppealPayload:
        key = sitting_key(input.sitting_id)
        await appeals.answer(info.context.viewer, key, Outcome(input.outcome.value), input.text)
        return await changed(info, key)
