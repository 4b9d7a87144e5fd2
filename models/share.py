"""Shares: one result sent by its candidate to one institution."""

from uuid import UUID

from tortoise import fields

from models.base import Table
from models.candidate import LIVE_SHARE, RELEASED, Candidate
from models.institution import Institution
from models.result import Result
from models.viewer import Kind, Viewer, Visible, visible

OF_RELEASED = f"EXISTS (SELECT 1 FROM result WHERE result.id = share.result_id AND {RELEASED})"


class Share(Table):
    """A share and the consent it rests on (S3). `opened_at` is the first opening by any user, UTC."""

    result: fields.ForeignKeyRelation[Result] = fields.ForeignKeyField(
        "models.Result", related_name="shares", on_delete=fields.RESTRICT
    )
    result_id: UUID
    institution: fields.ForeignKeyRelation[Institution] = fields.ForeignKeyField(
        "models.Institution", related_name="shares", on_delete=fields.RESTRICT
    )
    institution_id: UUID
    candidate: fields.ForeignKeyRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="shares", on_delete=fields.RESTRICT
    )
    candidate_id: UUID
    sent_at = fields.DatetimeField()
    is_read = fields.BooleanField(default=False)
    opened_at = fields.DatetimeField(null=True)
    withdrawn_at = fields.DatetimeField(null=True)
    expires_at = fields.DatetimeField(null=True)
    expiry_told_at = fields.DatetimeField(null=True)  # when the journal was told; expiry itself is by the clock
    consent_text = fields.TextField()
    consent_version = fields.CharField(max_length=20)
    consent_language = fields.CharField(max_length=2)
    institution_name_shown = fields.TextField()
    # What the candidate attached and allowed (S9).
    purpose = fields.TextField(null=True)
    reference = fields.TextField(null=True)
    includes_skills = fields.BooleanField(default=True, db_default=True)
    includes_photo = fields.BooleanField(default=True, db_default=True)
    allows_downloads = fields.BooleanField(default=True, db_default=True)

    class Meta:
        table = "share"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Share"]:
        """One's own, whatever became of them; live ones to the verifier's institution; all, for staff.

        One whose result is not released is seen by staff alone: it would tell the result (R3).
        """
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: f"share.candidate_id = :viewer_id AND {OF_RELEASED}",
                Kind.VERIFIER: f"share.institution_id = :viewer_institution_id AND {LIVE_SHARE} AND {OF_RELEASED}",
                Kind.STAFF: "true",
            },
        )
