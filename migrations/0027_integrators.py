from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import new_id
from models.download import DownloadStatus
from models.template import DownloadFormat
from models.webhook import DeliveryStatus


class Migration(migrations.Migration):
    dependencies = [("models", "0026_counted_lists")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ApiKey",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="keys",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("prefix", fields.CharField(max_length=20)),
                ("hash", fields.BinaryField()),
                ("scopes", ArrayField(element_type="TEXT")),
                (
                    "created_by",
                    fields.ForeignKeyField(
                        "models.VerifierUser",
                        source_field="created_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="keys",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("warned_days", fields.IntField(null=True)),
            ],
            options={
                "table": "api_key",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A key: `prefix` is the part of it that is shown, of the whole only the hash is kept. Moments are UTC.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Download",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="downloads",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "verifier",
                    fields.ForeignKeyField(
                        "models.VerifierUser",
                        source_field="verifier_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="downloads",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "key",
                    fields.ForeignKeyField(
                        "models.ApiKey",
                        source_field="key_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="downloads",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "repeated",
                    fields.ForeignKeyField(
                        "models.Download",
                        source_field="repeated_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="repetitions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(description="State of the download", enum_type=DownloadStatus, max_length=20),
                ),
                ("format", fields.CharEnumField(description="Kind of file", enum_type=DownloadFormat, max_length=10)),
                ("template", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("chosen", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("language", fields.CharField(default="en", max_length=2)),
                ("address", fields.TextField(unique=False)),
                ("request_id", fields.TextField(unique=False)),
                ("rows", fields.IntField()),
                ("done", fields.IntField(default=0, db_default=0)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ready_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("size", fields.BigIntField(null=True)),
                ("digest", fields.BinaryField(null=True)),
                ("failure", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "download",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One download, asked for by a user or by a key; `template` is what the template was then.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="DownloadRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "download",
                    fields.ForeignKeyField(
                        "models.Download",
                        source_field="download_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="contents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("place", fields.IntField()),
                ("share_id", fields.UUIDField()),
                ("result_id", fields.UUIDField()),
                ("version", fields.IntField()),
            ],
            options={
                "table": "download_row",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One result of a download, at its place (counted from 0), in the version that stood when it was asked for.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="Webhook",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "institution",
                    fields.ForeignKeyField(
                        "models.Institution",
                        source_field="institution_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="webhooks",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("url", fields.TextField(unique=False)),
                ("kinds", ArrayField(element_type="TEXT")),
                ("created_by", fields.UUIDField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("secret_number", fields.IntField(default=1, db_default=1)),
                ("previous_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("xid", fields.BigIntField()),
                ("event_id", fields.BigIntField()),
                ("paused_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("pause_reason", fields.TextField(null=True, unique=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "webhook",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One address of an institution, and how far in the journal it has been told.",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "webhook",
                    fields.ForeignKeyField(
                        "models.Webhook",
                        source_field="webhook_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="deliveries",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("xid", fields.BigIntField(null=True)),
                ("event_id", fields.BigIntField(null=True)),
                ("kind", fields.CharField(max_length=30)),
                ("payload", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                (
                    "status",
                    fields.CharEnumField(description="What has become of it", enum_type=DeliveryStatus, max_length=20),
                ),
                ("tries", fields.IntField(default=0, db_default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_try_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_try_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_status", fields.IntField(null=True)),
                ("last_failure", fields.TextField(null=True, unique=False)),
                ("last_milliseconds", fields.IntField(null=True)),
            ],
            options={
                "table": "webhook_delivery",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One message to one webhook, tried until it is taken or 24 hours have passed. Its id is the message's id.",
            },
            bases=["Table"],
        ),
        ops.AddField(
            model_name="Candidate",
            name="sandbox_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="Institution",
            name="sandbox_of",
            field=fields.ForeignKeyField(
                "models.Institution",
                source_field="sandbox_of_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="sandboxes",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
    ]
