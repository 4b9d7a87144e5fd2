"""Entries: one candidate, one exam, one date, one centre."""

import re
from uuid import UUID

from tortoise import fields

from engine import keys
from models.base import Table
from models.candidate import OF_WORLD, Candidate
from models.exam import Exam
from models.viewer import Kind, Viewer, Visible, visible

ID_NUMBER = re.compile(r"[A-Z]{3}[0-9]{6}")
HOME = "HOME"  # the number of the centre that stands for candidates' homes
SECRET_NUMBER = re.compile(r"[0-9]{4}")


class Centre(Table):
    """An exam centre."""

    number = fields.CharField(max_length=10, unique=True)
    name = fields.TextField()
    city = fields.TextField()
    country = fields.CharField(max_length=2)

    class Meta:
        table = "centre"


class Entry(Table):
    """An entry; claimed by its candidate with the ID Number and the Secret Number."""

    candidate: fields.ForeignKeyRelation[Candidate] = fields.ForeignKeyField(
        "models.Candidate", related_name="entries", on_delete=fields.RESTRICT
    )
    candidate_id: UUID
    exam: fields.ForeignKeyRelation[Exam] = fields.ForeignKeyField(
        "models.Exam", related_name="entries", on_delete=fields.RESTRICT
    )
    exam_id: str
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "models.Centre", related_name="entries", on_delete=fields.RESTRICT
    )
    centre_id: UUID
    exam_date = fields.DateField()
    candidate_number = fields.CharField(max_length=10)
    id_number = fields.CharField(max_length=9, unique=True)
    secret_hash = fields.BinaryField()
    results_by = fields.DateField()
    claimed_at = fields.DatetimeField(null=True)
    issue = fields.IntField(default=1, db_default=1)  # of the Confirmation of Entry: a re-issue has new numbers
    issued_at = fields.DatetimeField(null=True)

    class Meta:
        table = "entry"

    @classmethod
    def visible_to(cls, viewer: Viewer) -> Visible["Entry"]:
        """One's own entries; for staff all, or those of their centre. ID Numbers are log-in names: no institution's."""
        of_world = f"EXISTS (SELECT 1 FROM candidate WHERE candidate.id = entry.candidate_id AND {OF_WORLD})"
        staff = of_world if viewer.is_board else f"entry.centre_id = :viewer_centre_id AND {of_world}"
        return visible(cls, viewer, {Kind.CANDIDATE: "entry.candidate_id = :viewer_id", Kind.STAFF: staff})


def sealed_secret(id_number: str, secret: str) -> bytes:
    """What is stored of a Secret Number: an HMAC under a key that is not in the database.

    Under any hash, however slow, four digits could be tried out by whoever has the database; under a key they cannot.
    """
    return keys.seal("secret-number", f"{id_number}:{secret}")


def written_id_number(text: str) -> str:
    """The ID Number as it is stored, from what a person typed: any case, blanks and hyphens, full width."""
    return re.sub(r"[\s\-]", "", _half_width(text)).upper()


def written_secret_number(text: str) -> str:
    """The Secret Number as it is stored, from what a person typed."""
    return re.sub(r"\s", "", _half_width(text))


def _half_width(text: str) -> str:
    return "".join(chr(ord(sign) - 0xFEE0) if "！" <= sign <= "～" else sign for sign in text)
