"""How many rows of a list were counted against the limits, and until when it waits for one."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

RULES = ["ALTER TABLE list_check ADD CONSTRAINT list_check_admitted CHECK (admitted BETWEEN 0 AND rows)"]


class Migration(migrations.Migration):
    """The columns, then the rule, all in one transaction."""

    dependencies = [("models", "0024_inboxes")]
    operations = [
        ops.AddField(model_name="ListCheck", name="admitted", field=fields.IntField(default=0, db_default=0)),
        ops.AddField(
            model_name="ListCheck",
            name="admitted_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="ListCheck",
            name="paused_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.RunSQL(RULES),
    ]
