"""The rules and indexes of letters, news and expiry; and the tables of pgqueuer, which keeps the jobs."""

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # letters
    "ALTER TABLE letter ADD CONSTRAINT letter_language CHECK (language IN ('en', 'ja'))",
    "ALTER TABLE letter ADD CONSTRAINT letter_one_end CHECK (num_nonnulls(sent_at, refused_at, parked_at) <= 1)",
    "ALTER TABLE letter ADD CONSTRAINT letter_one_owner CHECK (num_nonnulls(candidate_id, verifier_id) <= 1)",
    "DROP INDEX letter_due",
    "CREATE INDEX letter_waiting ON letter (next_try_at)"
    " WHERE sent_at IS NULL AND refused_at IS NULL AND parked_at IS NULL",
    "CREATE INDEX letter_parked ON letter (written_at DESC, id DESC)"
    " WHERE parked_at IS NOT NULL OR refused_at IS NOT NULL",
    "CREATE INDEX letter_candidate ON letter (candidate_id) WHERE candidate_id IS NOT NULL",
    "CREATE INDEX letter_verifier ON letter (verifier_id) WHERE verifier_id IS NOT NULL",
    "CREATE INDEX letter_sent ON letter (sent_at) WHERE sent_at IS NOT NULL",
    # news: mails about new shares
    "CREATE INDEX verifier_news_due ON verifier_user (news_due_at) WHERE news_due_at IS NOT NULL",
    "CREATE INDEX journal_cursor ON journal (xid, id)",
    # expiry and purges
    "CREATE INDEX share_expiring ON share (expires_at)"
    " WHERE expires_at IS NOT NULL AND expiry_told_at IS NULL AND withdrawn_at IS NULL",
    "CREATE INDEX session_used ON session (used_at)",
    "CREATE INDEX email_change_candidate ON email_change (candidate_id)",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0003_letters_and_jobs")]
    operations = [ops.RunSQL([*RULES, QueryBuilderEnvironment().build_install_query(create_schema=False)])]
