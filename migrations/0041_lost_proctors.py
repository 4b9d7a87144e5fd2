"""A proctor who is lost is told to their sittings, once."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Null: not lost, or nobody has told it yet."""

    dependencies = [("models", "0040_accepted_rules")]
    operations = [
        ops.AddField("ProctorPresence", "lost_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False))
    ]
