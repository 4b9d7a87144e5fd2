"""Exams, their scales and the bands of their grades: reference data, loaded from `models/exams/*.csv`."""

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class Scale(Model):
    """The limits of a score; all inclusive, none where the scale has no scores."""

    code = fields.CharField(max_length=20, primary_key=True)
    overall_min = fields.IntField(null=True)
    overall_max = fields.IntField(null=True)
    skill_min = fields.IntField(null=True)
    skill_max = fields.IntField(null=True)
    shown_as = fields.TextField(null=True)

    class Meta:
        table = "scale"


class Exam(Model):
    """An exam as candidates were entered for it; `first_date` and `last_date` are exam dates, inclusive."""

    code = fields.CharField(max_length=40, primary_key=True)
    title = fields.TextField()
    former_title = fields.TextField(null=True)
    scale: fields.ForeignKeyRelation[Scale] = fields.ForeignKeyField(
        "models.Scale", related_name="exams", on_delete=fields.RESTRICT
    )
    scale_id: str
    skills = ArrayField(element_type="text")
    photo = fields.BooleanField()
    first_date = fields.DateField()
    last_date = fields.DateField(null=True)

    class Meta:
        table = "exam"


class GradeBand(Model):
    """A band of overall scores, inclusive on both sides, and what it is worth."""

    id = fields.IntField(primary_key=True)
    exam_code = fields.CharField(max_length=40)
    lowest = fields.IntField()
    highest = fields.IntField()
    grade = fields.TextField(null=True)
    former_grade = fields.TextField(null=True)
    headline_level = fields.CharField(max_length=2, null=True)
    cefr = fields.CharField(max_length=2, null=True)
    certificate = fields.BooleanField()

    class Meta:
        table = "grade_band"
