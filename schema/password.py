"""Setting and changing passwords, but for what candidates alone do."""

from typing import Annotated

import strawberry

from engine.languages import told
from resolvers import password_links, passwords
from schema.arguments import Input
from schema.candidate import PasswordResetRequested
from schema.context import Info
from schema.costs import HASHING, HASHING_TWICE
from schema.refusals import (
    InvalidInput,
    LinkNotValid,
    LoginLocked,
    NotAllowed,
    NotLoggedIn,
    TooManyTries,
    WrongPassword,
)


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
    PasswordChanged | NotLoggedIn | NotAllowed | InvalidInput | WrongPassword | LoginLocked | TooManyTries,
    strawberry.union("ChangePasswordPayload", description="That it was changed, or why not."),
]


@strawberry.input(description="A password for a user of an institution's account, by a mailed link.")
class SetPasswordInput:
    token: str = strawberry.field(
        description="The token of the mailed link; valid once, for 7 days in an invitation, "
        "for 60 minutes after a forgotten password."
    )
    password: str = strawberry.field(description="8 to 127 characters with letters and at least 2 digits.")
    password_again: str = strawberry.field(description="The password once more.")


@strawberry.type(description="The password is set, and the user can log in with it; earlier sessions have ended.")
class PasswordSet:
    message: str = strawberry.field(description="What to do now, in the viewer's language, fit to be shown.")


SetPasswordPayload = Annotated[
    PasswordSet | InvalidInput | LinkNotValid,
    strawberry.union("SetPasswordPayload", description="That it was set, or why not."),
]


@strawberry.input(description="Which user of an institution's account forgot the password.")
class RequestVerifierPasswordResetInput:
    email: str = strawberry.field(description="E-mail address, in any case.")


RequestVerifierPasswordResetPayload = Annotated[
    PasswordResetRequested | TooManyTries,
    strawberry.union("RequestVerifierPasswordResetPayload", description="That it was asked, or why not."),
]


@strawberry.type
class PasswordMutation:
    @strawberry.mutation(
        description="As a user of an institution's account: set the first password, or one in place of a forgotten "
        "one, by a mailed link. The first user of an institution is its Primary User from then on.",
        directives=[HASHING],
    )
    async def set_password(self, info: Info, input: Input[SetPasswordInput]) -> SetPasswordPayload:
        await password_links.set_password(info.context.viewer, input.token, input.password, input.password_again)
        return PasswordSet(message=told("The password is set. Log in with it.", info.context.viewer.language))

    @strawberry.mutation(
        description="Have a link to set a new password mailed to the address of a user of an institution's account."
    )
    async def request_verifier_password_reset(
        self, info: Info, input: Input[RequestVerifierPasswordResetInput]
    ) -> RequestVerifierPasswordResetPayload:
        await password_links.request_reset(info.context.viewer, input.email)
        return PasswordResetRequested(
            message=told(
                "If this address belongs to an active account, a link valid for 60 minutes is on its way there.",
                info.context.viewer.language,
            )
        )

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
