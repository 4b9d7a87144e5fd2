"""Institutions, and finding the right one."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from errors import InvalidInput
from models.consent import CONSENT_VERSION, consent_sentence
from models.names import shown_name
from models.terms import Terms
from resolvers import suggestions
from schema.arguments import Language, language_for
from schema.context import Info
from schema.costs import list_of
from schema.ids import global_id, key_of
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import bad_input

OF_DEPARTMENT = {
    "en": "This account is for {department} only. If you are not sure, ask {institution} which of its accounts to "
    "send your result to.",
    "ja": "このアカウントは{department}専用です。"
    "不明な場合は、どのアカウントに送信するかを{institution}にご確認ください。",
}
OF_MAIN_ACCOUNT = {
    "en": "{institution} has accounts for single departments, too. If you deal with one of them, choose that one, or "
    "ask where to send your result.",
    "ja": "{institution}には部局ごとのアカウントもあります。"
    "該当する部局がある場合はそちらを選ぶか、送信先を機関にご確認ください。",
}


@strawberry.enum(description="What sort of body an institution is.")
class InstitutionKind(Enum):
    EDUCATION = strawberry.enum_value("EDUCATION", description="University, college or school.")
    EMPLOYER = strawberry.enum_value("EMPLOYER", description="Employer.")
    GOVERNMENT = strawberry.enum_value("GOVERNMENT", description="Government office, immigration included.")


@strawberry.type(description="The sentence a candidate agrees to by sending a result.")
class ConsentSentence:
    text: str = strawberry.field(description="The sentence to show before sending.")
    version: str = strawberry.field(description="Its version; `sendResult` takes it back.")
    language: str = strawberry.field(description=f"Its language, {LANGUAGE_DESCRIPTION}")


@strawberry.federation.type(
    keys=["id"],
    description="A body that checks results; one account of it, which can be a department. Approved ones are public.",
)
class Institution(Node):
    name: str = strawberry.field(description="Name of the whole institution.")
    department: str | None = strawberry.field(
        description="Faculty or department of this account; null for the institution's main account."
    )
    shown_as: str = strawberry.field(description="Name with department, as shown and as kept with a consent.")
    kind: InstitutionKind = strawberry.field(description="What sort of body it is.")
    country: str = strawberry.field(description="Country, ISO 3166 alpha-2.")
    city: str = strawberry.field(description="City.")
    website: str = strawberry.field(description="Address of its site.")
    timezone: str = strawberry.field(description="IANA name of its time zone.")
    is_sandbox: bool = strawberry.field(description="Whether it is a sandbox, where everything is invented.")
    key: strawberry.Private[UUID]
    parent_key: strawberry.Private[UUID | None]

    @classmethod
    def of(cls, row: Row) -> "Institution":
        """The institution of any row that holds the columns of institutions."""
        return cls(
            id=global_id("Institution", row["institution_id"]),
            name=row["institution_name"],
            department=row["department"],
            shown_as=shown_name(row["institution_name"], row["department"]),
            kind=InstitutionKind[row["institution_kind"]],
            country=row["country"],
            city=row["city"],
            website=row["website"],
            timezone=row["timezone"],
            is_sandbox=row["is_sandbox"],
            key=row["institution_id"],
            parent_key=row["parent_id"],
        )

    @strawberry.field(description="The institution that it is a department of, if that has an account to be seen.")
    async def parent(self, info: Info) -> "Institution | None":
        row = await info.context.loaders.institution.load(self.parent_key) if self.parent_key else None
        return None if row is None else Institution.of(row)

    @strawberry.field(description="The other names that it is found by; null for all but the board's staff.")
    async def aliases(self, info: Info) -> list[str] | None:
        if not info.context.viewer.is_board:
            return None
        return await info.context.loaders.aliases_of.load(self.key) or []

    @strawberry.field(
        description="How to choose between several accounts of one institution, in the language asked for; null where "
        "this is its only one."
    )
    async def hint(self, info: Info, language: Language = None) -> str | None:
        language = language_for(info.context.viewer, language)
        if self.department is not None:
            return OF_DEPARTMENT[language].format(department=self.department, institution=self.name)
        has_departments = await info.context.loaders.has_departments.load(self.key)
        return OF_MAIN_ACCOUNT[language].format(institution=self.name) if has_departments else None

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Institution | None":
        """The institution with this id, if the viewer may see it."""
        key = key_of(id, "Institution")
        row = await info.context.loaders.institution.load(key) if key else None
        return None if row is None else cls.of(row)

    @strawberry.field(
        description="The sentence to show before a result is sent to this institution. It names what is left out, "
        "so give it the terms that `sendResult` will be given."
    )
    def consent(
        self,
        info: Info,
        language: Language = None,
        include_skills: Annotated[bool, strawberry.argument(description="As `sendResult` will be told.")] = True,
        include_photo: Annotated[bool, strawberry.argument(description="As `sendResult` will be told.")] = True,
        allow_downloads: Annotated[bool, strawberry.argument(description="As `sendResult` will be told.")] = True,
        expires_at: Annotated[datetime | None, strawberry.argument(description="As `sendResult` will be told.")] = None,
    ) -> ConsentSentence:
        language = language_for(info.context.viewer, language)
        terms = Terms(None, None, expires_at, include_skills, include_photo, allow_downloads)
        try:
            text = consent_sentence(self.shown_as, language, terms.checked(info.context.viewer.at))
        except InvalidInput as refusal:
            raise bad_input(str(refusal)) from None
        return ConsentSentence(text=text, version=CONSENT_VERSION, language=language)


@strawberry.type
class InstitutionQuery:
    @strawberry.field(
        description="At most 20 approved institutions with this text in a name or alias, best match first. "
        "Any case, accents, width and script; 2 characters up, 1 for Chinese, Japanese and Korean signs. "
        "One institution can have several accounts: show department, city and country, and ask for the right one. "
        "Ask while somebody types; an account, or a client without one, that searches more than 1,200 times a minute "
        "is refused with `TOO_MANY_TRIES` and `retryAfter`.",
        directives=[list_of(20)],
    )
    async def institutions(
        self, info: Info, search: Annotated[str, strawberry.argument(description="Any part of the name.")]
    ) -> list[Institution]:
        found = await suggestions.suggest(info.context.viewer, search, info.context.searches)
        return [Institution.of(row) for row in found]
