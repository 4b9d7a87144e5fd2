"""People who sat an exam, or are entered for one."""

from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField

from models.base import Table
from models.scope import Scope
from models.viewer import Kind, Viewer, Visible, visible

LANGUAGES = ("en", "ja")


class Candidate(Table):
    """A candidate; registered once `registered_at` is set. Names and date of birth come from the centre."""

    family_name = fields.TextField()
    given_name = fields.TextField()
    native_name = fields.TextField(null=True)
    # What institutions find the names by (see models/person_names.py); whoever writes a name writes these.
    searched = fields.TextField(default="", db_default="")
    grams = ArrayField(element_type="text", default=list, db_default=[])
    date_of_birth = fields.DateField()
    email = fields.TextField(null=True)
    email_refused_at = fields.DatetimeField(null=True)
    password_hash = fields.TextField(null=True)
    language = fields.CharField(max_length=2, default="en")
    wants_updates = fields.BooleanField(default=False)
    terms_version = fields.TextField(null=True)
    terms_accepted_at = fields.DatetimeField(null=True)
    registered_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    merged_into_id: UUID | None = fields.UUIDField(null=True)  # the account that this person's entries went to (A11)
    sandbox_id: UUID | None = fields.UUIDField(null=True)  # the sandbox that this invented person belongs to (P4)

    class Meta:
        table = "candidate"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Candidate"]:
        """Oneself; those who have a live share of a released result with the institution of a verifier, or of a key
        that reads shares; for staff, all.

        A centre's staff see those that their centre entered.
        """
        entered = """EXISTS (SELECT 1 FROM entry WHERE entry.candidate_id = candidate.id
                     AND entry.centre_id = :viewer_centre_id)"""
        shared = f"""EXISTS (SELECT 1 FROM share JOIN result ON result.id = share.result_id
                     WHERE share.candidate_id = candidate.id AND {RELEASED}
                     AND share.institution_id = :viewer_institution_id AND {LIVE_SHARE})"""
        return visible(
            cls,
            viewer,
            {
                Kind.CANDIDATE: "candidate.id = :viewer_id",
                Kind.VERIFIER: shared,
                Kind.KEY: shared if viewer.has(Scope.READ_SHARES) else "false",
                Kind.STAFF: OF_WORLD if viewer.is_board else f"{OF_WORLD} AND {entered}",
            },
        )


# Invented candidates are there for viewers of their sandbox, and for nobody else; to those no real one is there (P4).
# Whatever finds people, or anything of theirs, by other means than a share with the viewer's institution asks this.
OF_WORLD = "candidate.sandbox_id IS NOT DISTINCT FROM :viewer_sandbox_id"
# The same for an entry, whose candidate need not be read: there are few invented ones, under an index of their own.
OF_REAL_ENTRY = """NOT EXISTS (SELECT 1 FROM candidate AS invented
    WHERE invented.sandbox_id IS NOT NULL AND invented.id = entry.candidate_id)"""
# Released at the viewer's moment (R3): decided by the clock, not by when a job ran.
RELEASED = "result.released_at <= :viewer_at"
# A share that still counts: not withdrawn, not merged into another, and not past the moment its candidate chose. Once
# it was told that it has expired it is over for everybody, whatever their clock says: so at most one of a result and an
# institution is live.
LIVE_SHARE = (
    "share.withdrawn_at IS NULL AND share.expiry_told_at IS NULL AND share.merged_into_id IS NULL"
    " AND (share.expires_at IS NULL OR share.expires_at > :viewer_at)"
)
