"""Webhooks of an institution, and the messages that were sent to them."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID, uuid4

import strawberry

from engine.database import Row
from engine.languages import told
from models.journal import EventKind
from resolvers import journal, webhooks
from resolvers.pages import Page, cursor_of
from schema.arguments import Input
from schema.change import ChangeKind
from schema.context import Info
from schema.costs import PAGE, SENDING
from schema.ids import global_id, key_of
from schema.node import Node
from schema.pages import After, First, PageInfo, page_info, place
from schema.refusals import DeliveryNotFound, InvalidInput, NotAllowed, NotLoggedIn, TooManyTries, WebhookNotFound


@strawberry.enum(description="Why nothing is sent to a webhook.")
class WebhookPauseReason(Enum):
    BY_HAND = strawberry.enum_value("BY_HAND", description="Somebody paused it.")
    GONE = strawberry.enum_value("GONE", description="It answered with 410: it wants no more.")
    FAILING = strawberry.enum_value("FAILING", description="It took no message for five days.")


@strawberry.enum(description="What has become of a message.")
class WebhookDeliveryStatus(Enum):
    WAITING = strawberry.enum_value("WAITING", description="It is to be sent, or sent again.")
    DELIVERED = strawberry.enum_value("DELIVERED", description="It was answered with 2xx.")
    FAILED = strawberry.enum_value("FAILED", description="It was tried for 24 hours in vain; `resendDelivery` helps.")


@strawberry.enum(description="Why a try failed.")
class WebhookFailure(Enum):
    REFUSED = strawberry.enum_value("REFUSED", description="Answered, but not with 2xx; redirects are not followed.")
    NAME_NOT_FOUND = strawberry.enum_value("NAME_NOT_FOUND", description="The name has no address.")
    ADDRESS_NOT_ALLOWED = strawberry.enum_value(
        "ADDRESS_NOT_ALLOWED", description="The name leads to an address that is not of the public internet."
    )
    NOT_CONNECTED = strawberry.enum_value("NOT_CONNECTED", description="Nobody takes connections there.")
    TLS = strawberry.enum_value("TLS", description="The certificate is not valid for the name, or not trusted.")
    BROKEN_OFF = strawberry.enum_value("BROKEN_OFF", description="The connection broke off before an answer.")
    TOO_LATE = strawberry.enum_value("TOO_LATE", description="There was no whole answer within 15 seconds.")


@strawberry.type(description="One message to a webhook.")
class WebhookDelivery:
    id: strawberry.ID = strawberry.field(description="The message's `webhook-id`, the same for every try.")
    kind: ChangeKind | None = strawberry.field(description="What it tells of; null: a test.")
    event_cursor: str | None = strawberry.field(description="The `cursor` of what it tells of; null: a test.")
    status: WebhookDeliveryStatus = strawberry.field(description="What has become of it.")
    tries: int = strawberry.field(description="How often it was tried, since it was last sent by hand.")
    created_at: datetime = strawberry.field(description="When it was made, UTC.")
    next_try_at: datetime | None = strawberry.field(description="When it is tried next, UTC; null: no more.")
    last_try_at: datetime | None = strawberry.field(description="When it was tried last, UTC.")
    last_status: int | None = strawberry.field(description="The HTTP status of the last answer, if there was one.")
    last_failure: WebhookFailure | None = strawberry.field(description="Why the last try failed, if it did.")
    last_milliseconds: int | None = strawberry.field(description="How long the last try took.")
    cursor: strawberry.Private[str]

    @classmethod
    def of(cls, row: Row) -> "WebhookDelivery":
        """The message of its row."""
        return cls(
            id=global_id("WebhookDelivery", row["id"]),
            kind=None if row["xid"] is None else ChangeKind[row["kind"]],
            event_cursor=None if row["xid"] is None else journal.cursor_text((row["xid"], row["event_id"])),
            status=WebhookDeliveryStatus[row["status"]],
            tries=row["tries"],
            created_at=row["created_at"],
            next_try_at=row["next_try_at"],
            last_try_at=row["last_try_at"],
            last_status=row["last_status"],
            last_failure=WebhookFailure[row["last_failure"]] if row["last_failure"] else None,
            last_milliseconds=row["last_milliseconds"],
            cursor=cursor_of(row["created_at"], row["id"]),
        )


@strawberry.type(description="One message of a list.")
class WebhookDeliveryEdge:
    node: WebhookDelivery = strawberry.field(description="The message.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Messages, newest first.")
class WebhookDeliveryConnection:
    edges: list[WebhookDeliveryEdge] = strawberry.field(description="The messages of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page) -> "WebhookDeliveryConnection":
        """A page as a connection."""
        nodes = [WebhookDelivery.of(row) for row in page.rows]
        return cls(
            edges=[WebhookDeliveryEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.federation.type(
    keys=["id"],
    description="An address that is told what happens to the institution's shares and results, by signed messages "
    "(Standard Webhooks). Seen by the Primary User and by keys with MANAGE. A message holds ids and no personal data: "
    "fetch what they name, or `changes`. Messages may come in any order and more than once: compare `webhook-id`.",
)
class Webhook(Node):
    url: str = strawberry.field(description="The address.")
    kinds: list[ChangeKind] = strawberry.field(description="What it is told of; empty: everything.")
    created_at: datetime = strawberry.field(description="When it was made, UTC.")
    told_until: str = strawberry.field(
        description="How far messages were made: the cursor of the last of what happened, as in `changes`."
    )
    previous_secret_until: datetime | None = strawberry.field(
        description="Until when the secret before signs as well, UTC; null: it does not."
    )
    paused_at: datetime | None = strawberry.field(description="Since when nothing is sent, UTC; null: it is sent.")
    pause_reason: WebhookPauseReason | None = strawberry.field(description="Why nothing is sent.")
    failing_since: datetime | None = strawberry.field(
        description="Since when tries have failed, UTC, with none that succeeded; null: the last one did."
    )
    key: strawberry.Private[UUID]

    @classmethod
    def of(cls, row: Row, now: datetime) -> "Webhook":
        """The webhook of its row."""
        until = row["previous_until"]
        return cls(
            id=global_id("Webhook", row["id"]),
            url=row["url"],
            kinds=[ChangeKind[kind] for kind in row["kinds"]],
            created_at=row["created_at"],
            told_until=journal.cursor_text((row["xid"], row["event_id"])),
            previous_secret_until=until if until is not None and until > now else None,
            paused_at=row["paused_at"],
            pause_reason=WebhookPauseReason[row["pause_reason"]] if row["pause_reason"] else None,
            failing_since=row["failing_since"],
            key=row["id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Webhook | None":
        """The webhook with this id, if the viewer may see it."""
        key = key_of(id, "Webhook")
        row = await info.context.loaders.webhook.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer.at)

    @strawberry.field(
        description="What was sent and is to be sent, newest first; kept for 30 days once it has ended.",
        directives=[PAGE],
    )
    async def deliveries(self, info: Info, first: First = 50, after: After = None) -> WebhookDeliveryConnection:
        page = await info.context.loaders.deliveries_of_webhook.load((self.key, place(first, after)))
        return WebhookDeliveryConnection.of(page)


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    url: str = strawberry.field(
        description="Where messages are posted to: https, of the public internet, on port 443 or one from 1024 up."
    )
    kinds: list[ChangeKind] = strawberry.field(
        default_factory=list, description="What it is told of; empty: everything."
    )


@strawberry.type(description="The webhook, which is told of what happens from now on.")
class WebhookCreated:
    webhook: Webhook = strawberry.field(description="The webhook.")
    secret: str = strawberry.field(description="What its messages are signed with. Shown this once: keep it.")


CreateWebhookPayload = Annotated[
    WebhookCreated | NotLoggedIn | NotAllowed | InvalidInput,
    strawberry.union("CreateWebhookPayload", description="The webhook, or why there is none."),
]


@strawberry.input(description="What is to be changed of a webhook; whatever is left out or null stays as it is.")
class ChangeWebhookInput:
    id: strawberry.ID = strawberry.field(description="The webhook.")
    url: str | None = strawberry.field(default=None, description="Another address; what waits goes there at once.")
    kinds: list[ChangeKind] | None = strawberry.field(
        default=None, description="What it is told of from now on; empty: everything."
    )
    is_paused: bool | None = strawberry.field(
        default=None,
        description="True: nothing is sent. False: it is sent again, everything that happened meanwhile too; to leave "
        "that out, use `replayWebhook` with a later cursor before.",
    )
    end_previous_secret: bool = strawberry.field(
        default=False, description="Whether the secret before signs no more from now on."
    )


@strawberry.type(description="The webhook was changed.")
class WebhookChanged:
    webhook: Webhook = strawberry.field(description="The webhook as it is now.")


ChangeWebhookPayload = Annotated[
    WebhookChanged | NotLoggedIn | NotAllowed | WebhookNotFound | InvalidInput,
    strawberry.union("ChangeWebhookPayload", description="The webhook as it is now, or why it stays."),
]


@strawberry.input(description="A webhook to be deleted.")
class DeleteWebhookInput:
    id: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.type(description="The webhook is gone; nothing more is sent to it.")
class WebhookDeleted:
    message: str = strawberry.field(description="What has happened, in the viewer's language, fit to be shown.")


DeleteWebhookPayload = Annotated[
    WebhookDeleted | NotLoggedIn | NotAllowed | WebhookNotFound,
    strawberry.union("DeleteWebhookPayload", description="That it is gone, or why not."),
]


@strawberry.input(description="A webhook whose secret is to be another one.")
class RotateWebhookSecretInput:
    id: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.type(description="Both secrets sign for 24 hours, or until the one before is ended by `changeWebhook`.")
class WebhookSecretRotated:
    webhook: Webhook = strawberry.field(description="The webhook.")
    secret: str = strawberry.field(description="The new secret. Shown this once: keep it.")


RotateWebhookSecretPayload = Annotated[
    WebhookSecretRotated | NotLoggedIn | NotAllowed | WebhookNotFound,
    strawberry.union("RotateWebhookSecretPayload", description="The new secret, or why there is none."),
]


@strawberry.input(description="A webhook to be tested.")
class TestWebhookInput:
    id: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.type(description="A message of type `test` was sent, once.")
class WebhookTested:
    delivery: WebhookDelivery = strawberry.field(description="The message, with what it was answered.")


TestWebhookPayload = Annotated[
    WebhookTested | NotLoggedIn | NotAllowed | WebhookNotFound | TooManyTries,
    strawberry.union("TestWebhookPayload", description="What became of the test, or why there was none."),
]


@strawberry.input(description="From where on a webhook is to be told again.")
class ReplayWebhookInput:
    id: strawberry.ID = strawberry.field(description="The webhook.")
    after: str = strawberry.field(
        description="A cursor, as of `changes`: everything behind it is sent again, under the ids that it had. One "
        "that is later than `toldUntil` leaves out what lies between."
    )


@strawberry.type(description="The messages will be sent soon.")
class WebhookReplayed:
    webhook: Webhook = strawberry.field(description="The webhook.")


ReplayWebhookPayload = Annotated[
    WebhookReplayed | NotLoggedIn | NotAllowed | WebhookNotFound | InvalidInput | TooManyTries,
    strawberry.union("ReplayWebhookPayload", description="The webhook, or why nothing is sent again."),
]


@strawberry.input(description="A message to be sent again.")
class ResendDeliveryInput:
    id: strawberry.ID = strawberry.field(description="The message's id, which is its `webhook-id`.")


@strawberry.type(description="The message will be sent soon, as if it were new.")
class DeliveryResent:
    delivery: WebhookDelivery = strawberry.field(description="The message.")


ResendDeliveryPayload = Annotated[
    DeliveryResent | NotLoggedIn | NotAllowed | DeliveryNotFound | TooManyTries,
    strawberry.union("ResendDeliveryPayload", description="The message, or why it is not sent again."),
]


@strawberry.type
class WebhookMutation:
    @strawberry.mutation(description="Have an address told of what happens from now on; at most 20 of an institution.")
    async def create_webhook(self, info: Info, input: Input[CreateWebhookInput]) -> CreateWebhookPayload:
        viewer = info.context.viewer
        made = await webhooks.create(viewer, input.url, _kinds(input.kinds))
        return WebhookCreated(webhook=Webhook.of(made.webhook, viewer.at), secret=made.secret)

    @strawberry.mutation(description="Change, pause or resume a webhook.")
    async def change_webhook(self, info: Info, input: Input[ChangeWebhookInput]) -> ChangeWebhookPayload:
        viewer = info.context.viewer
        kinds = None if input.kinds is None else _kinds(input.kinds)
        wishes = webhooks.Wishes(input.url, kinds, input.is_paused, input.end_previous_secret)
        changed = await webhooks.change(viewer, _key(input.id), wishes)
        return WebhookChanged(webhook=Webhook.of(changed, viewer.at))

    @strawberry.mutation(description="Delete a webhook for good.")
    async def delete_webhook(self, info: Info, input: Input[DeleteWebhookInput]) -> DeleteWebhookPayload:
        await webhooks.delete(info.context.viewer, _key(input.id))
        return WebhookDeleted(message=told("The webhook is deleted.", info.context.viewer.language))

    @strawberry.mutation(description="Make a new secret for a webhook; the one before signs as well for 24 hours.")
    async def rotate_webhook_secret(
        self, info: Info, input: Input[RotateWebhookSecretInput]
    ) -> RotateWebhookSecretPayload:
        viewer = info.context.viewer
        made = await webhooks.rotate(viewer, _key(input.id))
        return WebhookSecretRotated(webhook=Webhook.of(made.webhook, viewer.at), secret=made.secret)

    @strawberry.mutation(
        description="Send a test to a webhook and wait for its answer, at most 15 seconds; a paused one, too.",
        directives=[SENDING],
    )
    async def test_webhook(self, info: Info, input: Input[TestWebhookInput]) -> TestWebhookPayload:
        row = await webhooks.test(info.context.viewer, _key(input.id), info.context.clock)
        return WebhookTested(delivery=WebhookDelivery.of(row))

    @strawberry.mutation(description="Tell a webhook again of everything that happened since a cursor.")
    async def replay_webhook(self, info: Info, input: Input[ReplayWebhookInput]) -> ReplayWebhookPayload:
        viewer = info.context.viewer
        row = await webhooks.replay(viewer, _key(input.id), input.after)
        return WebhookReplayed(webhook=Webhook.of(row, viewer.at))

    @strawberry.mutation(description="Send one message again, whatever became of it.")
    async def resend_delivery(self, info: Info, input: Input[ResendDeliveryInput]) -> ResendDeliveryPayload:
        row = await webhooks.resend(info.context.viewer, key_of(input.id, "WebhookDelivery") or uuid4())
        return DeliveryResent(delivery=WebhookDelivery.of(row))


def _key(id: strawberry.ID) -> UUID:
    return key_of(id, "Webhook") or uuid4()  # a fresh key names nothing


def _kinds(kinds: list[ChangeKind]) -> list[EventKind]:
    return [EventKind[kind.name] for kind in kinds]
