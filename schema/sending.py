"""Sending a result to an institution."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.terms import LONGEST_PURPOSE, LONGEST_REFERENCE, Terms
from resolvers import shares
from schema.arguments import Input, language_for
from schema.context import Info
from schema.ids import key_named
from schema.node import LANGUAGE_DESCRIPTION
from schema.refusals import (
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NotAllowed,
    NotLoggedIn,
    ResultNotFound,
    ResultNotSendable,
)
from schema.share import Share


@strawberry.input(description="Send one result to one institution.")
class SendResultInput:
    result_id: strawberry.ID = strawberry.field(description="The result.")
    institution_id: strawberry.ID = strawberry.field(description="The institution, from `institutions(search:)`.")
    consent_version: str = strawberry.field(
        description="Version of the sentence that was shown, from the institution's `consent`. Sending is consent."
    )
    consent_language: str | None = strawberry.field(
        default=None,
        description=f"Language in which the sentence was shown, {LANGUAGE_DESCRIPTION} Null: the viewer's own, as in "
        "`consent`.",
    )
    purpose: str | None = strawberry.field(
        default=None,
        description="What it is sent for, for the institution to read: one line, "
        f"at most {LONGEST_PURPOSE} characters.",
    )
    reference: str | None = strawberry.field(
        default=None,
        description="The candidate's reference at the institution, such as the number of an application: one line, "
        f"at most {LONGEST_REFERENCE} characters.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The moment from which the institution sees it no more, with its time zone; kept to the second. "
        "In the future, at most 5 years ahead; null: until it is withdrawn.",
    )
    include_skills: bool = strawberry.field(default=True, description="Whether the institution sees the skill scores.")
    include_photo: bool = strawberry.field(
        default=True, description="Whether the institution sees the test-day photo, where there is one."
    )
    allow_downloads: bool = strawberry.field(
        default=True, description="Whether the institution may take the result away in a file."
    )

    def terms(self) -> Terms:
        """The terms of the share that is wanted."""
        return Terms(
            purpose=self.purpose,
            reference=self.reference,
            expires_at=self.expires_at,
            includes_skills=self.include_skills,
            includes_photo=self.include_photo,
            allows_downloads=self.allow_downloads,
        )


@strawberry.type(description="The share that is there now.")
class ResultSent:
    share: Share = strawberry.field(description="The share.")
    was_already_sent: bool = strawberry.field(
        description="Whether this result was sent to this institution before: then this is the share of that time."
    )
    terms_differ: bool = strawberry.field(
        description="Whether the share of that time has other terms (purpose, reference, expiry, what it includes and "
        "allows) than were asked for now. Its own stand: to change them, withdraw it and send again."
    )


SendResultPayload = Annotated[
    ResultSent
    | NotLoggedIn
    | NotAllowed
    | InvalidInput
    | ResultNotFound
    | ResultNotSendable
    | InstitutionNotFound
    | ConsentOutdated,
    strawberry.union("SendResultPayload", description="The share, or why there is none."),
]


@strawberry.type
class SendingMutation:
    @strawberry.mutation(
        description="Send a released result to an approved institution, on the candidate's terms. Sending it again "
        "gives the share that is there; once that was withdrawn or has expired, a new one is made."
    )
    async def send_result(self, info: Info, input: Input[SendResultInput]) -> SendResultPayload:
        language = language_for(info.context.viewer, input.consent_language, "consentLanguage")
        sent = await shares.send(
            info.context.viewer,
            key_named(input.result_id, "Result"),
            key_named(input.institution_id, "Institution"),
            shares.Consent(input.consent_version, language),
            input.terms(),
        )
        return ResultSent(
            share=Share.of(sent.share, info.context.viewer),
            was_already_sent=sent.was_there,
            terms_differ=sent.terms_differ,
        )
