"""Changing one's password, for everybody who can log in."""

from typing import Annotated

import strawberry

from engine.languages import told
from resolvers import passwords
from schema.arguments import Input
from schema.context import Info
from schema.costs import HASHING_TWICE
from schema.refusals import InvalidInput, LoginLocked, NotLoggedIn, TooManyTries, WrongPassword


@strawberry.input(description="A new password in place of the old one.")
class ChangePasswordInput:
    old_password: str = strawberry.field(description="The current password.")
    password: str = strawberry.field(
        description="The new password: 8 to 127 characters with letters and at least 2 digits."
    )
    password_again: str = strawberry.field(description="The new password once more.")


@strawberry.type(description="The password was changed, and the account's owner is told so by mail.")
class PasswordChanged:
    message: str = strawberry.field(description="What has happened, in the viewer's language, fit to be shown.")
    sessions_ended: int = strawberry.field(description="How many other sessions of the account this ended.")


ChangePasswordPayload = Annotated[
    PasswordChanged | NotLoggedIn | InvalidInput | WrongPassword | LoginLocked | TooManyTries,
    strawberry.union("ChangePasswordPayload", description="That it was changed, or why not."),
]


@strawberry.type
class PasswordMutation:
    @strawberry.mutation(
        description="As a candidate, verifier or staff: set a new password. Ends all other sessions of the account, "
        "and open links to reset the password or to confirm a new e-mail address. "
        "Wrong old passwords count as wrong tries to log in.",
        directives=[HASHING_TWICE],
    )
    async def change_password(self, info: Info, input: Input[ChangePasswordInput]) -> ChangePasswordPayload:
        viewer = info.context.viewer
        ended = await passwords.change(viewer, input.old_password, input.password, input.password_again)
        return PasswordChanged(
            message=told("The password is changed. All other sessions have ended.", info.context.viewer.language),
            sessions_ended=ended,
        )
