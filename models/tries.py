"""Counters of wrong tries, of rates and of points, kept in the database so that every process counts the same ones."""

from tortoise import fields
from tortoise.models import Model


class WrongTries(Model):
    """Wrong tries against one name (a log-in name, an ID Number), whether or not such a name exists."""

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharField(max_length=20)
    subject = fields.BinaryField()
    in_a_row = fields.IntField(default=0)
    ever = fields.IntField(default=0)
    locked_until = fields.DatetimeField(null=True)
    last_at = fields.DatetimeField()

    class Meta:
        table = "wrong_tries"


class RateWindow(Model):
    """How often something was done in one window of time, by one subject (an address, the whole service)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharField(max_length=40)
    subject = fields.CharField(max_length=80)
    window_started_at = fields.DatetimeField()
    count = fields.IntField(default=0)

    class Meta:
        table = "rate_window"


class Allowance(Model):
    """What an account spent in its latest window, and each of its keys; unlogged: a crash may forget it (P3).

    `key_id` is the key that was counted last, and `is_within` whether that operation was let in.
    """

    account_id = fields.UUIDField(primary_key=True)
    window_started_at = fields.DatetimeField()
    spent = fields.IntField()
    by_key: fields.JSONField[dict[str, int]] = fields.JSONField()
    key_id = fields.UUIDField(null=True)
    is_within = fields.BooleanField()

    class Meta:
        table = "allowance"
