from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.base import new_id
from models.notify import Notify


class Migration(migrations.Migration):
    dependencies = [("models", "0002_rules")]

    initial = False

    operations = [
        ops.CreateModel(
            name="EmailChange",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "candidate",
                    fields.ForeignKeyField(
                        "models.Candidate",
                        source_field="candidate_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="email_changes",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("new_email", fields.TextField(unique=False)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "email_change",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A candidate's wish for another e-mail address, which counts once its mailed link is used (A9).",
            },
            bases=["Table"],
        ),
        ops.CreateModel(
            name="JournalReader",
            fields=[
                ("name", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("xid", fields.BigIntField()),
                ("event_id", fields.BigIntField()),
            ],
            options={
                "table": "journal_reader",
                "app": "models",
                "pk_attr": "name",
                "table_description": "How far a reader of the whole journal has come; subscribers and integrators keep their cursors themselves.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Candidate",
            name="email_refused_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Institution",
            name="default_notify",
            field=fields.CharEnumField(
                default=Notify.OFF,
                description="What new users start with",
                db_default=Notify.OFF,
                enum_type=Notify,
                max_length=20,
            ),
        ),
        ops.AddField(
            model_name="Letter",
            name="begun_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Letter",
            name="candidate",
            field=fields.ForeignKeyField(
                "models.Candidate",
                source_field="candidate_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="letters",
                on_delete=OnDelete.CASCADE,
            ),
        ),
        ops.AddField(
            model_name="Letter",
            name="parked_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Letter",
            name="verifier",
            field=fields.ForeignKeyField(
                "models.VerifierUser",
                source_field="verifier_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="letters",
                on_delete=OnDelete.CASCADE,
            ),
        ),
        ops.AddField(
            model_name="Share",
            name="expiry_told_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="email_refused_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="news_due_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="news_id",
            field=fields.BigIntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="news_sent_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="VerifierUser",
            name="news_xid",
            field=fields.BigIntField(default=0, db_default=0),
        ),
    ]
