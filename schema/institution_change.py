"""What the board's staff change of institutions: their details, and which of two is kept."""

from typing import Annotated

import strawberry

from models.institution import InstitutionKind as Sort
from resolvers import institution_changes, mergers
from schema.arguments import Input
from schema.context import Info
from schema.ids import key_named
from schema.institution import Institution, InstitutionKind
from schema.refusals import InstitutionNotFound, InvalidInput, NotAllowed, NotLoggedIn


@strawberry.input(description="What is to be changed of an institution; whatever is left out or null stays as it is.")
class ChangeInstitutionInput:
    id: strawberry.ID = strawberry.field(description="The institution.")
    name: str | None = strawberry.field(default=None, description="Name of the whole institution.")
    department: str | None = strawberry.field(default=None, description="Faculty or department; empty: none.")
    kind: InstitutionKind | None = strawberry.field(default=None, description="What sort of body it is.")
    country: str | None = strawberry.field(default=None, description="Country, ISO 3166 alpha-2.")
    city: str | None = strawberry.field(default=None, description="City.")
    website: str | None = strawberry.field(default=None, description="Address of its site.")
    timezone: str | None = strawberry.field(default=None, description="IANA name of its time zone.")
    parent_id: strawberry.ID | None = strawberry.field(
        default=None, description="The approved institution that it is a department of."
    )
    is_main: bool = strawberry.field(default=False, description="True: it is a department of none any more.")
    aliases: list[str] | None = strawberry.field(
        default=None,
        description="All the other names that it is found by, in any script, in place of those it has: at most "
        f"{institution_changes.MOST_ALIASES}.",
    )

    def wishes(self) -> institution_changes.Wishes:
        """What is wished."""
        return institution_changes.Wishes(
            name=self.name,
            department=self.department,
            kind=Sort(self.kind.value) if self.kind else None,
            country=self.country,
            city=self.city,
            website=self.website,
            timezone=self.timezone,
            parent_id=key_named(self.parent_id, "Institution") if self.parent_id else None,
            is_main=self.is_main,
            aliases=self.aliases,
        )


@strawberry.type(description="The change was made, and the institution is found by its new names.")
class InstitutionChanged:
    institution: Institution = strawberry.field(description="The institution as it is now.")


ChangeInstitutionPayload = Annotated[
    InstitutionChanged | NotLoggedIn | NotAllowed | InvalidInput | InstitutionNotFound,
    strawberry.union("ChangeInstitutionPayload", description="The institution, or why it was not changed."),
]


@strawberry.input(description="Which of two accounts of one institution goes up in the other.")
class MergeInstitutionsInput:
    duplicate_id: strawberry.ID = strawberry.field(description="The account that goes.")
    into_id: strawberry.ID = strawberry.field(description="The account that is kept.")
    reason: str = strawberry.field(description="Why; it stands in the trail.")


@strawberry.type(
    description="Shares, users, departments and names of the duplicate are the kept account's now. Its users were "
    "logged out, and no share is shown twice."
)
class InstitutionsMerged:
    institution: Institution = strawberry.field(description="The kept institution.")
    shares_moved: int = strawberry.field(description="How many shares came to it.")
    shares_held_before: int = strawberry.field(
        description="How many live shares of the duplicate were of results that it held already."
    )
    users_moved: int = strawberry.field(description="How many users came to it.")


MergeInstitutionsPayload = Annotated[
    InstitutionsMerged | NotLoggedIn | NotAllowed | InvalidInput | InstitutionNotFound,
    strawberry.union("MergeInstitutionsPayload", description="The kept institution, or why nothing was merged."),
]


@strawberry.type
class InstitutionMutation:
    @strawberry.mutation(description="As the board's staff: change an institution, and the names that it is found by.")
    async def change_institution(self, info: Info, input: Input[ChangeInstitutionInput]) -> ChangeInstitutionPayload:
        key = key_named(input.id, "Institution")
        row = await institution_changes.change(info.context.viewer, key, input.wishes())
        return InstitutionChanged(institution=Institution.of(row))

    @strawberry.mutation(
        description="As the board's staff: let one of two approved accounts of an institution go up in the other. "
        "Doing so again changes nothing."
    )
    async def merge_institutions(self, info: Info, input: Input[MergeInstitutionsInput]) -> MergeInstitutionsPayload:
        keys = key_named(input.duplicate_id, "Institution"), key_named(input.into_id, "Institution")
        merged = await mergers.merge(info.context.viewer, *keys, input.reason)
        return InstitutionsMerged(
            institution=Institution.of(merged.institution),
            shares_moved=merged.shares_moved,
            shares_held_before=merged.shares_held_before,
            users_moved=merged.users_moved,
        )
