"""What inboxes are searched and counted by, kept by triggers; and the names of those who are there already."""

from typing import Any

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops

from models.person_names import grams, searched

AT_ONCE = 1000
COUNTED = "withdrawn_at IS NULL AND expiry_told_at IS NULL AND merged_into_id IS NULL"

WITHOUT_SEARCHED = """
    SELECT id::text, given_name, family_name, native_name FROM candidate WHERE searched = '' AND id > $1
    ORDER BY id LIMIT $2"""
FILL = """
    UPDATE candidate SET searched = given.searched, grams = string_to_array(given.grams, ' ')
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (id, searched, grams) WHERE candidate.id = given.id"""


async def fill_names(_apps: Any, editor: Any) -> None:
    """What candidates are found by, so many at a time."""
    last = "00000000-0000-0000-0000-000000000000"
    while found := await editor.client.execute_query_dict(WITHOUT_SEARCHED, [last, AT_ONCE]):
        names = [searched(one["given_name"], one["family_name"], one["native_name"]) for one in found]
        ids = [one["id"] for one in found]
        await editor.client.execute_query(FILL, [ids, names, [" ".join(grams(name)) for name in names]])
        last = ids[-1]


# All sides of a search go through the same function, so that case and width of numbers and references do not count.
KEYS = """
    CREATE FUNCTION inbox_keys(institution uuid, facts text[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(array_agg(hashtextextended(institution::text || ' ' || lower(normalize(fact, NFKC)), 0)), '{}')
        FROM unnest(facts) AS fact WHERE fact IS NOT NULL
    $$"""
# Facts that are not of the name hold a blank, which no gram does.
WRITE_LINES = """
    CREATE FUNCTION write_inbox_lines(share_ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO inbox_line (share_id, institution_id, sent_at, exam_date, released_at, searched, keys)
        SELECT share.id, share.institution_id, share.sent_at, entry.exam_date, coalesce(result.released_at, 'infinity'),
               candidate.searched, inbox_keys(share.institution_id, candidate.grams
                   || ARRAY['exam ' || entry.exam_id, 'cefr ' || result.cefr,
                            'month ' || to_char(entry.exam_date, 'YYYY-MM'),
                            'year ' || to_char(entry.exam_date, 'YYYY'),
                            'number ' || result.statement_number, 'reference ' || share.reference])
        FROM share JOIN candidate ON candidate.id = share.candidate_id JOIN result ON result.id = share.result_id
        JOIN entry ON entry.id = result.entry_id
        WHERE share.id = ANY(share_ids)
        ON CONFLICT (share_id) DO UPDATE SET
            institution_id = excluded.institution_id, sent_at = excluded.sent_at, exam_date = excluded.exam_date,
            released_at = excluded.released_at, searched = excluded.searched, keys = excluded.keys;
    END $$"""
SHARES_ADDED = f"""
    CREATE FUNCTION inbox_shares_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM write_inbox_lines(ARRAY(SELECT id FROM new_rows));
        INSERT INTO inbox_count (institution_id, total, unread)
        SELECT institution_id, count(*), count(*) FILTER (WHERE NOT is_read) FROM new_rows WHERE {COUNTED}
        GROUP BY institution_id;
        RETURN NULL;
    END $$"""
SHARES_CHANGED = f"""
    CREATE FUNCTION inbox_shares_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        found_otherwise uuid[];
    BEGIN
        INSERT INTO inbox_count (institution_id, total, unread)
        SELECT institution_id, sum(total), sum(unread) FROM (
            SELECT institution_id, -1 AS total, -(NOT is_read)::int AS unread FROM old_rows WHERE {COUNTED}
            UNION ALL SELECT institution_id, 1, (NOT is_read)::int FROM new_rows WHERE {COUNTED}) AS change
        GROUP BY institution_id HAVING sum(total) <> 0 OR sum(unread) <> 0;
        found_otherwise := ARRAY(
            SELECT id FROM new_rows JOIN old_rows USING (id)
            WHERE (new_rows.institution_id, new_rows.candidate_id, new_rows.result_id, new_rows.sent_at,
                   new_rows.reference) IS DISTINCT FROM
                  (old_rows.institution_id, old_rows.candidate_id, old_rows.result_id, old_rows.sent_at,
                   old_rows.reference));
        IF cardinality(found_otherwise) > 0 THEN
            PERFORM write_inbox_lines(found_otherwise);
        END IF;
        RETURN NULL;
    END $$"""
SHARES_GONE = f"""
    CREATE FUNCTION inbox_shares_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO inbox_count (institution_id, total, unread)
        SELECT institution_id, -count(*), -count(*) FILTER (WHERE NOT is_read) FROM old_rows WHERE {COUNTED}
        GROUP BY institution_id;
        RETURN NULL;
    END $$"""
RESULTS_CHANGED = """
    CREATE FUNCTION inbox_results_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        found_otherwise uuid[];
    BEGIN
        found_otherwise := ARRAY(
            SELECT share.id FROM new_rows JOIN old_rows USING (id) JOIN share ON share.result_id = new_rows.id
            WHERE (new_rows.cefr, new_rows.statement_number, new_rows.released_at) IS DISTINCT FROM
                  (old_rows.cefr, old_rows.statement_number, old_rows.released_at));
        IF cardinality(found_otherwise) > 0 THEN
            PERFORM write_inbox_lines(found_otherwise);
        END IF;
        RETURN NULL;
    END $$"""
CANDIDATE_CHANGED = """
    CREATE FUNCTION inbox_candidate_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM write_inbox_lines(ARRAY(SELECT id FROM share WHERE candidate_id = NEW.id));
        RETURN NULL;
    END $$"""
BACKFILL = [
    "SELECT write_inbox_lines(ARRAY(SELECT id FROM share))",
    f"""INSERT INTO inbox_count (institution_id, total, unread)
        SELECT institution_id, count(*), count(*) FILTER (WHERE NOT is_read) FROM share WHERE {COUNTED}
        GROUP BY institution_id""",
]
RULES = [
    KEYS,
    WRITE_LINES,
    *BACKFILL,
    "ALTER TABLE inbox_line ADD CONSTRAINT inbox_line_share FOREIGN KEY (share_id) REFERENCES share (id) ON DELETE CASCADE",
    # Without a list of what is pending, which every search would have to go through.
    "CREATE INDEX inbox_line_keys ON inbox_line USING gin (keys) WITH (fastupdate = off)",
    "CREATE INDEX inbox_line_released ON inbox_line (institution_id, released_at)",
    "CREATE INDEX inbox_count_institution ON inbox_count (institution_id) INCLUDE (total, unread)",
    "DROP INDEX share_unread",
    "CREATE INDEX share_inbox_unread ON share (institution_id, sent_at DESC, id DESC)"
    " WHERE NOT is_read AND withdrawn_at IS NULL",
    "CREATE INDEX share_inbox_read ON share (institution_id, sent_at DESC, id DESC)"
    " WHERE is_read AND withdrawn_at IS NULL",
    f"CREATE INDEX share_inbox_expiring ON share (institution_id, expires_at) WHERE expires_at IS NOT NULL AND {COUNTED}",
    SHARES_ADDED,
    SHARES_CHANGED,
    SHARES_GONE,
    RESULTS_CHANGED,
    CANDIDATE_CHANGED,
    "CREATE TRIGGER inbox_added AFTER INSERT ON share REFERENCING NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION inbox_shares_added()",
    "CREATE TRIGGER inbox_changed AFTER UPDATE ON share REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION inbox_shares_changed()",
    "CREATE TRIGGER inbox_gone AFTER DELETE ON share REFERENCING OLD TABLE AS old_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION inbox_shares_gone()",
    "CREATE TRIGGER inbox_changed AFTER UPDATE ON result REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION inbox_results_changed()",
    "CREATE TRIGGER inbox_changed AFTER UPDATE OF searched, grams ON candidate FOR EACH ROW"
    " WHEN (OLD.searched IS DISTINCT FROM NEW.searched) EXECUTE FUNCTION inbox_candidate_changed()",
]


class Migration(migrations.Migration):
    """The tables, the names, then one statement a rule, all in one transaction."""

    dependencies = [("models", "0023_find_institutions")]
    operations = [
        ops.CreateModel(
            name="InboxLine",
            fields=[
                ("share_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("institution_id", fields.UUIDField()),
                ("sent_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("exam_date", fields.DateField()),
                ("released_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("searched", fields.TextField(unique=False)),
                ("keys", ArrayField(element_type="bigint")),
            ],
            options={
                "table": "inbox_line",
                "app": "models",
                "pk_attr": "share_id",
                "table_description": "What one share is found by: its candidate's names, and keys for everything that can be asked for.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InboxCount",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("institution_id", fields.UUIDField()),
                ("total", fields.BigIntField()),
                ("unread", fields.BigIntField()),
            ],
            options={
                "table": "inbox_count",
                "app": "models",
                "pk_attr": "id",
                "table_description": "By how much one order changed an institution's counts: the sum of its rows is how many shares there are.",
            },
            bases=["Model"],
        ),
        ops.RunPython(fill_names),
        ops.RunSQL(RULES),
    ]
