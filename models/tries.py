"""Counters of wrong tries and of rates, kept in the database so that every process counts the same ones."""

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
