"""Users of institutions' accounts, and "Your organisation"."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from engine.database import Row
from models.base import required
from models.notify import Notify as Choice
from models.scope import Scope
from models.verifier import may_know_refusal
from models.viewer import Kind
from resolvers import api_keys, join_requests, list_checks, news, templates, verifiers, webhooks
from resolvers.downloads import history as download_history
from schema.arguments import Input
from schema.context import Info
from schema.costs import PAGE, list_of
from schema.download import DownloadConnection
from schema.ids import global_id, key_of
from schema.institution import Institution
from schema.join_request import JoinRequestConnection
from schema.key import ApiKeyConnection
from schema.list_check import ListCheckConnection
from schema.node import LANGUAGE_DESCRIPTION, Node
from schema.pages import After, First, place
from schema.refusals import NotAllowed, NotLoggedIn
from schema.template import DownloadTemplate
from schema.webhook import Webhook


@strawberry.enum(description="How far a user's account has come.")
class VerifierStatus(Enum):
    INVITED = strawberry.enum_value("INVITED", description="Has not set a password yet.")
    ACTIVE = strawberry.enum_value("ACTIVE", description="Can log in.")
    DEACTIVATED = strawberry.enum_value("DEACTIVATED", description="Cannot log in for now.")
    REMOVED = strawberry.enum_value("REMOVED", description="Removed; kept for the history's sake.")


@strawberry.enum(description="What a user may do; the Primary User may do everything, and keeps the users.")
class VerifierRole(Enum):
    OFFICER = strawberry.enum_value("OFFICER", description="Everything but to keep the users.")
    READER = strawberry.enum_value(
        "READER", description="Read the inbox and open shares; no look-ups, no marking by hand, no downloads."
    )


@strawberry.enum(description="When mail about new shares is sent.")
class Notify(Enum):
    OFF = strawberry.enum_value("OFF", description="Never.")
    AT_ONCE = strawberry.enum_value("AT_ONCE", description="Soon after each.")
    DAILY = strawberry.enum_value("DAILY", description="At 08:00 in the institution's time zone, if there are any.")
    WEEKLY = strawberry.enum_value("WEEKLY", description="Mondays at 08:00, if there are any.")


@strawberry.federation.type(
    keys=["id"], description="A user of an institution's account. Seen by its other users and by staff."
)
class VerifierUser(Node):
    name: str = strawberry.field(description="Name.")
    email: str = strawberry.field(description="E-mail address, the log-in name.")
    is_primary: bool = strawberry.field(description="Whether this is the institution's Primary User.")
    role: VerifierRole = strawberry.field(description="What the user may do.")
    status: VerifierStatus = strawberry.field(description="State of the account.")
    language: str = strawberry.field(description=f"Language of letters, {LANGUAGE_DESCRIPTION}")
    notify: Notify = strawberry.field(description="When mail about new shares is sent.")
    key: strawberry.Private[UUID]
    institution_key: strawberry.Private[UUID]
    refused_at: strawberry.Private[datetime | None]

    @classmethod
    def of(cls, row: Row) -> "VerifierUser":
        """The user of any row that holds the columns of users."""
        return cls(
            id=global_id("VerifierUser", row["verifier_id"]),
            name=row["verifier_name"],
            email=row["verifier_email"],
            is_primary=row["is_primary"],
            role=VerifierRole(row["verifier_role"]),
            status=VerifierStatus(row["verifier_status"]),
            language=row["verifier_language"],
            notify=Notify(row["notify"]),
            key=row["verifier_id"],
            institution_key=row["institution_id"],
            refused_at=row["verifier_email_refused_at"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "VerifierUser | None":
        """The user with this id, if the viewer may see them."""
        key = key_of(id, "VerifierUser")
        row = await info.context.loaders.verifier.load(key) if key else None
        return None if row is None else cls.of(row)

    @strawberry.field(description="The institution whose account it is; null if the viewer may not see it.")
    async def institution(self, info: Info) -> Institution | None:
        row = await info.context.loaders.institution.load(self.institution_key)
        return None if row is None else Institution.of(row)

    @strawberry.field(
        description="Since when the address takes no mail, UTC: none about new shares is sent until it is changed. "
        "Told to the user, the Primary User and staff; null for all others."
    )
    def email_refused_at(self, info: Info) -> datetime | None:
        return self.refused_at if may_know_refusal(info.context.viewer, self.key) else None


@strawberry.type(description='"Your organisation": the viewer\'s institution from the inside.')
class Organisation:
    institution: Institution = strawberry.field(description="The institution.")

    @strawberry.field(description="Its users, the Primary User first.", directives=[list_of(20)])
    async def users(self, info: Info) -> list[VerifierUser]:
        return [VerifierUser.of(row) for row in await verifiers.colleagues(info.context.viewer)]

    @strawberry.field(
        description="Those who ask to join and wait for an answer, newest first; null for all but the Primary User.",
        directives=[PAGE],
    )
    async def join_requests(self, info: Info, first: First = 50, after: After = None) -> JoinRequestConnection | None:
        viewer = info.context.viewer
        if not viewer.is_primary:
            return None
        return JoinRequestConnection.of(await join_requests.page(viewer, place(first, after), viewer.institution_id))

    @strawberry.field(
        description="Its download templates, the default one first; none for keys with neither DOWNLOAD nor MANAGE.",
        directives=[list_of(20)],
    )
    async def templates(self, info: Info) -> list[DownloadTemplate]:
        return [DownloadTemplate.of(row) for row in await templates.every(info.context.viewer)]

    @strawberry.field(
        description="Its downloads, newest first; none for users who may only read, and for keys without DOWNLOAD.",
        directives=[PAGE],
    )
    async def downloads(self, info: Info, first: First = 50, after: After = None) -> DownloadConnection:
        viewer = info.context.viewer
        return DownloadConnection.of(await download_history.page(viewer, place(first, after)), viewer)

    @strawberry.field(description="Lists that were handed in to be checked, newest first.", directives=[PAGE])
    async def list_checks(self, info: Info, first: First = 50, after: After = None) -> ListCheckConnection:
        viewer = info.context.viewer
        return ListCheckConnection.of(await list_checks.page(viewer, place(first, after)), viewer)

    @strawberry.field(
        description="Its keys, newest first; null for all but the Primary User and keys that manage.", directives=[PAGE]
    )
    async def keys(self, info: Info, first: First = 50, after: After = None) -> ApiKeyConnection | None:
        viewer = info.context.viewer
        if not (viewer.is_primary or viewer.has(Scope.MANAGE)):
            return None
        return ApiKeyConnection.of(await api_keys.page(viewer, place(first, after)), viewer)

    @strawberry.field(
        description="Its webhooks, the oldest first; null for all but the Primary User and keys that manage.",
        directives=[list_of(5)],
    )
    async def webhooks(self, info: Info) -> list[Webhook] | None:
        viewer = info.context.viewer
        if not (viewer.is_primary or viewer.has(Scope.MANAGE)):
            return None
        return [Webhook.of(row, viewer.at) for row in await webhooks.own(viewer)]

    @strawberry.field(description="When new users are mailed about new shares, until they choose for themselves.")
    async def primary_default(self, info: Info) -> Notify:
        return Notify((await news.default_of(info.context.viewer)).value)


@strawberry.input(description="When to be mailed about new shares; what is left out stays as it is.")
class ChangeNotificationsInput:
    notify: Notify | None = strawberry.field(
        default=None, description="For the viewer. Chosen after OFF, it is about what comes from then on."
    )
    primary_default: Notify | None = strawberry.field(
        default=None, description="What new users start with; only the Primary User may change it."
    )


@strawberry.type(description="What holds from now on.")
class NotificationsChanged:
    user: VerifierUser = strawberry.field(description="The viewer.")
    organisation: Organisation = strawberry.field(description="The viewer's organisation.")


ChangeNotificationsPayload = Annotated[
    NotificationsChanged | NotLoggedIn | NotAllowed,
    strawberry.union("ChangeNotificationsPayload", description="What holds now, or why nothing was changed."),
]


@strawberry.type
class OrganisationQuery:
    @strawberry.field(
        description="The viewer's own institution; null for all but verifiers and keys. A key sees of it what its "
        "scopes open."
    )
    async def organisation(self, info: Info) -> Organisation | None:
        viewer = info.context.viewer
        if viewer.kind not in (Kind.VERIFIER, Kind.KEY) or viewer.institution_id is None:
            return None
        row = await info.context.loaders.institution.load(viewer.institution_id)
        return None if row is None else Organisation(institution=Institution.of(row))


@strawberry.type
class OrganisationMutation:
    @strawberry.mutation(description="Choose when the viewer, a user of an institution, is mailed about new shares.")
    async def change_notifications(
        self, info: Info, input: Input[ChangeNotificationsInput]
    ) -> ChangeNotificationsPayload:
        viewer, loaders = info.context.viewer, info.context.loaders
        await news.choose(viewer, _choice(input.notify), _choice(input.primary_default))
        user = required(await loaders.verifier.load(required(viewer.id)))
        institution = required(await loaders.institution.load(required(viewer.institution_id)))
        organisation = Organisation(institution=Institution.of(institution))
        return NotificationsChanged(user=VerifierUser.of(user), organisation=organisation)


def _choice(notify: Notify | None) -> Choice | None:
    return None if notify is None else Choice(notify.value)
