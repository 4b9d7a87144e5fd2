"""The rules and indexes of applications, invitations, requests to join, links and lists; and of people's names."""

from tortoise import migrations
from tortoise.migrations import operations as ops

RULES = [
    # institutions
    "ALTER TABLE institution ADD CONSTRAINT institution_merged_into CHECK ("
    " (status = 'MERGED') = (merged_into_id IS NOT NULL))",
    "ALTER TABLE institution ADD CONSTRAINT institution_not_merged_into_itself CHECK (merged_into_id <> id)",
    "CREATE INDEX institution_domain ON institution (domain) WHERE domain IS NOT NULL",
    "CREATE INDEX institution_skeleton ON institution (skeleton) WHERE skeleton IS NOT NULL",
    "CREATE INDEX institution_merged ON institution (merged_into_id) WHERE merged_into_id IS NOT NULL",
    # applications
    "ALTER TABLE application ADD CONSTRAINT application_language CHECK (language IN ('en', 'ja'))",
    "ALTER TABLE application ADD CONSTRAINT application_confirmed CHECK ("
    " status = 'APPLIED' OR (email_confirmed_at IS NOT NULL AND due_on IS NOT NULL))",
    "ALTER TABLE application ADD CONSTRAINT application_decided CHECK ("
    " (status IN ('APPROVED', 'REFUSED')) = (decided_at IS NOT NULL AND decided_by IS NOT NULL))",
    "ALTER TABLE application ADD CONSTRAINT application_refused_has_reason CHECK (status <> 'REFUSED' OR reason <> '')",
    "CREATE INDEX application_open ON application (due_on, id) WHERE status IN ('APPLIED', 'EMAIL_CONFIRMED')",
    "CREATE INDEX application_email ON application (lower(applicant_email))",
    # users and their links
    "ALTER TABLE verifier_user ADD CONSTRAINT verifier_removed_when CHECK ((status = 'REMOVED') = (removed_at IS NOT NULL))",
    "CREATE INDEX verifier_link_verifier ON verifier_link (verifier_id)",
    # invitations
    "ALTER TABLE invitation ADD CONSTRAINT invitation_language CHECK (language IN ('en', 'ja'))",
    "ALTER TABLE invitation ADD CONSTRAINT invitation_country CHECK (country ~ '^[A-Z]{2}$')",
    "ALTER TABLE invitation ADD CONSTRAINT invitation_one_answer CHECK (num_nonnulls(accepted_at, declined_at) <= 1)",
    "CREATE INDEX invitation_candidate ON invitation (candidate_id, invited_at DESC, id DESC)",
    "CREATE INDEX invitation_email ON invitation (lower(email), invited_at)",
    "CREATE INDEX invitation_application ON invitation (application_id) WHERE application_id IS NOT NULL",
    # requests to join
    "ALTER TABLE join_request ADD CONSTRAINT join_request_language CHECK (language IN ('en', 'ja'))",
    "ALTER TABLE join_request ADD CONSTRAINT join_request_decided CHECK ("
    " (status <> 'ASKED') = (decided_at IS NOT NULL AND decided_by IS NOT NULL))",
    "CREATE UNIQUE INDEX join_request_once ON join_request (institution_id, lower(email)) WHERE status = 'ASKED'",
    "CREATE INDEX join_request_institution ON join_request (institution_id, asked_at DESC, id DESC)",
    # lists
    "ALTER TABLE list_check ADD CONSTRAINT list_check_done CHECK (done BETWEEN 0 AND rows)",
    "ALTER TABLE list_check ADD CONSTRAINT list_check_ready CHECK (status <> 'READY' OR (done = rows AND ready_at IS NOT NULL))",
    "ALTER TABLE list_check ADD CONSTRAINT list_check_failed CHECK ((status = 'FAILED') = (failure IS NOT NULL))",
    "CREATE INDEX list_check_institution ON list_check (institution_id, asked_at DESC, id DESC)",
    "CREATE UNIQUE INDEX list_check_batch_once ON list_check_batch (list_check_id, first_row)",
]


class Migration(migrations.Migration):
    """One statement a rule, all in one transaction."""

    dependencies = [("models", "0014_institutions")]
    operations = [ops.RunSQL(RULES)]
