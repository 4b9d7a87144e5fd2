"""Candidates' accounts: registering, forgotten passwords, and reading them (A1, A2, A5, A6, A8)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from engine import database, hashing, keys
from engine.database import Row
from engine.limits import Attempt, Lock, Rate, network, take
from errors import (
    AccountClosed,
    AlreadyRegistered,
    InvalidInput,
    LinkNotValid,
    Problem,
    RegistrationLocked,
    TooManyTries,
    WrongNumbers,
)
from models.candidate import LANGUAGES, Candidate
from models.consent import TERMS_VERSION
from models.entry import ID_NUMBER, SECRET_NUMBER, sealed_secret, written_id_number, written_secret_number
from models.passwords import forms_of_name, password_problems
from models.session import PasswordReset, reset_of
from models.viewer import Kind, Viewer
from resolvers import columns, letters, links, passwords, sessions, trail
from resolvers.reading import Source

SOURCE = Source(Candidate, f"SELECT {columns.CANDIDATE} FROM candidate", "candidate.id", "candidate_id")
by_ids = SOURCE.by_ids

SECRETS = Lock("secret number", tries=3, length=timedelta(minutes=30), ever=10)
WRONG_SECRETS_BY_ADDRESS = Rate("wrong secrets by address", most=30, window=timedelta(hours=1))
WRONG_SECRETS_IN_ALL = Rate("wrong secrets in all", most=1000, window=timedelta(hours=1))
RESETS_BY_ID_NUMBER = Rate("password resets by ID Number", most=3, window=timedelta(hours=1))
RESETS_BY_ADDRESS = Rate("password resets by address", most=30, window=timedelta(hours=1))
LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
# Generous before the @, because telephone companies gave out addresses that break its rules (a..b.@docomo.ne.jp).
EMAIL = re.compile(rf"[!#-'*+\-./0-9=?A-Z^-~]{{1,64}}@({LABEL}\.)+[A-Za-z]{LABEL}")
LONGEST_EMAIL = 254


@dataclass(frozen=True, slots=True)
class Registration:
    """What a candidate fills in to register (A1)."""

    id_number: str
    secret_number: str
    email: str
    email_again: str
    password: str
    password_again: str
    accepts_terms: bool
    wants_updates: bool = False
    language: str = "en"


async def register(viewer: Viewer, form: Registration) -> sessions.LoggedIn:
    """Claim an entry with its numbers, make it an account, and log in.

    Raises InvalidInput, WrongNumbers, RegistrationLocked, TooManyTries, AlreadyRegistered or AccountClosed.
    """
    _check_form(form)
    entry = await entry_with_secret(viewer, form.id_number, form.secret_number)
    _check_unclaimed(entry)
    _check_password(form, entry)
    password_hash = await hashing.hash_password(form.password)
    async with database.transaction():
        await _claim(entry, form, password_hash, viewer)
        await trail.note_own(viewer, entry["candidate_id"])
        return await sessions.start(Kind.CANDIDATE, entry["candidate_id"], viewer)


def _check_unclaimed(entry: Row) -> None:
    if entry["claimed_at"] is not None:
        raise AlreadyRegistered if entry["closed_at"] is None else AccountClosed


def _check_form(form: Registration) -> None:
    """Everything that can be said before the numbers are compared; a bad form is not a wrong try."""
    problems = email_problems(form.email, form.email_again) + number_problems(form.id_number, form.secret_number)
    if not form.accepts_terms:
        problems.append(Problem("acceptsTerms", "You can only register if you agree to the terms of use."))
    if form.language not in LANGUAGES:
        problems.append(Problem("language", "The language must be en or ja."))
    problems += password_problems(form.password, form.password_again, [form.id_number, form.email])
    if problems:
        raise InvalidInput(problems)


def _check_password(form: Registration, entry: Row) -> None:
    """The rules that need the candidate's name; told only to whoever gave the right Secret Number."""
    personal = forms_of_name(entry["given_name"], entry["family_name"], entry["native_name"])
    if problems := password_problems(form.password, form.password_again, personal):
        raise InvalidInput(problems)


def number_problems(id_number: str, secret_number: str) -> list[Problem]:
    """What is wrong with the form of the two numbers of a Confirmation of Entry."""
    problems = []
    if not ID_NUMBER.fullmatch(written_id_number(id_number)):
        problems.append(Problem("idNumber", "An ID Number is 3 letters and 6 digits, like ABC123456."))
    if not SECRET_NUMBER.fullmatch(written_secret_number(secret_number)):
        problems.append(Problem("secretNumber", "A Secret Number is 4 digits."))
    return problems


def email_problems(email: str, again: str) -> list[Problem]:
    """What is wrong with an e-mail address typed twice."""
    problems = []
    if len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email.strip()):
        problems.append(Problem("email", "The e-mail address is not complete; it looks like name@example.org."))
    if email.strip() != again.strip():
        problems.append(Problem("emailAgain", "The two e-mail addresses are not the same."))
    return problems


def _fits(_entry: Row) -> None:
    """Nothing more is asked of an entry than its numbers."""


async def entry_with_secret(
    viewer: Viewer, id_number: str, secret_number: str, check: Callable[[Row], None] = _fits
) -> Row:
    """The entry with these numbers. Every try is counted before anything is compared (A8).

    What `check` raises of an entry leaves the try counted as a wrong one.
    Raises WrongNumbers, RegistrationLocked or TooManyTries.
    """
    id_number, secret = written_id_number(id_number), written_secret_number(secret_number)
    await _count_rates(viewer)
    attempt = await take(SECRETS, id_number, viewer.at)
    _refuse_if_locked(attempt)
    entry = await database.row(
        """SELECT entry.*, candidate.family_name, candidate.given_name, candidate.native_name,
                  candidate.date_of_birth, candidate.registered_at, candidate.closed_at
           FROM entry JOIN candidate ON candidate.id = entry.candidate_id
           WHERE entry.id_number = :id_number AND entry.secret_hash = :secret_hash AND candidate.sandbox_id IS NULL""",
        id_number=id_number,
        secret_hash=sealed_secret(id_number, secret),
    )
    if entry is None:
        raise _wrong(attempt)
    check(entry)
    await attempt.right()
    await WRONG_SECRETS_BY_ADDRESS.give_back(network(viewer.address), viewer.at)
    await WRONG_SECRETS_IN_ALL.give_back("", viewer.at)
    return entry


async def _count_rates(viewer: Viewer) -> None:
    for rate, subject in ((WRONG_SECRETS_BY_ADDRESS, network(viewer.address)), (WRONG_SECRETS_IN_ALL, "")):
        if not await rate.count(subject, viewer.at):
            raise TooManyTries(rate.ends_at(viewer.at))


def _refuse_if_locked(attempt: Attempt) -> None:
    if attempt.is_refused:
        raise RegistrationLocked(None if attempt.is_closed else attempt.locked_until)


def _wrong(attempt: Attempt) -> Exception:
    if attempt.closes:
        return RegistrationLocked(None)
    return RegistrationLocked(attempt.locked_until) if attempt.is_last else WrongNumbers()


async def _claim(entry: Row, form: Registration, password_hash: str, viewer: Viewer) -> None:
    """Make the entry's candidate an account, unless one of their entries did; of two at once, the second finds it.

    An account that was closed is opened again: its centre has issued a new Secret Number.
    """
    claimed = await database.row(
        """UPDATE entry SET claimed_at = :now WHERE id = :id AND claimed_at IS NULL
           AND secret_hash = :secret_hash RETURNING id""",  # the Secret Number may have been issued anew meanwhile (A7)
        id=entry["id"],
        secret_hash=entry["secret_hash"],
        now=viewer.at,
    )
    registered = claimed and await database.row(
        """UPDATE candidate SET email = :email, password_hash = :hash, language = :language, wants_updates = :updates,
                                terms_version = :terms, terms_accepted_at = :now, registered_at = :now, closed_at = NULL
           WHERE id = :id AND (registered_at IS NULL OR closed_at IS NOT NULL) RETURNING id""",
        id=entry["candidate_id"],
        email=form.email.strip(),
        hash=password_hash,
        language=form.language,
        updates=form.wants_updates,
        terms=TERMS_VERSION,
        now=viewer.at,
    )
    if not registered:
        raise WrongNumbers if await _is_unclaimed(entry["id"]) else AlreadyRegistered


async def _is_unclaimed(entry_id: UUID) -> bool:
    return bool(await database.rows("SELECT 1 FROM entry WHERE id = :id AND claimed_at IS NULL", id=entry_id))


async def request_password_reset(viewer: Viewer, id_number: str) -> None:
    """Mail a reset link to the registered address, if there is one; the asker learns nothing (A5).

    Raises TooManyTries when this client asks too often.
    """
    if not await RESETS_BY_ADDRESS.count(network(viewer.address), viewer.at):
        raise TooManyTries(RESETS_BY_ADDRESS.ends_at(viewer.at))
    id_number = written_id_number(id_number)
    wanted = await RESETS_BY_ID_NUMBER.count(keys.hashed(id_number).hex(), viewer.at)
    candidate_id = await database.value(
        """SELECT candidate.id FROM entry JOIN candidate ON candidate.id = entry.candidate_id
           WHERE entry.id_number = :id_number AND entry.claimed_at IS NOT NULL AND candidate.closed_at IS NULL""",
        id_number=id_number,
    )
    if candidate_id is not None and wanted:
        await _send_reset(viewer, candidate_id)


async def _send_reset(viewer: Viewer, candidate_id: UUID) -> None:
    async with database.transaction():
        # Locked, so that no link goes to an address that is being changed, whose open links have ended already.
        account = await database.row(
            "SELECT id, email, language FROM candidate WHERE id = :id AND closed_at IS NULL FOR SHARE", id=candidate_id
        )
        if account is None:
            return
        reset = await PasswordReset.create(candidate_id=account["id"], asked_at=viewer.at)
        facts = {"reset_id": str(reset.id)}
        receiver = letters.Receiver(account["email"], account["language"], candidate_id=account["id"])
        await letters.write("password_reset", receiver, facts, viewer.at)


async def reset_password(viewer: Viewer, token: str, password: str, again: str) -> None:
    """Set a new password by a mailed link, once, within 60 minutes; ends every open session (A5).

    Raises InvalidInput or LinkNotValid.
    """
    reset_id = reset_of(token)
    account = await database.row(
        """SELECT candidate.id FROM password_reset JOIN candidate ON candidate.id = password_reset.candidate_id
           WHERE password_reset.id = :id AND candidate.closed_at IS NULL""",
        id=reset_id,
    )
    if reset_id is None or account is None:
        raise LinkNotValid
    await passwords.check(Kind.CANDIDATE, account["id"], password, again)
    await _use_reset(viewer, reset_id, account["id"], await hashing.hash_password(password))
    await sessions.forget_wrong_passwords(account["id"])


async def _use_reset(viewer: Viewer, reset_id: UUID, candidate_id: UUID, password_hash: str) -> None:
    async with database.transaction():
        # First, so that of two links used at once one waits here for the other.
        open_accounts = Candidate.filter(id=candidate_id, closed_at__isnull=True)
        if not await open_accounts.update(password_hash=password_hash):
            raise LinkNotValid
        await links.use("password_reset", reset_id, viewer.at)
        await passwords.settle(Kind.CANDIDATE, candidate_id, viewer.at)
        await trail.note_own(viewer, candidate_id)
