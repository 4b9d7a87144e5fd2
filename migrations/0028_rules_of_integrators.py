"""The rules and indexes of keys, downloads, webhooks and sandboxes."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # keys
    "CREATE UNIQUE INDEX api_key_hash ON api_key (hash)",
    "CREATE INDEX api_key_institution ON api_key (institution_id, created_at DESC, id DESC)",
    "CREATE INDEX api_key_ends ON api_key (expires_at) WHERE revoked_at IS NULL",
    "ALTER TABLE api_key ADD CONSTRAINT api_key_ends_after_it_began CHECK (expires_at > created_at)",
    "ALTER TABLE api_key ADD CONSTRAINT api_key_has_scopes CHECK (cardinality(scopes) > 0)",
    # downloads
    "ALTER TABLE download ADD CONSTRAINT download_asked_by_one CHECK (num_nonnulls(verifier_id, key_id) = 1)",
    "ALTER TABLE download ADD CONSTRAINT download_done CHECK (done BETWEEN 0 AND rows)",
    "ALTER TABLE download ADD CONSTRAINT download_ready CHECK (status NOT IN ('READY', 'EXPIRED')"
    " OR (done = rows AND num_nonnulls(ready_at, size, digest) = 3))",
    "ALTER TABLE download ADD CONSTRAINT download_failed CHECK ((status = 'FAILED') = (failure IS NOT NULL))",
    "CREATE INDEX download_institution ON download (institution_id, asked_at DESC, id DESC)",
    "CREATE UNIQUE INDEX download_row_place ON download_row (download_id, place)",
    "CREATE INDEX download_row_result ON download_row (result_id)",
    # webhooks
    "CREATE INDEX webhook_institution ON webhook (institution_id) WHERE deleted_at IS NULL",
    "ALTER TABLE webhook ADD CONSTRAINT webhook_paused_why CHECK ((paused_at IS NULL) = (pause_reason IS NULL))",
    "CREATE UNIQUE INDEX webhook_delivery_once ON webhook_delivery (webhook_id, xid, event_id) WHERE xid IS NOT NULL",
    "CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook_id, created_at DESC, id DESC)",
    "CREATE INDEX webhook_delivery_due ON webhook_delivery (next_try_at) WHERE status = 'WAITING'",
    "ALTER TABLE webhook_delivery ADD CONSTRAINT webhook_delivery_waits CHECK ("
    " (status = 'WAITING') = (next_try_at IS NOT NULL))",
    # sandboxes
    "ALTER TABLE institution ADD CONSTRAINT institution_no_sandbox_of_itself CHECK (sandbox_of_id <> id)",
    "CREATE UNIQUE INDEX institution_one_sandbox ON institution (sandbox_of_id) WHERE sandbox_of_id IS NOT NULL",
    "ALTER TABLE candidate ADD CONSTRAINT candidate_sandbox FOREIGN KEY (sandbox_id) REFERENCES institution",
    "CREATE INDEX candidate_of_sandbox ON candidate (sandbox_id) WHERE sandbox_id IS NOT NULL",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0027_integrators")]
    operations = [ops.RunSQL(RULES)]
