"""What each letter says: one function per letter, one template per letter and language."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from mailers.wording import written

MOST_LISTED = 100


class Account(StrEnum):
    """Whose account a letter is about: each has its own way back in."""

    CANDIDATE = "CANDIDATE"
    VERIFIER = "VERIFIER"
    STAFF = "STAFF"


class Period(StrEnum):
    """How often a verifier is told about new shares."""

    AT_ONCE = "AT_ONCE"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom a letter goes to. The same `id` makes the same Message-ID, however often it is tried."""

    id: str
    address: str
    language: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person; `unsubscribe` is the address that ends such mails with one click, where it applies."""

    envelope: Envelope
    subject: str
    text: str
    html: str
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """New shares of one institution: exam titles, dates and times, and nothing about a candidate (N5)."""

    institution: str
    timezone: str  # IANA name
    period: Period
    count: int
    by_exam: Sequence[tuple[str, int]]  # exam title and number of shares; they add up to `count`
    latest: Sequence[tuple[str, date, datetime]] = ()  # exam title, exam date, sent at; newest first


@dataclass(frozen=True, slots=True)
class Corrections:
    """How many results were corrected that users of one institution have read, and when its user wants to be told."""

    institution: str
    period: Period
    count: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an institution's programs: what it is called and how it begins, never the key itself."""

    institution: str
    name: str
    prefix: str
    expires_at: datetime


def confirm_address(envelope: Envelope, link: str) -> Mail:
    """To a new address: confirm it; until then nothing changes (A9)."""
    return _mail("confirm_address", envelope, link=link)


def password_reset(envelope: Envelope, link: str, account: Account = Account.CANDIDATE) -> Mail:
    """The link to set a new password (A5)."""
    return _mail("password_reset", envelope, link=link, account=account)


def user_invited(envelope: Envelope, institution: str, link: str) -> Mail:
    """To a new user of an institution's account: the link to set the first password (U2)."""
    return _mail("user_invited", envelope, institution=institution, link=link)


def application_confirm(envelope: Envelope, link: str) -> Mail:
    """To an applicant: confirm the address (O2). Nothing in it was written by whoever gave the address."""
    return _mail("application_confirm", envelope, link=link)


def application_known(envelope: Envelope, link: str) -> Mail:
    """To whoever has an account already: no other one was applied for (O2)."""
    return _mail("application_known", envelope, link=link)


def application_received(envelope: Envelope, institution: str, due_on: date) -> Mail:
    """To an applicant whose address is confirmed: by when the board means to decide (O2)."""
    return _mail("application_received", envelope, institution=institution, due_on=due_on)


def application_refused(envelope: Envelope, institution: str, reason: str) -> Mail:
    """To an applicant: refused, and why (O2)."""
    return _mail("application_refused", envelope, institution=institution, reason=reason)


def application_approved(envelope: Envelope, institution: str, link: str) -> Mail:
    """To an applicant: the account is open, and the link to set the first password (O2)."""
    return _mail("application_approved", envelope, institution=institution, link=link)


def institution_invited(envelope: Envelope, candidate: str, link: str) -> Mail:
    """To an institution that a candidate could not find (S7): the candidate's name, and nothing of a result."""
    return _mail("institution_invited", envelope, candidate=candidate, link=link)


def institution_joined(envelope: Envelope, institution: str, link: str) -> Mail:
    """To a candidate: an institution that was invited has an account (S7)."""
    return _mail("institution_joined", envelope, institution=institution, link=link)


def password_changed(envelope: Envelope, changed_at: datetime, account: Account = Account.CANDIDATE) -> Mail:
    """Security notice: the password is a new one (A9, N1)."""
    return _mail("password_changed", envelope, changed_at=changed_at, account=account)


def address_changed(envelope: Envelope, account: Account = Account.CANDIDATE) -> Mail:
    """Security notice to the old address, which never learns the new one (A9, U2, N1)."""
    return _mail("address_changed", envelope, changed_at=envelope.written_at, account=account)


def primary_changed(envelope: Envelope, institution: str, name: str) -> Mail:
    """To both: the role of the Primary User was handed over (U1)."""
    return _mail("primary_changed", envelope, institution=institution, name_of_primary=name)


def join_requested(envelope: Envelope, institution: str, link: str) -> Mail:
    """To the Primary User: somebody asks to be added to the account (O5); nothing that the asker wrote is in it."""
    return _mail("join_requested", envelope, institution=institution, link=link)


def join_refused(envelope: Envelope, institution: str) -> Mail:
    """To whoever asked to be added, and was refused (O5)."""
    return _mail("join_refused", envelope, institution=institution)


def institution_suspended(envelope: Envelope, institution: str, reason: str) -> Mail:
    """To each active user of an institution: nobody sees anything for now, and why (O3)."""
    return _mail("institution_suspended", envelope, institution=institution, reason=reason)


def institution_reinstated(envelope: Envelope, institution: str, link: str) -> Mail:
    """To each active user of an institution: all is there again (O3)."""
    return _mail("institution_reinstated", envelope, institution=institution, link=link)


def key_created(envelope: Envelope, key: Key, link: str) -> Mail:
    """Security notice to the Primary User: there is a new key (P1)."""
    return _of_key("key_created", envelope, key, link)


def key_revoked(envelope: Envelope, key: Key, link: str) -> Mail:
    """Security notice to the Primary User: a key lets nobody in any more (P1)."""
    return _of_key("key_revoked", envelope, key, link)


def key_ends(envelope: Envelope, key: Key, link: str) -> Mail:
    """To the Primary User, some days before a key ends (P1)."""
    return _of_key("key_ends", envelope, key, link)


def webhook_failing(envelope: Envelope, institution: str, host: str, since: datetime, link: str) -> Mail:
    """To the Primary User: a message to a webhook was given up, and since when tries have failed (N7)."""
    return _mail("webhook_failing", envelope, institution=institution, host=host, since=since, link=link)


def webhook_paused(envelope: Envelope, institution: str, host: str, reason: str, link: str) -> Mail:
    """To the Primary User: nothing more is sent to a webhook, for reason GONE or FAILING (N7)."""
    return _mail("webhook_paused", envelope, institution=institution, host=host, reason=reason, link=link)


def account_closed(envelope: Envelope) -> Mail:
    """The last letter, to an address that is erased once it is sent (G2)."""
    return _mail("account_closed", envelope, closed_at=envelope.written_at)


def login_locked(envelope: Envelope, locked_until: datetime, account: Account = Account.CANDIDATE) -> Mail:
    """Security notice: four wrong passwords in a row (A4, N1)."""
    return _mail("login_locked", envelope, locked_until=locked_until, account=account)


def new_shares(envelope: Envelope, news: News, inbox: str, unsubscribe: str) -> Mail:
    """What is new in the inbox of an institution: at once with the newest, daily and weekly in numbers only (N2)."""
    latest = news.latest[:MOST_LISTED] if news.period == Period.AT_ONCE else ()
    mail = _mail(
        "new_shares",
        envelope,
        institution=news.institution,
        timezone=news.timezone,
        period=news.period,
        count=news.count,
        by_exam=tuple(news.by_exam),
        latest=tuple(latest),
        more=news.count - len(latest),
        inbox=inbox,
        unsubscribe=unsubscribe,
    )
    return replace(mail, unsubscribe=unsubscribe)


def result_released(envelope: Envelope, link: str) -> Mail:
    """To a candidate, at the release of a result (R3, N1); no score in it."""
    return _mail("result_released", envelope, link=link)


def result_changed(envelope: Envelope, link: str) -> Mail:
    """To a candidate, when a result was amended, withheld, released again or revoked (N1); no score in it."""
    return _mail("result_changed", envelope, link=link)


def result_corrected(envelope: Envelope, corrections: Corrections, inbox: str, unsubscribe: str) -> Mail:
    """To a user of an institution that holds results which stand no more (R11): how many, and nothing else."""
    mail = _mail(
        "result_corrected",
        envelope,
        institution=corrections.institution,
        period=corrections.period,
        count=corrections.count,
        inbox=inbox,
        unsubscribe=unsubscribe,
    )
    return replace(mail, unsubscribe=unsubscribe)


def _of_key(kind: str, envelope: Envelope, key: Key, link: str) -> Mail:
    return _mail(
        kind,
        envelope,
        institution=key.institution,
        key=key.name,
        prefix=key.prefix,
        expires_at=key.expires_at,
        link=link,
    )


def _mail(kind: str, envelope: Envelope, **facts: object) -> Mail:
    return Mail(envelope, *written(kind, envelope.language, facts))
