"""The sandbox of an institution: invented candidates for its programs to try themselves out on (P4)."""

from datetime import date
from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from models.base import required
from models.journal import EventKind
from resolvers import sandbox_access, sandboxes, simulating
from resolvers.sandboxes import Sample
from schema.arguments import Input
from schema.change import ChangeKind
from schema.context import Info
from schema.costs import BULK, list_of
from schema.ids import global_id, key_of
from schema.institution import Institution
from schema.refusals import (
    InstitutionNotFound,
    InvalidInput,
    NotAllowed,
    NothingToSimulate,
    NotLoggedIn,
    TooManyTries,
)
from schema.verifying import VerificationVerdict

HOW = (
    "With the Primary User's session: createKey(input: {sandbox: true, name: …, scopes: […]}). Its key begins as any "
    "other, and lets programs into the sandbox alone: what it sees is invented, and nothing real is there for it."
)


@strawberry.type(description="An invented result of a sandbox, by the numbers that it is looked up by.")
class SandboxSample:
    about: str = strawberry.field(description="What it is an example of.")
    statement_number: str = strawberry.field(description="Its statement number; none of a real one begins `SANDBOX-`.")
    date_of_birth: date = strawberry.field(description="Its candidate's date of birth.")
    id_number: str = strawberry.field(description="Its ID Number; no real one begins `XXX`.")
    secret_number: str = strawberry.field(description="Its Secret Number.")
    version: int = strawberry.field(description="The version that stands.")
    check_token: str = strawberry.field(description="What `checkStatement` takes with the number.")
    answer: VerificationVerdict = strawberry.field(
        description="What `findResult` answers to a key of this sandbox, as long as nothing was simulated. To "
        "everybody else it answers NOT_MATCHED."
    )

    @classmethod
    def of(cls, sample: Sample) -> "SandboxSample":
        """The sample of a resolver."""
        return cls(
            about=sample.about,
            statement_number=sample.statement_number,
            date_of_birth=sample.date_of_birth,
            id_number=sample.id_number,
            secret_number=sample.secret_number,
            version=sample.version,
            check_token=sample.check_token,
            answer=VerificationVerdict[sample.answer],
        )


@strawberry.type(
    description="An institution beside one's own, with invented candidates alone. Nobody else finds it, nobody can "
    "send to it, and what is in it is genuine for nobody else. No mail is sent of it."
)
class Sandbox:
    key: strawberry.Private[UUID]
    how_to_get_a_key: str = strawberry.field(description="How programs get in.", default=HOW)

    @strawberry.field(description="The institution that the sandbox is.")
    async def institution(self, info: Info) -> Institution:
        return Institution.of(required(await info.context.loaders.institution.load(self.key)))

    @strawberry.field(
        description="What can be looked up in it: results of every sort. Their numbers stay the same after a reset.",
        directives=[list_of(40)],
    )
    async def samples(self, info: Info) -> list[SandboxSample]:
        return [SandboxSample.of(one) for one in await sandboxes.samples(self.key)]


@strawberry.input(description="A sandbox that is wanted.")
class CreateSandboxInput:
    name: str | None = strawberry.field(
        default=None, description="What to call it; null: as the institution. ` (sandbox)` is put behind it."
    )


@strawberry.type(description="The sandbox is there.")
class SandboxCreated:
    sandbox: Sandbox = strawberry.field(description="The sandbox.")
    was_there: bool = strawberry.field(description="Whether it was there before: then nothing in it was changed.")


CreateSandboxPayload = Annotated[
    SandboxCreated | NotLoggedIn | NotAllowed | InvalidInput | TooManyTries,
    strawberry.union("CreateSandboxPayload", description="The sandbox, or why there is none."),
]


@strawberry.input(description="Which sandbox to make anew.")
class ResetSandboxInput:
    id: strawberry.ID = strawberry.field(description="The institution that the sandbox is.")


@strawberry.type(description="The sandbox is as it was made: other ids, the same numbers.")
class SandboxReset:
    sandbox: Sandbox = strawberry.field(description="The sandbox.")


ResetSandboxPayload = Annotated[
    SandboxReset | NotLoggedIn | NotAllowed | InstitutionNotFound | TooManyTries,
    strawberry.union("ResetSandboxPayload", description="The sandbox, or why it was not made anew."),
]


@strawberry.input(description="What shall happen in the sandbox.")
class SimulateChangeInput:
    kind: ChangeKind = strawberry.field(description="What shall happen; `SHARE_SENT` takes a new candidate.")
    share_id: strawberry.ID | None = strawberry.field(
        default=None, description="The share to which, or to whose result; null: the latest that it can happen to."
    )


@strawberry.type(description="It has happened, as it really does: `changes`, streams and webhooks tell of it.")
class ChangeSimulated:
    share_id: strawberry.ID = strawberry.field(description="The id of the share.")
    result_id: strawberry.ID = strawberry.field(description="The id of its result.")


SimulateChangePayload = Annotated[
    ChangeSimulated | NotLoggedIn | NotAllowed | InstitutionNotFound | NothingToSimulate | TooManyTries,
    strawberry.union("SimulateChangePayload", description="What it happened to, or why it did not."),
]


@strawberry.type
class SandboxQuery:
    @strawberry.field(
        description="The sandbox of the viewer's institution, also by a key of the sandbox; null where there is none."
    )
    async def sandbox(self, info: Info) -> Sandbox | None:
        found = await sandbox_access.of(info.context.viewer)
        return None if found is None else Sandbox(key=found)


@strawberry.type
class SandboxMutation:
    @strawberry.mutation(
        description="As the Primary User, or by a key that manages: make the institution's sandbox. Once more, it is "
        "the one that is there. At most 30 times a day, together with `resetSandbox`.",
        directives=[BULK],
    )
    async def create_sandbox(self, info: Info, input: Input[CreateSandboxInput]) -> CreateSandboxPayload:
        made = await sandboxes.create(info.context.viewer, input.name)
        return SandboxCreated(sandbox=Sandbox(key=made.id), was_there=made.was_there)

    @strawberry.mutation(
        description="As the Primary User, or by a key that manages, of the sandbox too: take away all that is in the "
        "sandbox and make it anew. Keys, webhooks, templates and downloads stay; cursors stay good, and behind them "
        "come the new shares.",
        directives=[BULK],
    )
    async def reset_sandbox(self, info: Info, input: Input[ResetSandboxInput]) -> ResetSandboxPayload:
        key = await sandboxes.reset(info.context.viewer, _key(input.id, "Institution"))
        return SandboxReset(sandbox=Sandbox(key=key))

    @strawberry.mutation(
        description="As the Primary User, or by a key that manages, of the sandbox too: let something happen in the "
        "sandbox, so that programs can be seen to deal with it. At most 2,000 times a day."
    )
    async def simulate_change(self, info: Info, input: Input[SimulateChangeInput]) -> SimulateChangePayload:
        share = None if input.share_id is None else _key(input.share_id, "Share")
        happened = await simulating.simulate(info.context.viewer, EventKind[str(input.kind.value)], share)
        return ChangeSimulated(
            share_id=global_id("Share", happened.share_id), result_id=global_id("Result", happened.result_id)
        )


def _key(id: strawberry.ID, type_name: str) -> UUID:
    return key_of(id, type_name) or uuid4()  # a fresh key names nothing
