"""Invitations by candidates to institutions that have no account yet (S7)."""

from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from tortoise import fields

from engine import keys
from models.application import AccountApplication
from models.base import Table
from models.candidate import Candidate
from models.viewer import Kind, Viewer, Visible, visible

VALID = timedelta(days=30)
ANSWER = "invitation"


class InvitationStatus(Enum):
    """How far an invitation has come; that one has expired is decided by the clock."""

    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


class Invitation(Table):
    """One candidate's invitation to one address; accepted once the institution has applied."""

    candidate: fields.ForeignKeyRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="invitations", on_delete=fields.CASCADE
    )
    candidate_id: UUID
    name = fields.TextField()
    email = fields.TextField()
    website = fields.TextField()
    country = fields.CharField(max_length=2, null=True)
    language = fields.CharField(max_length=2)
    invited_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    declined_at = fields.DatetimeField(null=True)
    application: fields.ForeignKeyNullableRelation[AccountApplication] = fields.ForeignKeyField(
        "models.AccountApplication", related_name="invitations", null=True, on_delete=fields.SET_NULL
    )
    application_id: UUID | None
    told_at = fields.DatetimeField(null=True)  # when the candidate was told that the institution has been approved

    class Meta:
        table = "invitation"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Invitation"]:
        """One's own; all, for the board's staff."""
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: "invitation.candidate_id = :viewer_id",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )


def status(
    invited_at: datetime, accepted_at: datetime | None, declined_at: datetime | None, now: datetime
) -> InvitationStatus:
    """How far an invitation has come at a moment."""
    if declined_at is not None:
        return InvitationStatus.DECLINED
    if accepted_at is not None:
        return InvitationStatus.ACCEPTED
    return InvitationStatus.EXPIRED if invited_at <= now - VALID else InvitationStatus.SENT


def invitation_token(invitation_id: UUID) -> str:
    """The token of the link by which an institution answers an invitation."""
    return keys.sealed_id(ANSWER, invitation_id)


def invitation_of(token: str) -> UUID | None:
    """The invitation that a token belongs to; None for anything we did not make."""
    return keys.id_in(ANSWER, token)
