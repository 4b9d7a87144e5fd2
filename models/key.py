"""Keys with which an institution's own programs use the API (P1)."""

from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField

from models.base import Table
from models.institution import Institution
from models.scope import Scope
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer, Visible, visible

USUAL_LIFE, LONGEST_LIFE = timedelta(days=365), timedelta(days=730)
MOST_AT_ONCE = 50  # good ones of one institution


OF_SANDBOX = """api_key.institution_id IN (
    SELECT institution.id FROM institution WHERE institution.sandbox_of_id = :viewer_institution_id)"""


class KeyStatus(Enum):
    """Whether a key is good; the state of its institution is another matter."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


def status(revoked_at: datetime | None, expires_at: datetime, now: datetime) -> KeyStatus:
    """Whether a key with these moments is good at another."""
    if revoked_at is not None:
        return KeyStatus.REVOKED
    return KeyStatus.ACTIVE if now < expires_at else KeyStatus.EXPIRED


class ApiKey(Table):
    """A key: `prefix` is the part of it that is shown, of the whole only the hash is kept. Moments are UTC."""

    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="keys", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    name = fields.TextField()
    prefix = fields.CharField(max_length=20)
    hash = fields.BinaryField()
    scopes = ArrayField(element_type="text")
    created_by: fields.ForeignKeyRelation[VerifierUser] = fields.ForeignKeyField(
        "models.VerifierUser", related_name="keys", on_delete=fields.RESTRICT
    )
    created_by_id: UUID
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    warned_days = fields.IntField(null=True)  # of the last mail about its end: how many days before it was due

    class Meta:
        table = "api_key"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["ApiKey"]:
        """Those of one's own institution, for its Primary User and for keys that manage; all, for the board's staff.

        Every key sees itself; those of an institution's sandbox are the institution's too.
        """
        own = f"""(api_key.institution_id = :viewer_institution_id OR {OF_SANDBOX})"""
        return visible(
            cls,
            viewer,
            {
                Kind.VERIFIER: own if viewer.is_primary else "false",
                Kind.KEY: own if viewer.has(Scope.MANAGE) else "api_key.id = :viewer_id",
                Kind.STAFF: "true" if viewer.is_board else "false",
            },
        )
