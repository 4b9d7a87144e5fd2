"""Log-in sessions, and what mailed links do; only hashes of tokens are stored, and of links nothing (G3)."""

import base64
import binascii
import hmac
from datetime import timedelta
from enum import Enum
from uuid import UUID

from tortoise import fields

from engine import keys
from models.base import Table
from models.candidate import Candidate
from models.verifier import StaffUser, VerifierUser

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
RESET_VALID = timedelta(minutes=60)
EMAIL_CHANGE_VALID = timedelta(hours=24)
INVITATION_VALID = timedelta(days=7)


class Session(Table):
    """One log-in of one candidate, verifier or member of staff; valid 30 minutes idle, 12 hours at most (A10)."""

    token_hash = fields.BinaryField()
    candidate: fields.ForeignKeyNullableRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="sessions", null=True, on_delete=fields.CASCADE
    )
    candidate_id: UUID | None
    verifier: fields.ForeignKeyNullableRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="sessions", null=True, on_delete=fields.CASCADE
    )
    verifier_id: UUID | None
    staff: fields.ForeignKeyNullableRelation[StaffUser] = fields.ForeignKeyField(
        "models.StaffUser", related_name="sessions", null=True, on_delete=fields.CASCADE
    )
    staff_id: UUID | None
    created_at = fields.DatetimeField()
    used_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "session"


class PasswordReset(Table):
    """A request to reset a candidate's password; its link is valid 60 minutes, once (A5)."""

    candidate: fields.ForeignKeyRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="password_resets", on_delete=fields.CASCADE
    )
    candidate_id: UUID
    asked_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "password_reset"


class EmailChange(Table):
    """A candidate's wish for another e-mail address, which counts once its mailed link is used (A9)."""

    candidate: fields.ForeignKeyRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="email_changes", on_delete=fields.CASCADE
    )
    candidate_id: UUID
    new_email = fields.TextField()
    asked_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "email_change"


class VerifierLinkKind(Enum):
    """What a link that was mailed to a verifier is for; both lead to setting a password."""

    INVITATION = "INVITATION"
    RESET = "RESET"


class VerifierLink(Table):
    """A link by which a verifier sets a password: the first one within 7 days (U2), another one within 60 minutes."""

    verifier: fields.ForeignKeyRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="links", on_delete=fields.CASCADE
    )
    verifier_id: UUID
    kind = fields.CharEnumField(VerifierLinkKind, max_length=20, description="What the link is for")
    asked_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "verifier_link"


def reset_token(reset_id: UUID) -> str:
    """The token of a reset link."""
    return _token("password-reset", reset_id)


def reset_of(token: str) -> UUID | None:
    """The reset that a token belongs to; None for anything we did not make."""
    return _id_of("password-reset", token)


def email_change_token(change_id: UUID) -> str:
    """The token of a link that confirms a new e-mail address."""
    return _token("email-change", change_id)


def email_change_of(token: str) -> UUID | None:
    """The change of address that a token belongs to; None for anything we did not make."""
    return _id_of("email-change", token)


def verifier_link_token(link_id: UUID) -> str:
    """The token of a link by which a user of an institution sets a password."""
    return _token("verifier-link", link_id)


def verifier_link_of(token: str) -> UUID | None:
    """The link that a token belongs to; None for anything we did not make."""
    return _id_of("verifier-link", token)


def _token(purpose: str, id: UUID) -> str:
    """Sealed with the service's key for one purpose, so it need not be stored to be mailed again."""
    return base64.urlsafe_b64encode(id.bytes + keys.seal(purpose, str(id))).decode()


def _id_of(purpose: str, token: str) -> UUID | None:
    try:
        id = UUID(bytes=base64.urlsafe_b64decode(token.encode("ascii"))[:16])
    except (binascii.Error, ValueError):
        return None
    return id if hmac.compare_digest(_token(purpose, id), token) else None
