"""Log-in, log-out, and who is behind a token (A3, A4, A10, O3)."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakValueDictionary

from engine import database, hashing, keys
from engine.allowance import Left, Spending, asker, left_of
from engine.database import Row
from engine.limits import Attempt, Lock, Rate, forget, network, take
from errors import InstitutionSuspended, LoginLocked, TooManyTries, WrongLogin, WrongPassword
from models import key_token
from models.base import required
from models.entry import written_id_number
from models.institution import APPROVED
from models.session import IDLE, LONGEST, Session
from models.verifier import StaffRole, VerifierRole
from models.viewer import Kind, Viewer
from resolvers import key_viewers, notices, one_time_codes

LOGIN_LOCKS = {
    Kind.CANDIDATE: Lock("log-in candidate", tries=4, length=timedelta(minutes=30)),
    Kind.VERIFIER: Lock("log-in verifier", tries=4, length=timedelta(minutes=30)),
    Kind.STAFF: Lock("log-in staff", tries=4, length=timedelta(minutes=30)),
}
# Counted over all ID Numbers of one account (A11), so that many of them give no more guesses than one. Only the owner
# is told of it, by mail: a number that is locked, and was never tried, would be known to belong to the other (A4).
ALL_NUMBERS = Lock("log-in all numbers", tries=4, length=timedelta(minutes=30))
WRONG_LOGINS_BY_ADDRESS = Rate("wrong log-ins by address", most=200, window=timedelta(hours=1))
# A session's last use is written at most this often; so it ends between 30:00 and 30:10 after its last use.
USE_IS_NOTED_EVERY = timedelta(seconds=10)

ACCOUNTS = {
    Kind.CANDIDATE: """SELECT candidate.id, candidate.password_hash FROM entry
                       JOIN candidate ON candidate.id = entry.candidate_id
                       WHERE entry.id_number = :name AND entry.claimed_at IS NOT NULL
                       AND candidate.closed_at IS NULL""",
    Kind.VERIFIER: f"""SELECT verifier_user.id, verifier_user.password_hash, {APPROVED} AS is_let_in FROM verifier_user
                      JOIN institution ON institution.id = verifier_user.institution_id
                      WHERE lower(verifier_user.email) = lower(:name) AND verifier_user.status = 'ACTIVE'
                      AND institution.status IN ('APPROVED', 'SUSPENDED')""",
    Kind.STAFF: """SELECT id, password_hash, role, secret_version, last_step FROM staff_user
                   LEFT JOIN staff_totp ON staff_totp.staff_id = staff_user.id WHERE lower(email) = lower(:name)""",
}
TABLES = {Kind.CANDIDATE: "candidate", Kind.VERIFIER: "verifier_user", Kind.STAFF: "staff_user"}
OWNER_COLUMNS = {Kind.CANDIDATE: "candidate_id", Kind.VERIFIER: "verifier_id", Kind.STAFF: "staff_id"}
# The name that an account logs in by; of a candidate's ID Numbers the one that was claimed first.
NAMES = {
    Kind.CANDIDATE: """SELECT id_number AS name FROM entry WHERE candidate_id = :id AND claimed_at IS NOT NULL
                       ORDER BY claimed_at, id_number LIMIT 1""",
    Kind.VERIFIER: "SELECT email AS name FROM verifier_user WHERE id = :id",
    Kind.STAFF: "SELECT email AS name FROM staff_user WHERE id = :id",
}

VALID = f"""session.ended_at IS NULL AND session.created_at > :created_after AND session.used_at > :used_after
           AND (candidate.id IS NULL OR candidate.closed_at IS NULL)
           AND (verifier_user.id IS NULL OR (verifier_user.status = 'ACTIVE' AND {APPROVED}))"""
SESSION_JOINS = """
    FROM session LEFT JOIN candidate ON candidate.id = session.candidate_id
    LEFT JOIN verifier_user ON verifier_user.id = session.verifier_id
    LEFT JOIN institution ON institution.id = verifier_user.institution_id
    LEFT JOIN staff_user ON staff_user.id = session.staff_id"""

OWNER = f"""SELECT session.id, session.candidate_id, session.verifier_id, session.staff_id, session.created_at,
                   session.used_at, verifier_user.institution_id, verifier_user.is_primary,
                   verifier_user.role AS verifier_role, staff_user.role,
                   staff_user.centre_id, coalesce(candidate.language, verifier_user.language) AS language
                   {SESSION_JOINS}"""


_turns: WeakValueDictionary[tuple[Kind, str], asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new session: its token, told once, and the moment (UTC) at which it ends at the latest."""

    token: str
    ends_at: datetime
    viewer: Viewer


async def log_in(kind: Kind, name: str, password: str, viewer: Viewer, code: str = "") -> LoggedIn:
    """Start a session for a candidate (by ID Number), verifier or member of staff (by e-mail).

    An unknown name, a wrong password and a wrong one-time code, which the board's staff need, are answered alike, in
    the same time, and lock alike (A4). Raises WrongLogin, LoginLocked, TooManyTries or InstitutionSuspended.
    """
    account = await _account_with_password(kind, name, password, viewer, code)
    if not account.get("is_let_in", True):
        raise InstitutionSuspended  # told to none but those who know the password
    async with database.transaction():
        if await is_unchanged(kind, account):
            await _keep_hash_current(kind, account, password)
            logged_in = await start(kind, account["id"], viewer)
            if logged_in.viewer.id is None:
                raise WrongLogin  # shut out while the password was compared; no session stays
            return logged_in
    return await log_in(kind, name, password, viewer, code)  # the password was changed while it was compared


async def prove(viewer: Viewer, password: str) -> Row:
    """The viewer's own account, if this is its password; a wrong one is a wrong try to log in (A4).

    Outside of any transaction: a try stays counted. Raises WrongPassword, LoginLocked or TooManyTries.
    """
    found = required(await database.row(NAMES[viewer.account], id=viewer.id))
    try:
        return await _account_with_password(viewer.account, found["name"], password, viewer)
    except WrongLogin:
        raise WrongPassword from None


def _turn(kind: Kind, name: str) -> asyncio.Lock:
    """Tries under one name wait for one another: five right ones at once are not four wrong ones in a row.

    That is for politeness, and for this process alone; what holds across all is the count in the database.
    """
    return _turns.setdefault((kind, name), asyncio.Lock())


async def _account_with_password(kind: Kind, name: str, password: str, viewer: Viewer, code: str | None = None) -> Row:
    # Folded before it is looked up: two ways to write one name must never have a count of tries each.
    name = written_id_number(name) if kind is Kind.CANDIDATE else name.strip().casefold()
    async with _turn(kind, name):
        return await _compared(kind, name, password, viewer, code)


async def _compared(kind: Kind, name: str, password: str, viewer: Viewer, code: str | None) -> Row:
    client = network(viewer.address)
    if not await WRONG_LOGINS_BY_ADDRESS.count(client, viewer.at):
        raise TooManyTries(WRONG_LOGINS_BY_ADDRESS.ends_at(viewer.at))
    attempt = await take(LOGIN_LOCKS[kind], name, viewer.at)
    if attempt.is_refused and attempt.locked_until:
        raise LoginLocked(attempt.locked_until)
    account = await database.row(ACCOUNTS[kind], name=name)
    whole = await _over_all_numbers(account, name, viewer.at) if kind is Kind.CANDIDATE else attempt
    # Before the password, so that the time does not tell which of the two was wrong.
    asks_code = kind is Kind.STAFF and code is not None
    step = one_time_codes.step(account, code or "", viewer.at) if asks_code else one_time_codes.NONE_NEEDED
    if not await _is_right(account, password, step, viewer.at) or whole.is_refused:
        if locked_until := (attempt.is_last and attempt.locked_until) or (whole.is_last and whole.locked_until):
            await notices.login_locked(kind, account["id"] if account else None, locked_until)
        if attempt.is_last and attempt.locked_until:
            raise LoginLocked(attempt.locked_until)
        raise WrongLogin
    await attempt.right()
    if kind is Kind.CANDIDATE:
        await whole.right()
    await WRONG_LOGINS_BY_ADDRESS.give_back(client, viewer.at)
    found: Row = required(account)
    return found


async def _over_all_numbers(account: Row | None, name: str, now: datetime) -> Attempt:
    """The try as one against the whole account; a name that nobody has is counted as well, to cost the same."""
    return await take(ALL_NUMBERS, str(account["id"]) if account else name, now)


async def forget_wrong_passwords(candidate_id: UUID) -> None:
    """After a new password, by a mailed link: nothing of before counts (A5)."""
    numbers = await database.rows("SELECT id_number FROM entry WHERE candidate_id = :id", id=candidate_id)
    for number in numbers:
        await forget(LOGIN_LOCKS[Kind.CANDIDATE], number["id_number"])
    await forget(ALL_NUMBERS, str(candidate_id))


async def _is_right(account: Row | None, password: str, step: int | None, now: datetime) -> bool:
    """Whether it is the account's password, and a code of it that is not used yet (None: it is not).

    An unknown name costs the time that a known one does.
    """
    is_right = await hashing.matches(account["password_hash"] if account else None, password)
    return account is not None and is_right and step is not None and await one_time_codes.use(account, step, now)


async def is_unchanged(kind: Kind, account: Row) -> bool:
    """Whether the password is still the one that was compared; it stays so until the transaction ends."""
    statement = f"SELECT 1 FROM {TABLES[kind]} WHERE id = :id AND password_hash = :hash FOR NO KEY UPDATE"
    return bool(await database.rows(statement, id=account["id"], hash=account["password_hash"]))


async def _keep_hash_current(kind: Kind, account: Row, password: str) -> None:
    if hashing.is_outdated(account["password_hash"]):
        await database.rows(
            f"UPDATE {TABLES[kind]} SET password_hash = :new WHERE id = :id AND password_hash = :old",
            new=await hashing.hash_password(password),
            id=account["id"],
            old=account["password_hash"],
        )


async def start(kind: Kind, account_id: UUID, viewer: Viewer) -> LoggedIn:
    """Make a session for an account whose owner has proved who they are."""
    token = keys.new_token()
    facts = {"token_hash": keys.hashed(token), "created_at": viewer.at, "used_at": viewer.at}
    facts |= {OWNER_COLUMNS[kind]: account_id}
    await Session(**facts).save()
    return LoggedIn(token, viewer.at + LONGEST, await viewer_of(token, viewer.at, viewer.address, viewer.language))


async def viewer_of(
    token: str | None, now: datetime, address: str, language: str = "en", spending: Spending | None = None
) -> Viewer:
    """Who is behind a token at this moment; anonymous when nobody is any more.

    `language` is what the client likes best; that of an account goes before it. What is being spent is counted against
    the institution's allowance; raises AllowanceUsedUp.
    """
    if not token:
        return Viewer(Kind.ANONYMOUS, now, address, language=language)
    if key_token.is_meant(token):
        return await key_viewers.viewer_of(token, now, address, language, spending)
    statement = f"{OWNER} WHERE session.token_hash = :hash AND {VALID}"
    found = await asker(statement, spending, hash=keys.hashed(token), **_times(now))
    if found is None:
        return Viewer(Kind.ANONYMOUS, now, address, language=language)
    left = left_of(found, spending)
    if now - found["used_at"] >= USE_IS_NOTED_EVERY:
        await database.rows("UPDATE session SET used_at = :now WHERE id = :id", now=now, id=found["id"])
    return _viewer(found, now, address, language, left)


async def viewer_of_session(session_id: UUID, now: datetime, address: str) -> Viewer:
    """Who is behind a session at this moment; anonymous when it has ended. This is no use that keeps it alive (A10)."""
    found = await database.row(f"{OWNER} WHERE session.id = :id AND {VALID}", id=session_id, **_times(now))
    return Viewer(Kind.ANONYMOUS, now, address) if found is None else _viewer(found, now, address, "en")


def _viewer(found: Row, now: datetime, address: str, language: str, left: Left | None = None) -> Viewer:
    kinds = (
        (Kind.CANDIDATE, found["candidate_id"]),
        (Kind.VERIFIER, found["verifier_id"]),
        (Kind.STAFF, found["staff_id"]),
    )
    kind, owner = next((kind, owner) for kind, owner in kinds if owner is not None)
    if found["role"] == StaffRole.PROCTOR.value:
        kind = Kind.PROCTOR
    return Viewer(
        kind,
        now,
        address,
        id=owner,
        institution_id=found["institution_id"],
        session_id=found["id"],
        session_ends_at=found["created_at"] + LONGEST,
        is_primary=bool(found["is_primary"]),
        is_reader=found["verifier_role"] == VerifierRole.READER.value,
        is_board=found["role"] == StaffRole.BOARD.value,
        centre_id=found["centre_id"],
        language=found["language"] or language,
        allowance=left,
    )


async def still_valid(session_ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Which of these sessions, and keys, have not ended; one statement however many."""
    found = await database.rows(
        f"""SELECT session.id {SESSION_JOINS} WHERE session.id = ANY(:ids) AND {VALID}
            UNION ALL SELECT api_key.id {key_viewers.JOINS} WHERE api_key.id = ANY(:ids) AND {key_viewers.VALID}""",
        ids=list(session_ids),
        now=now,
        **_times(now),
    )
    return {session["id"] for session in found}


def _times(now: datetime) -> dict[str, datetime]:
    return {"created_after": now - LONGEST, "used_after": now - IDLE - USE_IS_NOTED_EVERY}


async def end_all(kind: Kind, account_ids: Iterable[UUID], now: datetime) -> None:
    """End every session of these accounts, and with them their streams and the addresses of their files."""
    await database.rows(
        f"UPDATE session SET ended_at = :now WHERE {OWNER_COLUMNS[kind]} = ANY(:ids) AND ended_at IS NULL",
        now=now,
        ids=list(account_ids),
    )


async def log_out(viewer: Viewer, everywhere: bool) -> int:
    """End this session, or all of the viewer's; tells how many. Does nothing for an anonymous viewer."""
    if viewer.session_id is None:
        return 0
    condition = "candidate_id = :id OR verifier_id = :id OR staff_id = :id" if everywhere else "id = :session_id"
    named = {"id": viewer.id} if everywhere else {"session_id": viewer.session_id}
    return len(
        await database.rows(
            f"UPDATE session SET ended_at = :now WHERE ended_at IS NULL AND ({condition}) RETURNING id",
            now=viewer.at,
            **named,
        )
    )
