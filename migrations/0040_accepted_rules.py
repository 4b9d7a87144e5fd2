"""What a candidate accepted at the check-in is kept with its step; and a sign of life changes no index."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

RULES = [
    "ALTER TABLE check_in_step ADD CONSTRAINT check_in_step_rules CHECK ("
    " num_nonnulls(rules_version, rules_text, rules_language) IN (0, 3)"
    " AND (step = 'RULES' OR rules_version IS NULL))",
    # what is written every few seconds stands in no index
    "DROP INDEX sitting_last_seen",
    "CREATE INDEX sitting_in_progress ON sitting (id) WHERE state = 'IN_PROGRESS'",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0039_recordings_and_answers")]
    operations = [
        ops.AddField("CheckInStep", "rules_version", fields.CharField(null=True, max_length=20)),
        ops.AddField("CheckInStep", "rules_text", fields.TextField(null=True, unique=False)),
        ops.AddField("CheckInStep", "rules_language", fields.CharField(null=True, max_length=2)),
        ops.RunSQL(RULES),
    ]
