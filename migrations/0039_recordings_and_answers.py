"""One recording is of one sitting, and answers of the last days are found without reading all that was ever written."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # the names of those that were deleted are gone, and stand in nobody's way
    "CREATE UNIQUE INDEX recording_reference ON recording (reference)",
    "CREATE INDEX sitting_message_sent ON sitting_message (sent_at) WHERE proctor_id IS NULL",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0038_rules_of_sittings")]
    operations = [ops.RunSQL(RULES)]
