"""One recording is of one sitting."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """The names of those that were deleted are gone, and stand in nobody's way."""

    dependencies = [("models", "0038_rules_of_sittings")]
    operations = [ops.RunSQL("CREATE UNIQUE INDEX recording_reference ON recording (reference)")]
