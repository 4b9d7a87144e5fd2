"""What happens to results, for their candidates; and that each institution is told once of each version (R11)."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.journal import ResultChange

RULES = [
    # the same cursor as the journal's
    "ALTER TABLE result_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "CREATE INDEX result_event_cursor ON result_event (result_id, xid, id)",
    # Notices get the place of their event, the last where there were two; what was mailed is not mailed again.
    "ALTER TABLE holder_notice ADD COLUMN xid xid8 NOT NULL DEFAULT '0'",
    """UPDATE holder_notice SET xid = told.xid FROM (
           SELECT DISTINCT ON (institution_id, result_id, result_version) institution_id, result_id, result_version, xid
           FROM journal WHERE kind LIKE 'RESULT%' ORDER BY institution_id, result_id, result_version, xid DESC) AS told
       WHERE told.institution_id = holder_notice.institution_id AND told.result_id = holder_notice.result_id
       AND told.result_version = holder_notice.version + 1""",
    "ALTER TABLE holder_notice ALTER COLUMN xid SET DEFAULT pg_current_xact_id()",
    "CREATE INDEX holder_notice_place ON holder_notice (xid)",
    "CREATE INDEX holder_notice_institution ON holder_notice (institution_id, xid)",
    # each institution is told once of each version
    """DELETE FROM journal USING journal AS earlier
       WHERE journal.kind LIKE 'RESULT%' AND earlier.kind LIKE 'RESULT%' AND earlier.id < journal.id
       AND earlier.institution_id = journal.institution_id AND earlier.result_id = journal.result_id
       AND earlier.result_version = journal.result_version""",
    "CREATE UNIQUE INDEX journal_version_once ON journal (result_id, result_version, institution_id)"
    " WHERE kind LIKE 'RESULT%'",
]


class Migration(migrations.Migration):
    """A table, and its rules, all in one transaction."""

    dependencies = [("models", "0011_share_once")]
    operations = [
        ops.CreateModel(
            name="ResultEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("result_id", fields.UUIDField()),
                ("kind", fields.CharEnumField(description="What happened", enum_type=ResultChange, max_length=20)),
                ("version", fields.IntField()),
                ("happened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "result_event",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One change of a result, for its candidate (see resolvers/result_changes.py). `xid` is as in the journal.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(RULES),
    ]
