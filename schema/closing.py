"""Closing one's account."""

from datetime import datetime
from typing import Annotated

import strawberry

from engine.languages import told
from errors import Sentence
from models.viewer import Kind, Viewer
from resolvers import closing
from schema.arguments import Input
from schema.context import Info, NewCookie
from schema.costs import HASHING
from schema.refusals import (
    InvalidInput,
    LoginLocked,
    NotAllowed,
    NotLoggedIn,
    TooManyTries,
    WrongPassword,
)

STAYS = Sentence.of(
    "Your account is closed. Your e-mail address, password, sessions and photos are erased, and what you sent is "
    "withdrawn; copies that were downloaded before stay with those who have them. Your names, date of birth, statement "
    "numbers and results stay: they are the board's record of what was awarded, and whoever was given a statement must "
    "be able to check it. To open the account again, ask your exam centre for a new Secret Number."
)


@strawberry.input(description="Close the account for good.")
class CloseMyAccountInput:
    password: str = strawberry.field(description="The current password.")
    confirm: bool = strawberry.field(description="That the account is to be closed; must be true.")


@strawberry.type(
    description="The account is closed: nobody logs in to it. E-mail address, password, sessions, mails and photos are "
    "erased and shares withdrawn. Names, date of birth, statement numbers and results stay. A last mail confirms it. "
    "Its ID Numbers stay claimed until the exam centre issues a new Secret Number."
)
class MyAccountClosed:
    message: str = strawberry.field(
        description="What was erased, what stays, and why, in the viewer's language, fit to be shown."
    )
    closed_at: datetime = strawberry.field(description="Since when, UTC.")
    shares_withdrawn: int = strawberry.field(description="How many shares this withdrew.")


CloseMyAccountPayload = Annotated[
    MyAccountClosed | NotLoggedIn | NotAllowed | InvalidInput | WrongPassword | LoginLocked | TooManyTries,
    strawberry.union("CloseMyAccountPayload", description="That it is closed, or why not."),
]


@strawberry.type
class ClosingMutation:
    @strawberry.mutation(
        description="As a candidate: close one's account. Wrong passwords count as wrong tries to log in.",
        directives=[HASHING],
    )
    async def close_my_account(self, info: Info, input: Input[CloseMyAccountInput]) -> CloseMyAccountPayload:
        viewer = info.context.viewer
        closed = await closing.close(viewer, input.password, input.confirm)
        info.context.cookie = NewCookie("", viewer.at)
        info.context.become(Viewer(Kind.ANONYMOUS, viewer.at, viewer.address, language=viewer.language))
        return MyAccountClosed(
            message=told(STAYS, viewer.language),
            closed_at=closed.closed_at,
            shares_withdrawn=closed.shares_withdrawn,
        )
