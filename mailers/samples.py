"""Every letter with invented facts, for people who want to see them all."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from mailers import letters
from mailers.letters import MOST_LISTED, Account, Corrections, Envelope, Key, Mail, News, Period

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SITE = "https://results.example"
SECRET = "uhXJ0a1T4pOq7vQb2Z5c9w"  # noqa: S105  # opens nothing
INBOX, STOP = f"{SITE}/inbox", f"{SITE}/unsubscribe/{SECRET}"
RESULTS = f"{SITE}/results"
HOST = "hooks.aoba.example"
INSTITUTION = "Aoba Gakuin University, Faculty of Letters"
KEY = Key(INSTITUTION, "Admissions server", "sk_seiseki_4fYt2k", AT + timedelta(days=30))
EXAMS = {"C1 Advanced": 64, "B2 First": 41, "B2 First for Schools": 9, "A2 Key": 1}


def envelope(name: str, language: str) -> Envelope:
    """An envelope to nobody."""
    return Envelope(f"{name}.{language}", "receiver@mail.example", language, AT)


def news(period: Period, by_exam: Mapping[str, int]) -> News:
    """New shares of an institution, the last one just now, the others a few minutes apart."""
    titles = [title for title, number in by_exam.items() for _ in range(number)]
    latest = [
        (title, date(2026, 10, 10 + place % 2), AT - timedelta(minutes=7 * place))
        for place, title in enumerate(titles[:MOST_LISTED])
    ]
    count = len(titles)
    return News(INSTITUTION, "Asia/Tokyo", period, count, [*by_exam.items()], latest)


def corrections(period: Period, count: int) -> Corrections:
    """Results that were corrected after an institution had read them."""
    return Corrections(INSTITUTION, period, count)


def _told(period: Period, by_exam: Mapping[str, int]) -> Callable[[Envelope], Mail]:
    return lambda to: letters.new_shares(to, news(period, by_exam), INBOX, STOP)


SAMPLES: dict[str, Callable[[Envelope], Mail]] = {
    "confirm_address": lambda to: letters.confirm_address(to, f"{SITE}/confirm-email#{SECRET}"),
    "password_reset": lambda to: letters.password_reset(to, f"{SITE}/reset-password#{SECRET}"),
    "password_reset-verifier": lambda to: letters.password_reset(to, f"{SITE}/set-password#{SECRET}", Account.VERIFIER),
    "user_invited": lambda to: letters.user_invited(to, INSTITUTION, f"{SITE}/set-password#{SECRET}"),
    "application_confirm": lambda to: letters.application_confirm(to, f"{SITE}/confirm-email#{SECRET}"),
    "application_known": lambda to: letters.application_known(to, INBOX),
    "application_received": lambda to: letters.application_received(to, INSTITUTION, date(2026, 11, 27)),
    "application_refused": lambda to: letters.application_refused(to, INSTITUTION, "The site names no such faculty."),
    "application_approved": lambda to: letters.application_approved(to, INSTITUTION, f"{SITE}/set-password#{SECRET}"),
    "institution_invited": lambda to: letters.institution_invited(to, "Aoi Tanaka", f"{SITE}/apply#{SECRET}"),
    "institution_joined": lambda to: letters.institution_joined(to, INSTITUTION, RESULTS),
    "password_changed": lambda to: letters.password_changed(to, AT),
    "password_changed-verifier": lambda to: letters.password_changed(to, AT, Account.VERIFIER),
    "password_changed-staff": lambda to: letters.password_changed(to, AT, Account.STAFF),
    "address_changed": letters.address_changed,
    "address_changed-verifier": lambda to: letters.address_changed(to, Account.VERIFIER),
    "primary_changed": lambda to: letters.primary_changed(to, INSTITUTION, "Rin Sato"),
    "join_requested": lambda to: letters.join_requested(to, INSTITUTION, INBOX),
    "join_refused": lambda to: letters.join_refused(to, INSTITUTION),
    "institution_suspended": lambda to: letters.institution_suspended(to, INSTITUTION, "Its website has gone."),
    "institution_reinstated": lambda to: letters.institution_reinstated(to, INSTITUTION, INBOX),
    "key_created": lambda to: letters.key_created(to, KEY, f"{SITE}/organisation"),
    "key_revoked": lambda to: letters.key_revoked(to, KEY, f"{SITE}/organisation"),
    "key_ends": lambda to: letters.key_ends(to, KEY, f"{SITE}/organisation"),
    "webhook_failing": lambda to: letters.webhook_failing(to, INSTITUTION, HOST, AT - timedelta(days=1), INBOX),
    "webhook_paused-gone": lambda to: letters.webhook_paused(to, INSTITUTION, HOST, "GONE", INBOX),
    "webhook_paused-failing": lambda to: letters.webhook_paused(to, INSTITUTION, HOST, "FAILING", INBOX),
    "account_closed": letters.account_closed,
    "login_locked": lambda to: letters.login_locked(to, AT + timedelta(minutes=30)),
    "login_locked-verifier": lambda to: letters.login_locked(to, AT + timedelta(minutes=30), Account.VERIFIER),
    "login_locked-staff": lambda to: letters.login_locked(to, AT + timedelta(minutes=30), Account.STAFF),
    "new_shares-one": _told(Period.AT_ONCE, {"C1 Advanced": 1}),
    "new_shares-at_once": _told(Period.AT_ONCE, EXAMS),
    "new_shares-daily": _told(Period.DAILY, EXAMS),
    "new_shares-weekly": _told(Period.WEEKLY, EXAMS),
    "result_released": lambda to: letters.result_released(to, RESULTS),
    "result_changed": lambda to: letters.result_changed(to, RESULTS),
    "result_corrected-one": lambda to: letters.result_corrected(to, corrections(Period.AT_ONCE, 1), INBOX, STOP),
    "result_corrected-daily": lambda to: letters.result_corrected(to, corrections(Period.DAILY, 1064), INBOX, STOP),
}


def sample(name: str, language: str) -> Mail:
    """One letter in one language."""
    return SAMPLES[name](envelope(name, language))
