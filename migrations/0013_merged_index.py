"""The index by which an account finds the candidates that were merged into it (A11)."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    "CREATE INDEX candidate_merged ON candidate (merged_into_id) WHERE merged_into_id IS NOT NULL",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0012_candidate_events")]
    operations = [ops.RunSQL(RULES)]
