"""Requests of people to be added to an institution's account (O5)."""

from enum import Enum
from uuid import UUID

from tortoise import fields

from models.base import Table
from models.institution import Institution
from models.viewer import Kind, Viewer, Visible, visible


class JoinRequestStatus(Enum):
    """How far a request has come."""

    ASKED = "ASKED"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"


class JoinRequest(Table):
    """One person's request; decided by the Primary User, or by staff when the Primary does not answer."""

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="join_requests", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    status = fields.CharEnumField(JoinRequestStatus, max_length=20, description="State of the request")
    name = fields.TextField()
    email = fields.TextField()
    language = fields.CharField(max_length=2, default="en")
    asked_at = fields.DatetimeField()
    email_confirmed_at = fields.DatetimeField(null=True)
    decided_at = fields.DatetimeField(null=True)
    decided_by: UUID | None = fields.UUIDField(null=True)  # a verifier or a member of staff

    class Meta:
        table = "join_request"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["JoinRequest"]:
        """Those to one's own institution, for its Primary User; all, for the board's staff."""
        of_institution = "join_request.institution_id = :viewer_institution_id"
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: of_institution if viewer.is_primary else "false",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )
