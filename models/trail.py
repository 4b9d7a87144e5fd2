"""The trail: who did or saw what of a candidate's data, when, from where, on which path (G1). Nothing is ever changed.

Entries are written in the transaction, or the statement, that shows or changes the data. They are chained afterwards,
so that readers of one institution do not wait for one another: a seal covers all entries of one chain since the seal
before it, and holds the hash of both. A chain is an institution's, or the board's own.
"""

from enum import Enum
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

BOARD_CHAIN = UUID(int=0)


class TrailAct(Enum):
    """What was done."""

    READ = "READ"
    OPENED = "OPENED"
    LOOKED_UP = "LOOKED_UP"
    DOWNLOADED = "DOWNLOADED"
    PULLED = "PULLED"
    TOLD = "TOLD"
    CHANGED = "CHANGED"


class TrailEntry(Model):
    """One request's doing with the data of one or more candidates; never scores, secrets or passwords.

    `results` and `versions` belong together, place by place. The column `xid`, added by the migration, orders
    entries by commit, as in the journal.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    chain: UUID = fields.UUIDField()
    act = fields.CharEnumField(TrailAct, max_length=20, description="What was done")
    at = fields.DatetimeField()
    viewer_kind = fields.CharField(max_length=20)
    viewer_id: UUID | None = fields.UUIDField(null=True)
    institution_id: UUID | None = fields.UUIDField(null=True)
    candidates = ArrayField(element_type="uuid")
    results = ArrayField(element_type="uuid")
    versions = ArrayField(element_type="int")
    path = fields.TextField()
    address = fields.TextField()
    request_id = fields.TextField()
    purpose = fields.TextField(null=True)

    class Meta:
        table = "trail"


class TrailSeal(Model):
    """The hash over the entries of one chain up to a place, and over the seal before."""

    id = fields.BigIntField(primary_key=True, generated=True)
    chain: UUID = fields.UUIDField()
    number = fields.BigIntField()
    last_xid = fields.BigIntField()
    last_id = fields.BigIntField()
    entries = fields.BigIntField()
    previous_hash = fields.BinaryField()
    hash = fields.BinaryField()
    sealed_at = fields.DatetimeField()

    class Meta:
        table = "trail_seal"
