"""What a row of each kind holds, as SQL: one list of columns per type, with names that never collide.

`schema/` makes a type from any row that holds its columns, so one statement can answer a whole tree.
"""

from models.candidate import LIVE_SHARE

CANDIDATE = """
    candidate.id AS candidate_id, candidate.family_name, candidate.given_name, candidate.native_name,
    candidate.date_of_birth, candidate.email AS candidate_email, candidate.language AS candidate_language,
    candidate.wants_updates, candidate.email_refused_at AS candidate_email_refused_at"""

EXAM = """
    exam.code AS exam_code, exam.title AS exam_title, exam.former_title, exam.skills AS exam_skills,
    exam.photo AS exam_photo, exam.first_date, exam.last_date, scale.code AS scale_code,
    scale.overall_min, scale.overall_max, scale.skill_min, scale.skill_max"""

CENTRE = "centre.id AS centre_id, centre.number AS centre_number, centre.name AS centre_name"

ENTRY = f"""
    entry.id AS entry_id, entry.candidate_id, entry.exam_date, entry.candidate_number, entry.id_number,
    entry.results_by, entry.claimed_at, {EXAM}, {CENTRE}"""

ENTRY_JOINS = """
    JOIN exam ON exam.code = entry.exam_id JOIN scale ON scale.code = exam.scale_id
    JOIN centre ON centre.id = entry.centre_id"""

RESULT = f"""
    result.id AS result_id, entry.candidate_id, result.outcome, result.statement_number, result.certificate_number,
    result.headline, result.grade, result.cefr, result.overall_score, result.version, result.released_at,
    result.withheld_at, result.revoked_at, entry.exam_date, {EXAM}, {CENTRE},
    (SELECT json_agg(json_build_array(skill_score.skill, skill_score.score) ORDER BY skill_score.id)
       FROM skill_score WHERE skill_score.result_id = result.id) AS skill_scores"""

RESULT_JOINS = f"JOIN entry ON entry.id = result.entry_id {ENTRY_JOINS}"

INSTITUTION = """
    institution.id AS institution_id, institution.name AS institution_name, institution.department,
    institution.parent_id, institution.kind AS institution_kind, institution.country, institution.city,
    institution.website, institution.timezone, institution.status AS institution_status,
    institution.sandbox_of_id IS NOT NULL AS is_sandbox"""

APPLICATION = f"""
    application.id AS application_id, application.status AS application_status, application.applicant_name,
    application.applicant_email, application.language AS application_language, application.applied_at,
    application.email_confirmed_at, application.due_on, application.decided_at, application.reason, {INSTITUTION},
    institution.domain, institution.skeleton"""

INVITATION = """
    invitation.id AS invitation_id, invitation.candidate_id, invitation.name AS invited_name,
    invitation.email AS invited_email, invitation.website AS invited_website, invitation.country AS invited_country,
    invitation.language AS invited_language, invitation.invited_at, invitation.accepted_at, invitation.declined_at,
    coalesce(institution.merged_into_id, institution.id) AS institution_id"""

# What of a result the live share with the viewer's institution lets be seen; null where there is none (S9).
SCOPE = "share.includes_skills, share.includes_photo, share.allows_downloads"

# Finds that share for a row of a result; the unique index `share_once` keeps it at one.
SCOPE_JOIN = f"""
    LEFT JOIN share ON share.result_id = result.id AND share.institution_id = :viewer_institution_id
    AND {LIVE_SHARE}"""

SHARE = f"""
    share.id AS share_id, share.sent_at, share.is_read, share.opened_at, share.withdrawn_at, share.expires_at,
    share.expiry_told_at, share.purpose, share.reference, {SCOPE}, share.consent_text, share.consent_version,
    share.consent_language, share.institution_name_shown, candidate.closed_at AS candidate_closed_at,
    {CANDIDATE}, {INSTITUTION}, {RESULT.replace("entry.candidate_id, ", "")}"""

SHARE_JOINS = f"""
    JOIN candidate ON candidate.id = share.candidate_id
    JOIN institution ON institution.id = share.institution_id
    JOIN result ON result.id = share.result_id {RESULT_JOINS}"""

VERIFIER = """
    verifier_user.id AS verifier_id, verifier_user.institution_id, verifier_user.name AS verifier_name,
    verifier_user.email AS verifier_email, verifier_user.is_primary, verifier_user.status AS verifier_status,
    verifier_user.language AS verifier_language, verifier_user.notify, verifier_user.role AS verifier_role,
    verifier_user.email_refused_at AS verifier_email_refused_at"""

JOIN_REQUEST = """
    join_request.id AS join_request_id, join_request.institution_id, join_request.status AS join_request_status,
    join_request.name AS asker_name, join_request.email AS asker_email, join_request.language AS asker_language,
    join_request.asked_at, join_request.decided_at"""

TEMPLATE = """
    download_template.id AS template_id, download_template.institution_id, download_template.name AS template_name,
    download_template.format, download_template.columns, download_template.delimiter, download_template.encoding,
    download_template.date_format, download_template.header, download_template.version AS template_version"""

DOWNLOAD = """
    download.id AS download_id, download.institution_id, download.verifier_id, download.key_id, download.repeated_id,
    download.status AS download_status, download.format, download.template, download.rows, download.done,
    download.asked_at, download.ready_at, download.size, download.digest, download.failure, download.file,
    download.ends_at, download.not_allowed, download.without_statement, download.gone,
    coalesce(verifier_user.name, api_key.name) AS asked_by"""

DOWNLOAD_JOINS = """
    LEFT JOIN verifier_user ON verifier_user.id = download.verifier_id
    LEFT JOIN api_key ON api_key.id = download.key_id"""

LETTER = """
    letter.id AS letter_id, letter.kind AS letter_kind, letter.address, letter.language AS letter_language,
    letter.candidate_id, letter.verifier_id, letter.written_at, letter.tries, letter.last_error, letter.sent_at,
    letter.parked_at, letter.refused_at"""
