"""What is kept no longer than it is needed."""

from datetime import datetime, timedelta

from engine import database
from models.letter import LAST, WAITING
from models.session import IDLE, LONGEST
from resolvers.verifying import DATES

KEPT_DAYS = {
    "session": 30,  # after it ended
    "password_reset": 30,
    "email_change": 30,
    "verifier_link": 30,
    "join_request": 90,  # after it was decided
    "application": 30,  # whose applicant never confirmed the address
    "letter": 90,  # after it was sent or refused; a parked one waits for staff
    "last letter": 30,  # to the address of a closed account, if it was parked
    "webhook_delivery": 30,  # a message to a webhook, after it was taken or given up
    "webhook": 30,  # after it was deleted
    "tries": 2,  # after the window of a rate; wrong tries that count for ever stay
    "look-ups": 2,  # wrong ones of one number, after the last; they lock it for a day
    "jobs": 7,  # what pgqueuer logs of them
}
MOST_AT_ONCE = 10_000  # so that no purge holds locks for long; the next one goes on

PURGES = {
    "session": f"""DELETE FROM session WHERE id IN (
        SELECT id FROM session WHERE used_at < :before OR ended_at < :before LIMIT {MOST_AT_ONCE})""",
    "password_reset": "DELETE FROM password_reset WHERE asked_at < :before",
    "email_change": "DELETE FROM email_change WHERE asked_at < :before",
    "join_request": "DELETE FROM join_request WHERE decided_at < :before",
    "verifier_link": "DELETE FROM verifier_link WHERE asked_at < :before",
    "application": """WITH gone AS (
        DELETE FROM application WHERE status = 'APPLIED' AND applied_at < :before RETURNING institution_id)
        DELETE FROM institution USING gone WHERE institution.id = gone.institution_id""",
    "letter": f"""DELETE FROM letter WHERE id IN (
        SELECT id FROM letter WHERE NOT ({WAITING}) AND parked_at IS NULL
        AND coalesce(sent_at, refused_at) < :before LIMIT {MOST_AT_ONCE})""",
    "last letter": f"DELETE FROM letter WHERE kind = '{LAST}' AND written_at < :before",
    "webhook_delivery": f"""DELETE FROM webhook_delivery WHERE id IN (
        SELECT id FROM webhook_delivery WHERE status <> 'WAITING'
        AND coalesce(last_try_at, created_at) < :before LIMIT {MOST_AT_ONCE})""",
    "webhook": "DELETE FROM webhook WHERE deleted_at < :before",
    "tries": "DELETE FROM rate_window WHERE window_started_at < :before",
    "look-ups": f"""DELETE FROM wrong_tries WHERE id IN (
        SELECT id FROM wrong_tries WHERE kind = '{DATES.kind}' AND last_at < :before LIMIT {MOST_AT_ONCE})""",
    "jobs": f"""DELETE FROM pgqueuer_log WHERE id IN (
        SELECT id FROM pgqueuer_log WHERE created < :before LIMIT {MOST_AT_ONCE})""",
}


async def purge(now: datetime) -> None:
    """Delete what nobody needs any more."""
    assert timedelta(days=KEPT_DAYS["session"]) > IDLE + LONGEST
    for name, statement in PURGES.items():
        await database.rows(statement, before=now - timedelta(days=KEPT_DAYS[name]))
