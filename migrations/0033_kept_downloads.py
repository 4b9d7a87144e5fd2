"""Where the file of a download is kept, until when it may be given, and how many results it leaves out."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

RULES = [
    "ALTER TABLE download ADD CONSTRAINT download_file CHECK ((status = 'READY') = (file IS NOT NULL))",
    "ALTER TABLE download ADD CONSTRAINT download_digest CHECK (octet_length(digest) = 32)",
    "ALTER TABLE download ADD CONSTRAINT download_language CHECK (language IN ('en', 'ja'))",
    "ALTER TABLE download ADD CONSTRAINT download_left_out CHECK (least(not_allowed, without_statement, gone) >= 0)",
    "CREATE INDEX download_row_share ON download_row (share_id)",
    "CREATE INDEX download_open ON download (institution_id) WHERE status IN ('QUEUED', 'RUNNING')",
    "CREATE INDEX result_version_ended ON result_version (ended_at)",
]


class Migration(migrations.Migration):
    """The columns, then the rules, all in one transaction."""

    dependencies = [("models", "0028_rules_of_integrators")]
    operations = [
        ops.AddField(model_name="Download", name="file", field=fields.TextField(null=True, unique=False)),
        ops.AddField(
            model_name="Download",
            name="ends_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(model_name="Download", name="not_allowed", field=fields.IntField(default=0, db_default=0)),
        ops.AddField(model_name="Download", name="without_statement", field=fields.IntField(default=0, db_default=0)),
        ops.AddField(model_name="Download", name="gone", field=fields.IntField(default=0, db_default=0)),
        ops.RunSQL(RULES),
    ]
