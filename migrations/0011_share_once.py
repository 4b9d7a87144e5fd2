"""That a share which has expired, and was told to have, leaves room for a new one (S4, S9); and what was withdrawn (S10)."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    "DROP INDEX share_once",
    "CREATE UNIQUE INDEX share_once ON share (result_id, institution_id)"
    " WHERE withdrawn_at IS NULL AND expiry_told_at IS NULL",
    "CREATE INDEX share_withdrawn ON share (institution_id, withdrawn_at DESC, id DESC) WHERE withdrawn_at IS NOT NULL",
    "ALTER TABLE share ADD CONSTRAINT share_expiry_told CHECK (expiry_told_at IS NULL OR expires_at IS NOT NULL)",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0006_rules_of_results")]
    operations = [ops.RunSQL(RULES)]
