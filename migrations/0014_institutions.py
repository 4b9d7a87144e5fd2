from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.application import ApplicationStatus
from models.base import new_id
from models.join_request import JoinRequestStatus
from models.list_check import ListCheckStatus
from models.session import VerifierLinkKind
from models.verifier import VerifierRole


class Migration(migrations.Migration):
    dependencies = [("models", "0013_merged_index")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AccountApplication",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "institution",
                    fields.OneToOneField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="application",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        description="State of the application", enum_type=ApplicationStatus, max_length=20
                    ),
                ),
                ("applicant_name", fields.TextField(unique=False)),
                ("applicant_email", fields.TextField(unique=False)),
                ("language", fields.CharField(default="en", max_length=2)),
                ("applied_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("email_confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("due_on", fields.DateField(null=True)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decided_by", fields.UUIDField(null=True)),
                ("reason", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "application",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Who applied for an institution's account, and what staff decided.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Invitation",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "candidate",
                    fields.ForeignKeyField(
                        "models.Candidate",
                        source_field="candidate_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="invitations",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("email", fields.TextField(unique=False)),
                ("website", fields.TextField(unique=False)),
                ("country", fields.CharField(null=True, max_length=2)),
                ("language", fields.CharField(max_length=2)),
                ("invited_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("accepted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("declined_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "application",
                    fields.ForeignKeyField(
                        "models.AccountApplication",
                        source_field="application_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="invitations",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("told_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "invitation",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One candidate's invitation to one address; accepted once the institution has applied.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="JoinRequest",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="join_requests",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        description="State of the request", enum_type=JoinRequestStatus, max_length=20
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("email", fields.TextField(unique=False)),
                ("language", fields.CharField(default="en", max_length=2)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("email_confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decided_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "join_request",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One person's request; decided by the Primary User, or by staff when the Primary does not answer.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="ListCheck",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="list_checks",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "verifier",
                    fields.ForeignKeyField(
                        "models.VerifierUser",
                        source_field="verifier_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="list_checks",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(description="State of the list", enum_type=ListCheckStatus, max_length=20),
                ),
                ("purpose", fields.TextField(unique=False)),
                ("address", fields.TextField(unique=False)),
                ("request_id", fields.TextField(unique=False)),
                ("file_name", fields.TextField(unique=False)),
                ("format", fields.CharField(max_length=10)),
                ("rows", fields.IntField()),
                ("done", fields.IntField(default=0)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ready_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("failure", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "list_check",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One file, how much of it has been worked through, and where its result lies. Files are named by the row's id.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="ListCheckBatch",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "list_check",
                    fields.ForeignKeyField(
                        "models.ListCheck",
                        source_field="list_check_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="batches",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("first_row", fields.IntField()),
                ("verdicts", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "list_check_batch",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The verdicts on some rows of a list, kept as soon as they are there, so that a killed job goes on from there.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="VerifierLink",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "verifier",
                    fields.ForeignKeyField(
                        "models.VerifierUser",
                        source_field="verifier_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="links",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(description="What the link is for", enum_type=VerifierLinkKind, max_length=20),
                ),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "verifier_link",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A link by which a verifier sets a password: the first one within 7 days (U2), another one within 60 minutes.",
            },
            bases=["Table"],
        ),
        ops.AddField(
            model_name="Candidate",
            name="grams",
            field=ArrayField(default=list, db_default=[], element_type="TEXT"),
        ),
        ops.AddField(
            model_name="Candidate",
            name="searched",
            field=fields.TextField(default="", db_default="", unique=False),
        ),
        ops.AddField(
            model_name="Institution",
            name="domain",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Institution",
            name="merged_into",
            field=fields.ForeignKeyField(
                "models.Institution",
                source_field="merged_into_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="duplicates",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddField(
            model_name="Institution",
            name="skeleton",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="deactivated_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="removed_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="role",
            field=fields.CharEnumField(
                default=VerifierRole.OFFICER,
                description="Role",
                db_default=VerifierRole.OFFICER,
                enum_type=VerifierRole,
                max_length=20,
            ),
        ),
    ]
