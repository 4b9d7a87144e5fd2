"""The rules that a row can break, as constraints, and the indexes that the hot reads stand on.

Tortoise 1.1 does not create `Meta.constraints` (upstream #2272), so they are written out here.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # candidate
    "ALTER TABLE candidate ADD CONSTRAINT candidate_registered_is_whole CHECK ("
    " (registered_at IS NULL AND email IS NULL AND password_hash IS NULL AND terms_accepted_at IS NULL)"
    " OR closed_at IS NOT NULL"
    " OR (registered_at IS NOT NULL AND email IS NOT NULL AND password_hash IS NOT NULL"
    "     AND terms_version IS NOT NULL AND terms_accepted_at IS NOT NULL))",
    "ALTER TABLE candidate ADD CONSTRAINT candidate_language CHECK (language IN ('en', 'ja'))",
    # entry
    "ALTER TABLE entry ADD CONSTRAINT entry_id_number_form CHECK (id_number ~ '^[A-Z]{3}[0-9]{6}$')",
    "ALTER TABLE entry ADD CONSTRAINT entry_secret_is_sealed CHECK (length(secret_hash) = 32)",
    "CREATE UNIQUE INDEX entry_candidate_number ON entry (centre_id, exam_id, exam_date, candidate_number)",
    "CREATE INDEX entry_candidate ON entry (candidate_id)",
    # exam data
    "ALTER TABLE grade_band ADD CONSTRAINT grade_band_order CHECK (lowest <= highest)",
    "CREATE UNIQUE INDEX grade_band_exam ON grade_band (exam_code, lowest)",
    # result
    "ALTER TABLE result ADD CONSTRAINT result_grade_is_graded CHECK ((outcome = 'GRADE') = (grade IS NOT NULL))",
    "ALTER TABLE result ADD CONSTRAINT result_level_has_cefr CHECK (outcome <> 'LEVEL' OR cefr IS NOT NULL)",
    "ALTER TABLE result ADD CONSTRAINT result_shown_has_headline CHECK ("
    " (headline IS NOT NULL) = (outcome IN ('GRADE', 'LEVEL', 'FAIL')))",
    "ALTER TABLE result ADD CONSTRAINT result_without_award_has_no_score CHECK ("
    " outcome IN ('GRADE', 'LEVEL', 'FAIL') OR (overall_score IS NULL AND cefr IS NULL))",
    "ALTER TABLE result ADD CONSTRAINT result_score_range CHECK (overall_score BETWEEN 0 AND 230)",
    "ALTER TABLE result ADD CONSTRAINT result_cefr CHECK (cefr IN ('A1', 'A2', 'B1', 'B2', 'C1', 'C2'))",
    "ALTER TABLE result ADD CONSTRAINT result_revoked_was_released CHECK (revoked_at IS NULL OR released_at IS NOT NULL)",
    "ALTER TABLE result ADD CONSTRAINT result_version CHECK (version >= 1)",
    "CREATE UNIQUE INDEX result_certificate ON result (certificate_number) WHERE certificate_number IS NOT NULL",
    "ALTER TABLE skill_score ADD CONSTRAINT skill_score_range CHECK (score BETWEEN 0 AND 230)",
    # institution
    "ALTER TABLE institution ADD CONSTRAINT institution_country CHECK (country ~ '^[A-Z]{2}$')",
    "ALTER TABLE institution ADD CONSTRAINT institution_not_its_own_parent CHECK (parent_id <> id)",
    "ALTER TABLE institution ADD CONSTRAINT institution_approved_when CHECK ("
    " status NOT IN ('APPROVED', 'SUSPENDED') OR approved_at IS NOT NULL)",
    "ALTER TABLE institution ADD CONSTRAINT institution_suspended_when CHECK ("
    " (status = 'SUSPENDED') = (suspended_at IS NOT NULL))",
    "CREATE INDEX institution_parent ON institution (parent_id)",
    "CREATE INDEX institution_name_grams ON institution_name USING gin (grams)",
    "CREATE INDEX institution_name_institution ON institution_name (institution_id)",
    # verifiers and staff
    "ALTER TABLE verifier_user ADD CONSTRAINT verifier_active_has_password CHECK ("
    " status <> 'ACTIVE' OR password_hash IS NOT NULL)",
    "ALTER TABLE verifier_user ADD CONSTRAINT verifier_language CHECK (language IN ('en', 'ja'))",
    "CREATE UNIQUE INDEX verifier_one_primary ON verifier_user (institution_id) WHERE is_primary AND status = 'ACTIVE'",
    "CREATE UNIQUE INDEX verifier_email ON verifier_user (lower(email)) WHERE status <> 'REMOVED'",
    "CREATE INDEX verifier_institution ON verifier_user (institution_id)",
    "CREATE UNIQUE INDEX staff_email ON staff_user (lower(email))",
    "ALTER TABLE staff_user ADD CONSTRAINT staff_centre CHECK ((role = 'CENTRE') = (centre_id IS NOT NULL))",
    # share
    "ALTER TABLE share ADD CONSTRAINT share_read_was_opened CHECK (NOT is_read OR opened_at IS NOT NULL)",
    "ALTER TABLE share ADD CONSTRAINT share_consent CHECK (consent_text <> '' AND consent_version <> ''"
    " AND institution_name_shown <> '')",
    "ALTER TABLE share ADD CONSTRAINT share_consent_language CHECK (consent_language IN ('en', 'ja'))",
    "ALTER TABLE share ADD CONSTRAINT share_times CHECK (opened_at >= sent_at AND withdrawn_at >= sent_at)",
    "CREATE UNIQUE INDEX share_once ON share (result_id, institution_id) WHERE withdrawn_at IS NULL",
    "CREATE INDEX share_inbox ON share (institution_id, sent_at DESC, id DESC) WHERE withdrawn_at IS NULL",
    "CREATE INDEX share_unread ON share (institution_id) WHERE NOT is_read AND withdrawn_at IS NULL",
    "CREATE INDEX share_candidate ON share (candidate_id, sent_at DESC, id DESC)",
    "CREATE INDEX share_candidate_institution ON share (institution_id, candidate_id)",
    # templates
    "CREATE UNIQUE INDEX template_name ON download_template (institution_id, lower(name)) NULLS NOT DISTINCT",
    # sessions and resets
    "ALTER TABLE session ADD CONSTRAINT session_one_owner CHECK (num_nonnulls(candidate_id, verifier_id, staff_id) = 1)",
    "ALTER TABLE session ADD CONSTRAINT session_token_is_hashed CHECK (length(token_hash) = 32)",
    "CREATE UNIQUE INDEX session_token ON session (token_hash)",
    "CREATE INDEX session_candidate ON session (candidate_id) WHERE ended_at IS NULL",
    "CREATE INDEX session_verifier ON session (verifier_id) WHERE ended_at IS NULL",
    "CREATE INDEX session_staff ON session (staff_id) WHERE ended_at IS NULL",
    "CREATE INDEX password_reset_candidate ON password_reset (candidate_id)",
    # the journal: xid tells which transaction wrote the event, so that a cursor can wait for open ones
    "ALTER TABLE journal ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "ALTER TABLE journal ADD CONSTRAINT journal_institution FOREIGN KEY (institution_id) REFERENCES institution (id)",
    "CREATE INDEX journal_institution_cursor ON journal (institution_id, xid, id)",
    # letters
    "CREATE INDEX letter_due ON letter (next_try_at) WHERE sent_at IS NULL AND refused_at IS NULL",
    # tries
    "CREATE UNIQUE INDEX wrong_tries_subject ON wrong_tries (kind, subject)",
    "CREATE UNIQUE INDEX rate_window_subject ON rate_window (kind, subject, window_started_at)",
    "ALTER TABLE wrong_tries ADD CONSTRAINT wrong_tries_counts CHECK (in_a_row >= 0 AND ever >= 0)",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0001_initial")]
    operations = [ops.RunSQL(RULES)]
