"""Claiming further entries for an account."""

from typing import Annotated

import strawberry

from resolvers import claims
from schema.arguments import Input
from schema.context import Info
from schema.entry import Entry
from schema.refusals import (
    ClaimedElsewhere,
    DateOfBirthDiffers,
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    RegistrationLocked,
    TooManyTries,
    WrongNumbers,
)


@strawberry.input(description="The numbers of a further Confirmation of Entry.")
class ClaimEntryInput:
    id_number: str = strawberry.field(description="ID Number from the Confirmation of Entry, such as `ABC123456`.")
    secret_number: str = strawberry.field(description="Secret Number from the Confirmation of Entry, 4 digits.")


@strawberry.type(
    description="The entry is the account's: its results are among the account's, and its ID Number logs in with the "
    "account's password. The account keeps its own spelling of the names, whatever the entry's centre wrote."
)
class EntryAdded:
    entry: Entry = strawberry.field(description="The entry.")
    was_already_claimed: bool = strawberry.field(
        description="Whether this account had claimed it before; then nothing changed."
    )


ClaimEntryPayload = Annotated[
    EntryAdded
    | NotLoggedIn
    | NotAllowed
    | InvalidInput
    | WrongNumbers
    | RegistrationLocked
    | TooManyTries
    | DateOfBirthDiffers
    | ClaimedElsewhere,
    strawberry.union("ClaimEntryPayload", description="The entry, or why it is not the account's."),
]


@strawberry.type
class ClaimMutation:
    @strawberry.mutation(
        description="As a candidate: claim a further entry with its ID Number and Secret Number. Its date of birth "
        "must be the account's. Wrong tries, and entries with another date of birth, count as in `register`."
    )
    async def claim_entry(self, info: Info, input: Input[ClaimEntryInput]) -> ClaimEntryPayload:
        viewer = info.context.viewer
        claimed = await claims.claim(viewer, input.id_number, input.secret_number)
        info.context.renew()
        return EntryAdded(entry=Entry.of(claimed.entry, viewer), was_already_claimed=claimed.was_claimed)
