"""Shares that another one stands for, since two accounts of an institution were merged."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

RULES = [
    "DROP INDEX share_once",
    "CREATE UNIQUE INDEX share_once ON share (result_id, institution_id)"
    " WHERE withdrawn_at IS NULL AND expiry_told_at IS NULL AND merged_into_id IS NULL",
    "CREATE INDEX share_merged ON share (merged_into_id) WHERE merged_into_id IS NOT NULL",
    "ALTER TABLE share ADD CONSTRAINT share_not_merged_into_itself CHECK (merged_into_id <> id)",
]


class Migration(migrations.Migration):
    """The column, then one statement a rule, all in one transaction."""

    dependencies = [("models", "0015_rules_of_institutions")]
    operations = [
        ops.AddField(
            model_name="Share",
            name="merged_into",
            field=fields.ForeignKeyField(
                "models.Share",
                source_field="merged_into_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="duplicates",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.RunSQL(RULES),
    ]
