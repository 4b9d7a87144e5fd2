"""Suspending an institution's account, and taking that back (O3)."""

from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from models.base import required
from resolvers import suspensions
from schema.arguments import Input
from schema.context import Info
from schema.ids import key_of
from schema.institution import Institution
from schema.refusals import InstitutionNotFound, InstitutionStateForbids, InvalidInput, NotAllowed, NotLoggedIn


@strawberry.input(description="An institution that shall see nothing for now.")
class SuspendInstitutionInput:
    id: strawberry.ID = strawberry.field(description="The institution; its departments are accounts of their own.")
    reason: str = strawberry.field(description="Why, at most 1,000 characters; its users are told by mail.")


@strawberry.type(description="Sessions, streams and addresses of files have ended, and nobody can log in for now.")
class InstitutionSuspension:
    institution: Institution = strawberry.field(description="The institution.")


SuspendInstitutionPayload = Annotated[
    InstitutionSuspension | NotLoggedIn | NotAllowed | InvalidInput | InstitutionNotFound | InstitutionStateForbids,
    strawberry.union("SuspendInstitutionPayload", description="That it is suspended, or why not."),
]


@strawberry.input(description="An institution that is suspended.")
class ReinstateInstitutionInput:
    id: strawberry.ID = strawberry.field(description="The institution.")


@strawberry.type(description="Its users can log in again, and see all that is shared with it.")
class InstitutionReinstated:
    institution: Institution = strawberry.field(description="The institution.")


ReinstateInstitutionPayload = Annotated[
    InstitutionReinstated | NotLoggedIn | NotAllowed | InstitutionNotFound | InstitutionStateForbids,
    strawberry.union("ReinstateInstitutionPayload", description="That it is approved again, or why not."),
]


@strawberry.type
class SuspensionMutation:
    @strawberry.mutation(
        description="As the board's staff: cut all users and streams of an approved institution at once. Nothing is "
        "deleted; it can be neither found nor sent to, and its users are told the reason by mail."
    )
    async def suspend_institution(self, info: Info, input: Input[SuspendInstitutionInput]) -> SuspendInstitutionPayload:
        key = _key(input.id)
        await suspensions.suspend(info.context.viewer, key, input.reason)
        return InstitutionSuspension(institution=await _institution(info, key))

    @strawberry.mutation(
        description="As the board's staff: take a suspension back. Shares, users and cursors are as they were, and the "
        "changes of the time between stand behind the cursors."
    )
    async def reinstate_institution(
        self, info: Info, input: Input[ReinstateInstitutionInput]
    ) -> ReinstateInstitutionPayload:
        key = _key(input.id)
        await suspensions.reinstate(info.context.viewer, key)
        return InstitutionReinstated(institution=await _institution(info, key))


def _key(id: strawberry.ID) -> UUID:
    return key_of(id, "Institution") or uuid4()  # a fresh key names nothing


async def _institution(info: Info, key: UUID) -> Institution:
    """The institution as it is after the order."""
    info.context.renew()
    return Institution.of(required(await info.context.loaders.institution.load(key)))
