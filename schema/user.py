"""How the Primary User keeps the users of an institution's account."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from engine.languages import told
from models import verifier as rows
from models.base import required
from resolvers import join_requests, users
from schema.arguments import Input
from schema.context import Info
from schema.costs import HASHING
from schema.ids import key_of
from schema.node import LANGUAGE_DESCRIPTION
from schema.refusals import (
    AlreadyDecided,
    InvalidInput,
    JoinRequestNotFound,
    LoginLocked,
    NotAllowed,
    NotLoggedIn,
    PrimaryStays,
    PrimaryStillAsked,
    TooManyTries,
    UserNotFound,
    UserStateForbids,
    WrongPassword,
)
from schema.verifier import VerifierRole, VerifierUser


@strawberry.input(description="Somebody who is to be a user of the viewer's institution's account.")
class AddUserInput:
    name: str = strawberry.field(description="Name.")
    email: str = strawberry.field(description="E-mail address, the log-in name; the link to set a password goes there.")
    role: VerifierRole = strawberry.field(default=VerifierRole.OFFICER, description="What the user may do.")
    language: str = strawberry.field(default="en", description=f"Language of letters, {LANGUAGE_DESCRIPTION}")


@strawberry.type(description="The user is there, and is mailed a link to set a password, valid 7 days.")
class UserAdded:
    user: VerifierUser = strawberry.field(description="The new user.")


AddUserPayload = Annotated[
    UserAdded | NotLoggedIn | NotAllowed | InvalidInput | TooManyTries,
    strawberry.union("AddUserPayload", description="The new user, or why there is none."),
]


@strawberry.input(description="What is to be changed of a user; whatever is left out or null stays as it is.")
class ChangeUserInput:
    id: strawberry.ID = strawberry.field(description="The user. Only the Primary User changes others.")
    name: str | None = strawberry.field(default=None, description="Another name.")
    email: str | None = strawberry.field(
        default=None,
        description="Another e-mail address, which counts at once. The old one is told; somebody who has set no "
        "password yet is invited anew.",
    )
    role: VerifierRole | None = strawberry.field(default=None, description="What the user may do.")
    language: str | None = strawberry.field(
        default=None,
        description=f"Language of letters, {LANGUAGE_DESCRIPTION} Every user may choose it for themselves.",
    )
    is_active: bool | None = strawberry.field(
        default=None,
        description="False deactivates: the user cannot log in, and sessions and streams end at once. True takes that "
        "back; somebody who has set no password yet is invited anew.",
    )
    password: str | None = strawberry.field(
        default=None, description="The viewer's own password; needed for another e-mail address of their own."
    )


@strawberry.type(description="The user was changed.")
class UserChanged:
    user: VerifierUser = strawberry.field(description="The user as they are now.")


ChangeUserPayload = Annotated[
    UserChanged
    | NotLoggedIn
    | NotAllowed
    | UserNotFound
    | InvalidInput
    | PrimaryStays
    | WrongPassword
    | LoginLocked
    | TooManyTries,
    strawberry.union("ChangeUserPayload", description="The user as they are now, or why they stay."),
]


@strawberry.input(description="A user of the viewer's institution's account.")
class RemoveUserInput:
    id: strawberry.ID = strawberry.field(description="The user.")


@strawberry.type(description="The user was removed for good; sessions and streams have ended. History keeps the name.")
class UserRemoved:
    message: str = strawberry.field(description="What has happened, in the viewer's language, fit to be shown.")


RemoveUserPayload = Annotated[
    UserRemoved | NotLoggedIn | NotAllowed | UserNotFound | PrimaryStays,
    strawberry.union("RemoveUserPayload", description="That the user was removed, or why not."),
]


@strawberry.input(description="A user who has set no password yet.")
class ResendInvitationInput:
    id: strawberry.ID = strawberry.field(description="The user.")


@strawberry.type(description="A fresh link to set a password is on its way, valid 7 days; the old one has ended.")
class InvitationResent:
    user: VerifierUser = strawberry.field(description="The user.")


ResendInvitationPayload = Annotated[
    InvitationResent | NotLoggedIn | NotAllowed | UserNotFound | UserStateForbids | TooManyTries,
    strawberry.union("ResendInvitationPayload", description="That it was sent, or why not."),
]


@strawberry.input(description="Who is to be the Primary User.")
class HandOverPrimaryInput:
    user_id: strawberry.ID = strawberry.field(description="An active user of the viewer's institution's account.")


@strawberry.type(description="Somebody else is the Primary User now; both are told by mail.")
class PrimaryHandedOver:
    user: VerifierUser = strawberry.field(description="The Primary User from now on.")


HandOverPrimaryPayload = Annotated[
    PrimaryHandedOver | NotLoggedIn | NotAllowed | UserNotFound | UserStateForbids,
    strawberry.union("HandOverPrimaryPayload", description="The new Primary User, or why nothing was changed."),
]


@strawberry.input(description="The answer to somebody who asks to join.")
class DecideJoinRequestInput:
    id: strawberry.ID = strawberry.field(description="The request.")
    accept: bool = strawberry.field(description="Whether the person becomes a user of the account.")
    role: VerifierRole = strawberry.field(
        default=VerifierRole.OFFICER, description="What the new user may do, if the request is accepted."
    )


@strawberry.type(description="The request is answered, and the person is told by mail.")
class JoinRequestDecided:
    user: VerifierUser | None = strawberry.field(
        description="The new user, who is mailed a link to set a password; null if the request was refused."
    )


DecideJoinRequestPayload = Annotated[
    JoinRequestDecided
    | NotLoggedIn
    | NotAllowed
    | JoinRequestNotFound
    | AlreadyDecided
    | PrimaryStillAsked
    | InvalidInput,
    strawberry.union("DecideJoinRequestPayload", description="What was decided, or why nothing was."),
]


@strawberry.type
class UserMutation:
    @strawberry.mutation(
        description="As the Primary User, or as the board's staff once five working days are over: accept or refuse "
        "somebody who asks to join. It is decided once."
    )
    async def decide_join_request(self, info: Info, input: Input[DecideJoinRequestInput]) -> DecideJoinRequestPayload:
        request = key_of(input.id, "JoinRequest") or uuid4()  # a fresh key names nothing
        role = rows.VerifierRole(input.role.value)
        user_id = await join_requests.decide(info.context.viewer, request, input.accept, role)
        return JoinRequestDecided(user=None if user_id is None else await _user(info, user_id))

    @strawberry.mutation(description="As the Primary User: add a user, who sets a password by a mailed link.")
    async def add_user(self, info: Info, input: Input[AddUserInput]) -> AddUserPayload:
        role = rows.VerifierRole(input.role.value)
        form = users.NewUser(input.name, input.email, role, input.language)
        return UserAdded(user=await _user(info, await users.add(info.context.viewer, form)))

    @strawberry.mutation(
        description="As the Primary User: change, deactivate or re-activate a user. Everybody may choose their own "
        "language of letters.",
        directives=[HASHING],
    )
    async def change_user(self, info: Info, input: Input[ChangeUserInput]) -> ChangeUserPayload:
        wishes = users.Wishes(
            name=input.name,
            email=input.email,
            role=None if input.role is None else rows.VerifierRole(input.role.value),
            language=input.language,
            is_active=input.is_active,
            password=input.password,
        )
        key = _key(input.id)
        await users.change(info.context.viewer, key, wishes)
        return UserChanged(user=await _user(info, key))

    @strawberry.mutation(description="As the Primary User: remove a user for good. The address can be used again.")
    async def remove_user(self, info: Info, input: Input[RemoveUserInput]) -> RemoveUserPayload:
        await users.remove(info.context.viewer, _key(input.id))
        return UserRemoved(message=told("The user is removed and logged out.", info.context.viewer.language))

    @strawberry.mutation(
        description="As the Primary User, or as the board's staff: mail a fresh link to a user who has set no password."
    )
    async def resend_invitation(self, info: Info, input: Input[ResendInvitationInput]) -> ResendInvitationPayload:
        key = _key(input.id)
        await users.resend_invitation(info.context.viewer, key)
        return InvitationResent(user=await _user(info, key))

    @strawberry.mutation(description="As the Primary User: make another active user the Primary User in one's place.")
    async def hand_over_primary(self, info: Info, input: Input[HandOverPrimaryInput]) -> HandOverPrimaryPayload:
        key, viewer = _key(input.user_id), info.context.viewer
        await users.hand_over(viewer, key)
        info.context.become(replace(viewer, is_primary=key == viewer.id))
        return PrimaryHandedOver(user=await _user(info, key))


def _key(id: strawberry.ID) -> UUID:
    return key_of(id, "VerifierUser") or uuid4()  # a fresh key names nobody


async def _user(info: Info, key: UUID) -> VerifierUser:
    """The user as they are after the order."""
    info.context.renew()
    return VerifierUser.of(required(await info.context.loaders.verifier.load(key)))
