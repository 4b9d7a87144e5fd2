from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import new_id
from models.result import Outcome
from models.trail import TrailAct
from models.version import Change


class Migration(migrations.Migration):
    dependencies = [("models", "0004_more_rules")]

    initial = False

    operations = [
        ops.CreateModel(
            name="HolderNotice",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "result",
                    fields.ForeignKeyField(
                        "models.Result",
                        source_field="result_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="holder_notices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("version", fields.IntField()),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="holder_notices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("change", fields.CharEnumField(description="What ended the version", enum_type=Change, max_length=20)),
                ("told_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "holder_notice",
                "app": "models",
                "pk_attr": "id",
                "table_description": "That an institution which read, downloaded or pulled a version was told that it stands no more.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Photo",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "entry",
                    fields.OneToOneField(
                        "models.Entry",
                        source_field="entry_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="photo",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("file", fields.TextField(unique=False)),
                ("width", fields.IntField()),
                ("height", fields.IntField()),
                ("size", fields.IntField()),
                ("digest", fields.BinaryField()),
                ("added_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("staff_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "photo",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The photo of one entry, re-encoded by us; `file` is its name in the store.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Release",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "exam",
                    fields.ForeignKeyField(
                        "models.Exam",
                        source_field="exam_id",
                        db_constraint=True,
                        to_field="code",
                        related_name="releases",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("exam_date", fields.DateField()),
                ("release_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("scheduled_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("staff_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "release",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The release of one session. Results get its moment as their own, those loaded later too.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="ResultVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "result",
                    fields.ForeignKeyField(
                        "models.Result",
                        source_field="result_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="versions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("version", fields.IntField()),
                ("outcome", fields.CharEnumField(description="Outcome of the exam", enum_type=Outcome, max_length=20)),
                ("headline", fields.TextField(null=True, unique=False)),
                ("grade", fields.TextField(null=True, unique=False)),
                ("cefr", fields.CharField(null=True, max_length=2)),
                ("overall_score", fields.IntField(null=True)),
                ("skill_scores", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("certificate_number", fields.CharField(null=True, max_length=20)),
                ("ended_by", fields.CharEnumField(description="What ended it", enum_type=Change, max_length=20)),
                ("ended_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("reason", fields.TextField(unique=False)),
                ("staff_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "result_version",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A result as it stood until a change; the result itself holds what stands now.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="StaffTotp",
            fields=[
                ("staff_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("secret_version", fields.IntField(default=1)),
                ("confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_step", fields.BigIntField(default=0)),
            ],
            options={
                "table": "staff_totp",
                "app": "models",
                "pk_attr": "staff_id",
                "table_description": "That a member of staff has an authenticator. `last_step` is the last time step used: each code counts once.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TrailEntry",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("chain", fields.UUIDField()),
                ("act", fields.CharEnumField(description="What was done", enum_type=TrailAct, max_length=20)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("viewer_kind", fields.CharField(max_length=20)),
                ("viewer_id", fields.UUIDField(null=True)),
                ("institution_id", fields.UUIDField(null=True)),
                ("candidates", ArrayField(element_type="UUID")),
                ("results", ArrayField(element_type="UUID")),
                ("versions", ArrayField(element_type="INT")),
                ("path", fields.TextField(unique=False)),
                ("address", fields.TextField(unique=False)),
                ("request_id", fields.TextField(unique=False)),
                ("purpose", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "trail",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One request's doing with the data of one or more candidates; never scores, secrets or passwords.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TrailSeal",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("chain", fields.UUIDField()),
                ("number", fields.BigIntField()),
                ("last_xid", fields.BigIntField()),
                ("last_id", fields.BigIntField()),
                ("entries", fields.BigIntField()),
                ("previous_hash", fields.BinaryField()),
                ("hash", fields.BinaryField()),
                ("sealed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "trail_seal",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The hash over the entries of one chain up to a place, and over the seal before.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Candidate",
            name="merged_into_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="Entry",
            name="issue",
            field=fields.IntField(default=1, db_default=1),
        ),
        ops.AddField(
            model_name="Entry",
            name="issued_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="JournalEvent",
            name="result_version",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Result",
            name="release_told_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Result",
            name="withheld_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Share",
            name="allows_downloads",
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name="Share",
            name="includes_photo",
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name="Share",
            name="includes_skills",
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name="Share",
            name="purpose",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Share",
            name="reference",
            field=fields.TextField(null=True, unique=False),
        ),
    ]
