"""What accounts spent of their allowances: a table that is neither flushed nor kept over a crash."""

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

# Room in each page keeps a row that changes with every request where it is.
UNLOGGED = ["ALTER TABLE allowance SET UNLOGGED", "ALTER TABLE allowance SET (fillfactor = 50)"]


class Migration(migrations.Migration):
    """The table, then how it is kept, all in one transaction."""

    dependencies = [("models", "0032_templates"), ("models", "0033_kept_downloads")]
    operations = [
        ops.CreateModel(
            name="Allowance",
            fields=[
                ("account_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("window_started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("spent", fields.IntField()),
                ("by_key", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("key_id", fields.UUIDField(null=True)),
                ("is_within", fields.BooleanField()),
            ],
            options={
                "table": "allowance",
                "app": "models",
                "pk_attr": "account_id",
                "table_description": "What an account spent in its latest window, and each of its keys; unlogged: a "
                "crash may forget it (P3).",
            },
            bases=["Model"],
        ),
        ops.RunSQL(UNLOGGED),
    ]
