"""A candidate who is lost is told in the check-in and in the break, too; and a sign of life changes no index."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

RULES = [
    "DROP INDEX sitting_in_progress",
    "CREATE INDEX sitting_heard ON sitting (id)"
    " WHERE state IN ('CHECKING_IN', 'IN_PROGRESS', 'INTERRUPTED', 'ON_BREAK') AND lost_at IS NULL",
]


class Migration(migrations.Migration):
    """Null: heard, as far as anybody was told. One statement a rule, all in one transaction."""

    dependencies = [("models", "0043_texts_once")]
    operations = [
        ops.AddField("Sitting", "lost_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
        ops.RunSQL(RULES),
    ]
