"""Institutions: bodies that check results, and the names they are found by."""

from enum import Enum
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from models.base import Table
from models.notify import Notify
from models.viewer import Kind, Viewer, Visible, visible


class InstitutionKind(Enum):
    """What sort of body an institution is."""

    EDUCATION = "EDUCATION"
    EMPLOYER = "EMPLOYER"
    GOVERNMENT = "GOVERNMENT"


class InstitutionStatus(Enum):
    """How far an institution's account has come; only approved ones see anything (O3)."""

    APPLIED = "APPLIED"
    EMAIL_CONFIRMED = "EMAIL_CONFIRMED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    SUSPENDED = "SUSPENDED"
    MERGED = "MERGED"


# The one rule by which an institution sees anything, and is found and sent to (O3): whatever is let in on its behalf
# (users, links, files, streams, mails, and keys and webhooks too) asks this. A sandbox is as its institution is (P4).
APPROVED = """(institution.status = 'APPROVED' AND (institution.sandbox_of_id IS NULL OR EXISTS (
    SELECT 1 FROM institution AS owner WHERE owner.id = institution.sandbox_of_id AND owner.status = 'APPROVED')))"""
REAL = "institution.sandbox_of_id IS NULL"
# Those that this viewer may know of: a sandbox is its own institution's alone, and is found and sent to by nobody.
OF_WORLD = f"({REAL} OR :viewer_institution_id IN (institution.id, institution.sandbox_of_id))"


class Institution(Table):
    """One account of an institution; a department has its institution as `parent`."""

    name = fields.TextField()
    department = fields.TextField(null=True)
    parent: fields.ForeignKeyNullableRelation["Institution"] = fields.ForeignKeyField(
        "models.Institution", related_name="departments", null=True, on_delete=fields.RESTRICT
    )
    parent_id: UUID | None
    kind = fields.CharEnumField(InstitutionKind, max_length=20, description="Sort of body")
    country = fields.CharField(max_length=2)
    city = fields.TextField()
    website = fields.TextField()
    timezone = fields.TextField(default="UTC")
    default_notify = fields.CharEnumField(
        Notify, max_length=20, default=Notify.OFF, db_default=Notify.OFF, description="What new users start with"
    )
    status = fields.CharEnumField(InstitutionStatus, max_length=20, description="State of the account")
    applied_at = fields.DatetimeField()
    approved_at = fields.DatetimeField(null=True)
    suspended_at = fields.DatetimeField(null=True)
    suspension_reason = fields.TextField(null=True)
    # The account that a duplicate's users and shares went to.
    merged_into: fields.ForeignKeyNullableRelation["Institution"] = fields.ForeignKeyField(
        "models.Institution", related_name="duplicates", null=True, on_delete=fields.RESTRICT
    )
    merged_into_id: UUID | None
    # The institution whose programs try themselves out here, on invented candidates (P4); nobody else finds it.
    sandbox_of: fields.ForeignKeyNullableRelation["Institution"] = fields.ForeignKeyField(
        "models.Institution", related_name="sandboxes", null=True, on_delete=fields.RESTRICT
    )
    sandbox_of_id: UUID | None
    # What likely duplicates are found by (O4): the registrable domain of its website, and the name as it looks.
    domain = fields.TextField(null=True)
    skeleton = fields.TextField(null=True)

    class Meta:
        table = "institution"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Institution"]:
        """Approved ones, for everybody; those that they sent a result to, for a candidate; all, for the board.

        A sandbox is seen from inside, and by the institution whose it is.
        """
        sent_to = """EXISTS (SELECT 1 FROM share
                     WHERE share.institution_id = institution.id AND share.candidate_id = :viewer_id)"""
        return visible(
            cls,
            viewer,
            {
                Kind.ANONYMOUS: f"{APPROVED} AND {REAL}",
                Kind.CANDIDATE: f"{OF_WORLD} AND ({APPROVED} OR {sent_to})",
                Kind.VERIFIER: f"{APPROVED} AND {OF_WORLD}",
                Kind.KEY: f"{APPROVED} AND {OF_WORLD}",
                Kind.STAFF: OF_WORLD if viewer.is_board else f"{APPROVED} AND {REAL}",
            },
        )


class InstitutionName(Model):
    """One name or alias that an institution is found by, as written and as searched (see models/names.py)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="names", on_delete=fields.CASCADE
    )
    institution_id: UUID
    written = fields.TextField()
    searched = fields.TextField()
    grams = ArrayField(element_type="text")
    is_alias = fields.BooleanField()

    class Meta:
        table = "institution_name"
