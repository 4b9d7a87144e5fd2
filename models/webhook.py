"""Webhooks: where an institution wants to be told of what happens, and what was told (N7)."""

from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField

from models.base import Table
from models.institution import Institution
from models.scope import Scope
from models.viewer import Kind, Viewer, Visible, visible


class PauseReason(Enum):
    """Why nothing is sent to a webhook."""

    BY_HAND = "BY_HAND"
    GONE = "GONE"
    FAILING = "FAILING"


class Webhook(Table):
    """One address of an institution, and how far in the journal it has been told.

    Its secrets are sealed from its id and the number of the secret, so that none is stored.
    """

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="webhooks", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    url = fields.TextField()
    kinds = ArrayField(element_type="text")  # of journal events; empty: all
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    secret_number = fields.IntField(default=1, db_default=1)
    previous_until = fields.DatetimeField(null=True)  # until when the secret before signs as well
    xid = fields.BigIntField()
    event_id = fields.BigIntField()
    paused_at = fields.DatetimeField(null=True)  # nothing is sent until it is resumed
    pause_reason = fields.CharEnumField(PauseReason, max_length=20, null=True, description="Why nothing is sent")
    failures = fields.IntField(default=0, db_default=0)  # one behind the other, since the last message that was taken
    failing_since = fields.DatetimeField(null=True)  # the first of them
    held_until = fields.DatetimeField(null=True)  # after some of them, all that waits waits until then
    told_at = fields.DatetimeField(null=True)  # when the Primary User was mailed about them
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Webhook"]:
        """Those of one's own institution, for its Primary User and for keys that manage; all, for the board's staff."""
        own = "webhook.institution_id = :viewer_institution_id AND webhook.deleted_at IS NULL"
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: own if viewer.is_primary else "false",
                Kind.KEY: own if viewer.has(Scope.MANAGE) else "false",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )


class DeliveryFailure(Enum):
    """Why a try failed: it was answered, but not with 2xx; or what `engine/outbound.py` says."""

    REFUSED = "REFUSED"
    NAME_NOT_FOUND = "NAME_NOT_FOUND"
    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    NOT_CONNECTED = "NOT_CONNECTED"
    TLS = "TLS"
    BROKEN_OFF = "BROKEN_OFF"
    TOO_LATE = "TOO_LATE"


class DeliveryStatus(Enum):
    """What has become of one message to a webhook."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class WebhookDelivery(Table):
    """One message to one webhook, tried until it is taken or 24 hours have passed. Its id is the message's id."""

    webhook: fields.ForeignKeyRelation[Webhook] = fields.ForeignKeyField(
        "models.Webhook", related_name="deliveries", on_delete=fields.CASCADE
    )
    webhook_id: UUID
    xid = fields.BigIntField(null=True)  # of the journal's event; null: a test, which is tried once
    event_id = fields.BigIntField(null=True)
    kind = fields.CharField(max_length=30)
    payload: fields.Field[dict[str, Any]] = fields.JSONField()  # ids and kinds only: no personal data
    status = fields.CharEnumField(DeliveryStatus, max_length=20, description="What has become of it")
    tries = fields.IntField(default=0, db_default=0)
    created_at = fields.DatetimeField()
    next_try_at = fields.DatetimeField(null=True)
    give_up_at = fields.DatetimeField(null=True)  # a try that fails then is the last
    last_try_at = fields.DatetimeField(null=True)
    last_status = fields.IntField(null=True)  # of HTTP
    last_failure = fields.CharEnumField(
        DeliveryFailure, max_length=30, null=True, description="Why the last try failed"
    )
    last_milliseconds = fields.IntField(null=True)

    class Meta:
        table = "webhook_delivery"
