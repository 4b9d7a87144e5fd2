"""My details: what candidates change of their account themselves."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from engine.languages import told
from errors import Sentence
from models.base import required
from resolvers import addresses, details
from schema.arguments import Input
from schema.candidate import Candidate
from schema.context import Info
from schema.costs import HASHING
from schema.node import LANGUAGE_DESCRIPTION
from schema.refusals import (
    InvalidInput,
    LinkNotValid,
    LoginLocked,
    NotAllowed,
    NotLoggedIn,
    TooManyTries,
    WrongPassword,
)


@strawberry.input(description="What is to be changed; whatever is left out or null stays as it is.")
class ChangeMyDetailsInput:
    email: str | None = strawberry.field(
        default=None,
        description="New e-mail address. It counts once the link mailed to it is used; until then the old one does. "
        "The present address takes back a change that has not been confirmed.",
    )
    email_again: str | None = strawberry.field(default=None, description="The e-mail address once more.")
    language: str | None = strawberry.field(
        default=None, description=f"Language of letters, {LANGUAGE_DESCRIPTION} Counts at once."
    )
    wants_updates: bool | None = strawberry.field(
        default=None, description="Marketing mail is wanted. False: none, ever. Counts at once."
    )
    password: str | None = strawberry.field(
        default=None, description="The current password; needed for a new e-mail address and for nothing else."
    )


@strawberry.type(description="The change was made; a new e-mail address has yet to be confirmed by the mailed link.")
class MyDetailsChanged:
    candidate: Candidate = strawberry.field(description="The candidate with the details as they are now.")
    link_sent_to: str | None = strawberry.field(
        description="The new address, to which a link to confirm it is on its way; null where none was asked for."
    )
    link_valid_until: datetime | None = strawberry.field(
        description="The moment from which the link works no more, UTC: 24 hours from now."
    )


ChangeMyDetailsPayload = Annotated[
    MyDetailsChanged | NotLoggedIn | NotAllowed | InvalidInput | WrongPassword | LoginLocked | TooManyTries,
    strawberry.union("ChangeMyDetailsPayload", description="The details as they are now, or why they stay."),
]


CONFIRMED = "Your new e-mail address is confirmed. From now on mail goes there."
RECEIVED = "Your e-mail address is confirmed. We mean to decide your application by {due_on}, and mail you then."


@strawberry.input(description="An e-mail address by the link that was mailed to it.")
class ConfirmEmailInput:
    token: str = strawberry.field(
        description="The token of the mailed link; works once: for 24 hours, that of an application for 7 days."
    )


@strawberry.type(
    description="The address is confirmed. A candidate's new one counts from now on, and the old one was told that it "
    "is no more; an application goes to the board's staff."
)
class EmailConfirmed:
    message: str = strawberry.field(description="What has happened, in the viewer's language, fit to be shown.")
    due_on: date | None = strawberry.field(
        description="Of an application: the day by which the board means to decide; null for a candidate's address."
    )


ConfirmEmailPayload = Annotated[
    EmailConfirmed | LinkNotValid,
    strawberry.union("ConfirmEmailPayload", description="That it was confirmed, or why not."),
]


@strawberry.type
class DetailsMutation:
    @strawberry.mutation(
        description="As a candidate: change e-mail address, language or the wish for updates. Name and date of birth "
        "are changed by the exam centre only. Wrong passwords count as wrong tries to log in.",
        directives=[HASHING],
    )
    async def change_my_details(self, info: Info, input: Input[ChangeMyDetailsInput]) -> ChangeMyDetailsPayload:
        wishes = details.Wishes(
            email=input.email,
            email_again=input.email_again,
            language=input.language,
            wants_updates=input.wants_updates,
            password=input.password,
        )
        link = await details.change(info.context.viewer, wishes)
        info.context.renew()
        viewer = info.context.viewer
        row = required(await info.context.loaders.candidate.load(required(viewer.id)))
        return MyDetailsChanged(
            candidate=Candidate.of(row, viewer),
            link_sent_to=link.address if link else None,
            link_valid_until=link.valid_until if link else None,
        )

    @strawberry.mutation(
        description="Confirm an e-mail address by its mailed link, logged in or not: a candidate's new one, or that of "
        "an application for an institution's account. A candidate's other links that were mailed before end, to "
        "confirm an address or to reset the password."
    )
    async def confirm_email(self, info: Info, input: Input[ConfirmEmailInput]) -> ConfirmEmailPayload:
        viewer = info.context.viewer
        due_on = await addresses.confirm(viewer, input.token)
        said = Sentence.of(RECEIVED, due_on=due_on.isoformat()) if due_on else CONFIRMED
        return EmailConfirmed(message=told(said, viewer.language), due_on=due_on)
