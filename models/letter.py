"""Letters waiting to be mailed: rows written in the transaction that causes them, sent after it."""

from tortoise import fields

from models.base import Table


class Letter(Table):
    """One letter to one address. `facts` names rows; secrets are made when it is written out, never stored."""

    kind = fields.CharField(max_length=40)
    address = fields.TextField()
    language = fields.CharField(max_length=2)
    facts = fields.JSONField[dict[str, str]]()
    written_at = fields.DatetimeField()
    next_try_at = fields.DatetimeField()
    tries = fields.IntField(default=0)
    sent_at = fields.DatetimeField(null=True)
    refused_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "letter"
