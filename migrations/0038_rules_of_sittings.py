"""The rules and indexes of sittings."""

from tortoise import migrations
from tortoise.migrations import operations as ops

ENDS = "('REPORTED', 'CANCELLED', 'MISSED', 'BREAK_OVERRUN', 'INVALIDATED', 'ENDED_BY_PROCTOR')"
LIVE = "('CHECKING_IN', 'IN_PROGRESS', 'INTERRUPTED', 'ON_BREAK')"
RULES = [
    f"ALTER TABLE sitting ADD CONSTRAINT sitting_end_has_reason CHECK ((state IN {ENDS}) = (reason IS NOT NULL))",
    "ALTER TABLE sitting ADD CONSTRAINT sitting_says_why CHECK ("
    " state NOT IN ('INVALIDATED', 'ENDED_BY_PROCTOR') OR coalesce(words, '') <> '')",
    "ALTER TABLE sitting ADD CONSTRAINT sitting_counts CHECK ("
    " steps BETWEEN 0 AND 7 AND sections_done BETWEEN 0 AND cardinality(sections))",
    "ALTER TABLE sitting ADD CONSTRAINT sitting_break_began CHECK (state <> 'ON_BREAK' OR break_started_at IS NOT NULL)",
    "ALTER TABLE sitting ADD CONSTRAINT sitting_reported_is_entered CHECK ("
    " (state = 'REPORTED') = (entry_id IS NOT NULL))",
    f"CREATE UNIQUE INDEX sitting_once ON sitting (candidate_id, appointment_at) WHERE state NOT IN {ENDS}",
    "CREATE UNIQUE INDEX sitting_test_id ON sitting (test_id) WHERE test_id IS NOT NULL",
    "CREATE INDEX sitting_candidate ON sitting (candidate_id, appointment_at DESC, id DESC)",
    f"CREATE INDEX sitting_queue ON sitting (appointment_at, check_in_started_at, id) WHERE state IN {LIVE}",
    f"CREATE INDEX sitting_proctor ON sitting (proctor_id) WHERE state IN {LIVE}",
    # what the clock ends
    "CREATE INDEX sitting_start_ends ON sitting (appointment_at) WHERE state IN ('BOOKED', 'SYSTEM_CHECKED')",
    "CREATE INDEX sitting_last_seen ON sitting (seen_at) WHERE state = 'IN_PROGRESS'",
    "CREATE INDEX sitting_break_ends ON sitting (break_started_at) WHERE state = 'ON_BREAK'",
    # what belongs to them
    "ALTER TABLE proctor_presence ADD CONSTRAINT proctor_presence_staff FOREIGN KEY (staff_id)"
    " REFERENCES staff_user ON DELETE CASCADE",
    "CREATE UNIQUE INDEX sitting_recipient_once ON sitting_recipient (sitting_id, institution_id)",
    "CREATE INDEX system_check_sitting ON system_check (sitting_id, checked_at)",
    "CREATE UNIQUE INDEX check_in_step_once ON check_in_step (sitting_id, step)",
    "CREATE UNIQUE INDEX sitting_section_place ON sitting_section (sitting_id, place)",
    "CREATE INDEX sitting_message_sitting ON sitting_message (sitting_id, sent_at, id)",
    "ALTER TABLE sitting_message ADD CONSTRAINT sitting_message_has_text CHECK (text <> '')",
    "CREATE INDEX incident_sitting ON incident (sitting_id, noted_at, id)",
    "ALTER TABLE incident ADD CONSTRAINT incident_has_text CHECK (text <> '')",
    "ALTER TABLE sitting_photo ADD CONSTRAINT sitting_photo_digest CHECK (octet_length(digest) = 32)",
    "CREATE INDEX recording_due ON recording (delete_at) WHERE deleted_at IS NULL",
    "CREATE INDEX recording_sitting ON recording (sitting_id)",
    "ALTER TABLE recording ADD CONSTRAINT recording_goes CHECK ((deleted_at IS NULL) = (reference IS NOT NULL))",
    "ALTER TABLE appeal ADD CONSTRAINT appeal_answered CHECK ("
    " num_nonnulls(outcome, answer, answered_at, staff_id) IN (0, 4))",
    # the same cursor as the journal's
    "ALTER TABLE sitting_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "CREATE INDEX sitting_event_cursor ON sitting_event (sitting_id, xid, id)",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0037_sittings")]
    operations = [ops.RunSQL(RULES)]
