"""The rules and indexes of versions, releases, photos and the trail; and that the trail is only ever added to (G1)."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # versions
    "CREATE UNIQUE INDEX result_version_once ON result_version (result_id, version)",
    "ALTER TABLE result_version ADD CONSTRAINT result_version_has_reason CHECK (reason <> '')",
    "CREATE UNIQUE INDEX holder_notice_once ON holder_notice (result_id, version, institution_id)",
    "ALTER TABLE result ADD CONSTRAINT result_withheld_was_released CHECK (withheld_at IS NULL OR released_at IS NOT NULL)",
    "CREATE INDEX result_release_untold ON result (released_at) WHERE release_told_at IS NULL",
    "UPDATE result SET release_told_at = released_at WHERE released_at <= now()",  # of those, nobody is told any more
    # releases
    "CREATE UNIQUE INDEX release_once ON release (exam_id, exam_date)",
    "CREATE INDEX entry_session ON entry (exam_id, exam_date)",
    # photos
    "ALTER TABLE photo ADD CONSTRAINT photo_is_small CHECK (width BETWEEN 1 AND 2000 AND height BETWEEN 1 AND 2000)",
    "ALTER TABLE photo ADD CONSTRAINT photo_digest CHECK (length(digest) = 32)",
    # staff
    "ALTER TABLE staff_totp ADD CONSTRAINT staff_totp_staff FOREIGN KEY (staff_id) REFERENCES staff_user (id)"
    " ON DELETE CASCADE",
    # entries and shares
    "ALTER TABLE entry ADD CONSTRAINT entry_issue CHECK (issue >= 1)",
    "ALTER TABLE share ADD CONSTRAINT share_expires_later CHECK (expires_at >= sent_at)",
    # the trail
    "ALTER TABLE trail ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "ALTER TABLE trail ADD CONSTRAINT trail_versions CHECK (cardinality(results) = cardinality(versions))",
    "CREATE INDEX trail_chain ON trail (chain, xid, id)",
    "CREATE INDEX trail_candidates ON trail USING gin (candidates)",
    "CREATE INDEX trail_results ON trail USING gin (results)",
    "CREATE UNIQUE INDEX trail_seal_number ON trail_seal (chain, number)",
    "ALTER TABLE trail_seal ADD CONSTRAINT trail_seal_hashes CHECK (length(hash) = 32 AND length(previous_hash) = 32)",
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$""",
    "CREATE TRIGGER trail_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON trail"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER trail_seal_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON trail_seal"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0005_results_and_trail")]
    operations = [ops.RunSQL(RULES)]
