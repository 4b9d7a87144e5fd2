"""Applications for an account of an institution (O2)."""

from datetime import date, timedelta
from enum import Enum
from uuid import UUID

from tortoise import fields

from engine import keys
from models.base import Table
from models.institution import Institution
from models.viewer import Kind, Viewer, Visible, visible

CONFIRM_VALID = timedelta(days=7)
CONFIRM = "application"


class ApplicationStatus(Enum):
    """How far an application has come."""

    APPLIED = "APPLIED"
    EMAIL_CONFIRMED = "EMAIL_CONFIRMED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class AccountApplication(Table):
    """Who applied for an institution's account, and what staff decided.

    `due_on` is the day by which staff mean to decide: five working days after the address was confirmed.
    """

    institution: fields.OneToOneRelation[Institution] = fields.OneToOneField(
        "models.Institution", related_name="application", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    status = fields.CharEnumField(ApplicationStatus, max_length=20, description="State of the application")
    applicant_name = fields.TextField()
    applicant_email = fields.TextField()
    language = fields.CharField(max_length=2, default="en")
    applied_at = fields.DatetimeField()
    email_confirmed_at = fields.DatetimeField(null=True)
    due_on: date | None = fields.DateField(null=True)
    decided_at = fields.DatetimeField(null=True)
    decided_by: UUID | None = fields.UUIDField(null=True)
    reason: str | None = fields.TextField(null=True)

    class Meta:
        table = "application"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["AccountApplication"]:
        """All, for the board's staff; nobody else sees one."""
        return visible(cls, viewer, {Kind.STAFF: "true" if viewer.is_board else "false"})


def application_token(application_id: UUID) -> str:
    """The token of the link by which an applicant confirms the address."""
    return keys.sealed_id(CONFIRM, application_id)


def application_of(token: str) -> UUID | None:
    """The application that a token belongs to; None for anything we did not make."""
    return keys.id_in(CONFIRM, token)
