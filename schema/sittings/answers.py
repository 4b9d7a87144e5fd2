"""What is answered to an order about a sitting."""

from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from models.base import required
from resolvers.sittings import views
from schema.context import Info
from schema.ids import key_of
from schema.pages import bad_input
from schema.refusals import (
    AlreadyBooked,
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    SittingNotFound,
    SittingStateForbids,
    TooManyTries,
    WrongTestPassword,
)
from schema.sittings.inputs import SITTING
from schema.sittings.sitting import Sitting


@strawberry.type(description="The sitting is booked.")
class SittingBooked:
    sitting: Sitting = strawberry.field(description=SITTING)
    was_booked: bool = strawberry.field(description="Whether it was booked before.")


BookSittingPayload = Annotated[
    SittingBooked | NotLoggedIn | NotAllowed | InvalidInput | AlreadyBooked | ConsentOutdated | InstitutionNotFound,
    strawberry.union("BookSittingPayload", description="The booked sitting, or why there is none."),
]


@strawberry.type(description="It is done.")
class SittingChanged:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")


SittingPayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids,
    strawberry.union("SittingPayload", description="The sitting as it stands now, or why nothing was done."),
]


NameRecipientsPayload = Annotated[
    SittingChanged
    | NotLoggedIn
    | NotAllowed
    | SittingNotFound
    | SittingStateForbids
    | InvalidInput
    | ConsentOutdated
    | InstitutionNotFound,
    strawberry.union("NameRecipientsPayload", description="The sitting, or why nobody was named."),
]


RecordSystemCheckPayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | TooManyTries,
    strawberry.union("RecordSystemCheckPayload", description="The sitting, or why nothing was noted."),
]


SendMessagePayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | InvalidInput | TooManyTries,
    strawberry.union("SendMessagePayload", description="The sitting, or why nothing was sent."),
]


EnterTestPayload = Annotated[
    SittingChanged
    | NotLoggedIn
    | NotAllowed
    | SittingNotFound
    | SittingStateForbids
    | WrongTestPassword
    | TooManyTries,
    strawberry.union("EnterTestPayload", description="The sitting, or why the test did not open."),
]


SittingTextPayload = Annotated[
    SittingChanged | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | InvalidInput,
    strawberry.union("SittingTextPayload", description="The sitting, or why nothing was written."),
]


@strawberry.type(description="The scores are cancelled, or will be once it is confirmed.")
class ScoresCancelled:
    sitting: Sitting = strawberry.field(description="The sitting as it stands now.")
    confirmation: str | None = strawberry.field(description="Call again with this to cancel; null: it is done.")


CancelScoresPayload = Annotated[
    ScoresCancelled | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids | InvalidInput,
    strawberry.union("CancelScoresPayload", description="What has to be confirmed, or that it is done, or why not."),
]


async def changed(info: Info, key: UUID) -> SittingChanged:
    """The sitting after an order about it, by whoever could give it."""
    return SittingChanged(sitting=await sitting_of(info, key))


async def sitting_of(info: Info, key: UUID) -> Sitting:
    """A sitting that the viewer has just changed."""
    found = await views.by_ids(info.context.viewer, [key])
    return Sitting.of(required(found.get(key)), info.context.viewer)


def sitting_key(id: strawberry.ID) -> UUID:
    """The key in an id; one that names nothing for any other id."""
    return key_of(id, "Sitting") or uuid4()


def text_key(key: strawberry.ID | None) -> UUID | None:
    """What a program has given to a text, so that it is written once."""
    try:
        return UUID(key) if key else None
    except ValueError:
        raise bad_input("`key` must be a UUID, made anew for each text.") from None
