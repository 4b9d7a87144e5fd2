"""One text of a writer under one key."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # of the candidate there is one in a sitting, without a key of a proctor
    "CREATE UNIQUE INDEX sitting_message_key ON sitting_message (sitting_id, proctor_id, key) NULLS NOT DISTINCT"
    " WHERE key IS NOT NULL",
    "CREATE UNIQUE INDEX incident_key ON incident (sitting_id, proctor_id, key) WHERE key IS NOT NULL",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0042_keys_of_texts")]
    operations = [ops.RunSQL(RULES)]
