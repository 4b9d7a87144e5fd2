"""Letters waiting to be mailed: rows written in the transaction that causes them, sent after it."""

from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.candidate import Candidate
from models.verifier import VerifierUser


class Letter(Table):
    """One letter to one address. `facts` names rows; secrets are made when it is written out, never stored.

    It is waiting, or it was sent, was refused for good, or was parked after ten tries. `begun_at` is set while a
    worker tries to send it.
    """

    kind = fields.CharField(max_length=40)
    candidate: fields.ForeignKeyNullableRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="letters", null=True, on_delete=fields.CASCADE
    )
    candidate_id: UUID | None
    verifier: fields.ForeignKeyNullableRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="letters", null=True, on_delete=fields.CASCADE
    )
    verifier_id: UUID | None
    address = fields.TextField()
    language = fields.CharField(max_length=2)
    facts = fields.JSONField[dict[str, Any]]()
    written_at = fields.DatetimeField()
    next_try_at = fields.DatetimeField()
    begun_at = fields.DatetimeField(null=True)
    tries = fields.IntField(default=0)
    sent_at = fields.DatetimeField(null=True)
    refused_at = fields.DatetimeField(null=True)
    parked_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "letter"


# What a worker may still try.
WAITING = "letter.sent_at IS NULL AND letter.refused_at IS NULL AND letter.parked_at IS NULL"
