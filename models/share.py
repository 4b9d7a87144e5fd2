"""Shares: one result sent by its candidate to one institution."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from tortoise import fields

from errors import ShareExpired
from models.base import Table
from models.candidate import LIVE_SHARE, OF_WORLD, RELEASED, Candidate
from models.institution import Institution
from models.result import Result
from models.scope import Scope
from models.viewer import Kind, Viewer, Visible, visible

OF_RELEASED = f"EXISTS (SELECT 1 FROM result WHERE result.id = share.result_id AND {RELEASED})"

# The shares that stand in the way of another one of the same result to the same institution (S4): the condition of
# the unique index `share_once`. One that is past its day is told to have expired before there is a new one.
BLOCKING = "withdrawn_at IS NULL AND expiry_told_at IS NULL AND merged_into_id IS NULL"


class Part(Enum):
    """What a candidate can leave out of a share, by the column that says whether it is in (S9)."""

    SKILLS = "includes_skills"
    PHOTO = "includes_photo"
    DOWNLOADS = "allows_downloads"


# What a key needs for each part.
SCOPES = {Part.SKILLS: Scope.READ_SKILLS, Part.PHOTO: Scope.READ_PHOTO, Part.DOWNLOADS: Scope.DOWNLOAD}


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
    # The share that stands for it since two accounts, both of which held the result, were merged.
    merged_into: fields.ForeignKeyNullableRelation["Share"] = fields.ForeignKeyField(
        "models.Share", related_name="duplicates", null=True, on_delete=fields.RESTRICT
    )
    merged_into_id: UUID | None
    expires_at: datetime | None = fields.DatetimeField(null=True)
    # When the journal was told; expiry itself is by the clock.
    expiry_told_at: datetime | None = fields.DatetimeField(null=True)
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
        """One's own, whatever became of them; live ones to the verifier's institution; all, for the board's staff.

        A key that reads shares sees those of its institution. One that another stands for, since two accounts were
        merged, is shown to the board alone.

        A centre's staff see none: where a candidate sends a result is not their business. One whose result is not
        released is seen by the board alone: it would tell the result (R3).
        """
        of_institution = f"share.institution_id = :viewer_institution_id AND {LIVE_SHARE} AND {OF_RELEASED}"
        of_world = f"EXISTS (SELECT 1 FROM candidate WHERE candidate.id = share.candidate_id AND {OF_WORLD})"
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: f"share.candidate_id = :viewer_id AND share.merged_into_id IS NULL AND {OF_RELEASED}",
                Kind.VERIFIER: of_institution,
                Kind.KEY: of_institution if viewer.has(Scope.READ_SHARES) else "false",
                Kind.STAFF: of_world if viewer.is_board else "false",
            },
        )

    @classmethod
    def withdrawn_from(cls, viewer: Viewer) -> Visible["Share"]:
        """Those of which the viewer may know that they were withdrawn, and when; nothing else of them (S10)."""
        of_institution = "share.institution_id = :viewer_institution_id AND share.withdrawn_at IS NOT NULL"
        withdrawn = f"{of_institution} AND {OF_RELEASED}"
        of_key = withdrawn if viewer.has(Scope.READ_SHARES) else "false"
        return visible(cls, viewer, {Kind.VERIFIER: withdrawn, Kind.KEY: of_key})

    @classmethod
    def allows(cls, viewer: Viewer, part: Part) -> Visible[Result]:
        """The results of which the viewer may have this part, as a condition on `result`, beside `Result.visible_to`.

        A verifier may as far as the live share with their institution goes; a key besides that as far as its scopes
        do; candidates and staff always. Whatever
        makes a file, or shows a photo or skill scores by another way than `Result.of`, asks this: `Part.DOWNLOADS`
        for files that verifiers take away, statements too, `Part.PHOTO` for the picture, `Part.SKILLS` for scores.
        """
        live = f"""EXISTS (SELECT 1 FROM share WHERE share.result_id = result.id AND share.{part.value}
                   AND share.institution_id = :viewer_institution_id AND {LIVE_SHARE})"""
        of_key = live if viewer.has(SCOPES[part]) else "false"
        return visible(
            Result, viewer, {Kind.CANDIDATE: "true", Kind.VERIFIER: live, Kind.KEY: of_key, Kind.STAFF: "true"}
        )

    def check_not_expired(self, now: datetime) -> None:
        """Raises ShareExpired if its day has come."""
        if self.expires_at is not None and (self.expiry_told_at is not None or self.expires_at <= now):
            raise ShareExpired(self.expires_at)
