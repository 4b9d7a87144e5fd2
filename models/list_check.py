"""Lists of people to verify that were handed in as a file, and are worked through by a job (V5)."""

from enum import Enum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.institution import Institution
from models.key import ApiKey
from models.scope import Scope
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer, Visible, visible


class ListCheckStatus(Enum):
    """How far a list has come."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    READY = "READY"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class ListCheck(Table):
    """One file, how much of it has been worked through, and where its result lies. Files are named by the row's id."""

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="list_checks", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    verifier: fields.ForeignKeyNullableRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="list_checks", null=True, on_delete=fields.RESTRICT
    )
    verifier_id: UUID | None
    key: fields.ForeignKeyNullableRelation[ApiKey] = fields.ForeignKeyField(
        "models.ApiKey", related_name="list_checks", null=True, on_delete=fields.RESTRICT
    )
    key_id: UUID | None
    status = fields.CharEnumField(ListCheckStatus, max_length=20, description="State of the list")
    purpose = fields.TextField()
    address = fields.TextField()  # where the request came from, for the trail
    request_id = fields.TextField()
    file_name = fields.TextField()
    format = fields.CharField(max_length=10)
    rows = fields.IntField()
    done = fields.IntField(default=0)
    # How many rows were counted against the limits, and when the last of them were: a batch is counted before it is
    # checked, and once, whatever dies in between.
    admitted = fields.IntField(default=0, db_default=0)
    admitted_at = fields.DatetimeField(null=True)
    paused_until = fields.DatetimeField(null=True)  # a limit was reached
    asked_at = fields.DatetimeField()
    ready_at = fields.DatetimeField(null=True)
    failure = fields.TextField(null=True)

    class Meta:
        table = "list_check"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["ListCheck"]:
        """Those of one's own institution, for a key if it looks up; all, for the board's staff."""
        own = "list_check.institution_id = :viewer_institution_id"
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: own,
                Kind.KEY: own if viewer.has(Scope.VERIFY) else "false",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )


class ListCheckBatch(Table):
    """The verdicts on some rows of a list, kept as soon as they are there, so that a killed job goes on from there."""

    list_check: fields.ForeignKeyRelation[ListCheck] = fields.ForeignKeyField(
        "models.ListCheck", related_name="batches", on_delete=fields.CASCADE
    )
    list_check_id: UUID
    first_row = fields.IntField()  # counted from 0
    verdicts: fields.Field[list[dict[str, Any]]] = fields.JSONField()

    class Meta:
        table = "list_check_batch"
