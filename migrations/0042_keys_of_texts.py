"""Texts of sittings may bear a key of the program that sent them: once more under the same one is the same text."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Null: sent without one."""

    dependencies = [("models", "0041_lost_proctors")]
    operations = [
        ops.AddField("Incident", "key", fields.UUIDField(null=True)),
        ops.AddField("Message", "key", fields.UUIDField(null=True)),
    ]
