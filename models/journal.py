"""The journal: everything that happened to an institution's shares and results, in the transaction that did it."""

from enum import Enum
from uuid import UUID

from tortoise import fields
from tortoise.models import Model


class EventKind(Enum):
    """What happened."""

    SHARE_SENT = "SHARE_SENT"
    SHARE_READ = "SHARE_READ"
    SHARE_UNREAD = "SHARE_UNREAD"
    SHARE_EXPIRED = "SHARE_EXPIRED"
    SHARE_WITHDRAWN = "SHARE_WITHDRAWN"
    RESULT_AMENDED = "RESULT_AMENDED"
    RESULT_WITHHELD = "RESULT_WITHHELD"
    RESULT_RELEASED_AGAIN = "RESULT_RELEASED_AGAIN"
    RESULT_REVOKED = "RESULT_REVOKED"


class JournalEvent(Model):
    """One event. The column `xid`, added by the migration, orders events by commit (see resolvers/journal.py)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    institution_id: UUID = fields.UUIDField()
    kind = fields.CharEnumField(EventKind, max_length=30, description="What happened")
    share_id: UUID | None = fields.UUIDField(null=True)
    result_id: UUID | None = fields.UUIDField(null=True)
    result_version = fields.IntField(null=True)  # the one that stood after the event
    happened_at = fields.DatetimeField()

    class Meta:
        table = "journal"


class ResultChange(Enum):
    """What happened to a released result."""

    RELEASED = "RELEASED"
    AMENDED = "AMENDED"
    WITHHELD = "WITHHELD"
    RELEASED_AGAIN = "RELEASED_AGAIN"
    REVOKED = "REVOKED"


class ResultEvent(Model):
    """One change of a result, for its candidate (see resolvers/result_changes.py). `xid` is as in the journal."""

    id = fields.BigIntField(primary_key=True, generated=True)
    result_id: UUID = fields.UUIDField()
    kind = fields.CharEnumField(ResultChange, max_length=20, description="What happened")
    version = fields.IntField()  # the one that stood after the event
    happened_at = fields.DatetimeField()

    class Meta:
        table = "result_event"


class JournalReader(Model):
    """How far a reader of the whole journal has come; subscribers and integrators keep their cursors themselves."""

    name = fields.CharField(max_length=40, primary_key=True)
    xid = fields.BigIntField()
    event_id = fields.BigIntField()

    class Meta:
        table = "journal_reader"
