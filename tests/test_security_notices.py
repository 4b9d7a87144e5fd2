"""Changing one's password, and what the owner of an account is told: password, lock (A4, A9, N1)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from engine import database, hashing
from engine.clock import system_clock
from models.candidate import Candidate
from models.letter import Letter
from models.session import EmailChange, PasswordReset, email_change_token, reset_token
from models.verifier import StaffUser, VerifierUser
from models.viewer import Kind
from resolvers import notices, sessions
from settings import Settings
from tests.client import Client
from tests.conftest import START, ControlledClock
from tests.hostile import HOSTILE
from tests.mail_server import mails_in, text_of
from tests.served import Served, until
from tests.world import PASSWORD, World

NEW = "battery staple 77"
WRONG = "wrong horse 42"
CHANGED = """... on PasswordChanged { message sessionsEnded } ... on InvalidInput { problems { path message } }
    ... on LoginLocked { lockedUntil } ... on TooManyTries { retryAfter }"""
VIEWER = "{ viewer { kind } }"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of one kind: how it logs in, and its session."""

    kind: Kind
    row: Candidate | VerifierUser | StaffUser
    mutation: str
    name: str
    client: Client

    async def log_in(self, password: str, name: str | None = None) -> str:
        """What becomes of a log-in."""
        field = "idNumber" if self.kind is Kind.CANDIDATE else "email"
        given = {field: name or self.name, "password": password}
        answer: str = (await self.client.as_(None).order(self.mutation, "", **given))["__typename"]
        return answer

    async def change(self, old: str = PASSWORD, new: str = NEW, again: str | None = None) -> Any:
        """The answer to a change of password."""
        given = {"oldPassword": old, "password": new, "passwordAgain": new if again is None else again}
        return await self.client.order("changePassword", CHANGED, **given)

    async def becomes(self, *olds: str) -> list[str]:
        """What becomes of changes with one old password after the other."""
        return [(await self.change(old))["__typename"] for old in olds]


async def account_of(kind: Kind, client: Client, world: World, **facts: Any) -> Account:
    """An account with PASSWORD and a session."""
    row: Candidate | VerifierUser | StaffUser
    if kind is Kind.CANDIDATE:
        row = await world.candidate(**facts)
        name, mutation = (await world.entry(row)).id_number, "logIn"
    elif kind is Kind.VERIFIER:
        row = await world.verifier(**facts)
        name, mutation = row.email, "logInVerifier"
    else:
        row = await world.staff(await world.centre(), **facts)
        name, mutation = row.email, "logInStaff"
    return Account(kind, row, mutation, name, client.as_(await world.token(row)))


KINDS = pytest.mark.parametrize("kind", [Kind.CANDIDATE, Kind.VERIFIER, Kind.STAFF], ids=lambda kind: kind.value)


@pytest.fixture(params=[Kind.CANDIDATE, Kind.VERIFIER, Kind.STAFF], ids=lambda kind: kind.value)
async def account(request: pytest.FixtureRequest, client: Client, world: World) -> Account:
    """An account of each kind."""
    return await account_of(request.param, client, world)


@pytest.fixture
async def candidate(client: Client, world: World) -> Account:
    """A candidate's account."""
    return await account_of(Kind.CANDIDATE, client, world)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The passwords that were really put through argon2."""
    passwords: list[bytes] = []
    verify = PasswordHasher.verify

    def noting(self: PasswordHasher, hash: str | bytes, password: str | bytes) -> Any:
        passwords.append(password if isinstance(password, bytes) else password.encode())
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", noting)
    yield passwords


async def kind_of(client: Client) -> str:
    """What kind of caller the client is."""
    found: str = (await client.ask(VIEWER))["viewer"]["kind"]
    return found


async def letters(kind: str) -> list[str]:
    """Where letters of a kind go."""
    return [letter.address for letter in await Letter.filter(kind=kind).order_by("id")]


async def do_jobs(count: int = 1) -> None:
    """Do the jobs that lock letters wait for, as a worker does; there must be so many."""
    found = await database.rows("DELETE FROM pgqueuer WHERE entrypoint = :name RETURNING payload", name=notices.LOCKED)
    assert len(found) == count
    for job in found:
        await notices.write_of_lock(orjson.loads(job["payload"]), START)


# ---- changing one's password


async def test_new_password_counts_from_now_on(account: Account) -> None:
    """A9."""
    assert (await account.change())["__typename"] == "PasswordChanged"
    assert [await account.log_in(one) for one in (PASSWORD, NEW)] == ["WrongLogin", "LoggedIn"]


async def test_new_password_ends_all_other_sessions(account: Account, client: Client, world: World) -> None:
    """A9: not this one, and not those of other accounts."""
    others = [client.as_(await world.token(account.row)) for _ in range(3)]
    theirs = await account_of(account.kind, client, world)
    assert (await account.change())["sessionsEnded"] == 3
    assert [await kind_of(one) for one in others] == ["ANONYMOUS"] * 3
    assert [await kind_of(one.client) for one in (account, theirs)] == [account.kind.name] * 2


@pytest.mark.usefixtures("worker")
@KINDS
@pytest.mark.parametrize("language", ["en", "ja"])
async def test_owner_is_told_that_the_password_was_changed(
    client: Client, world: World, settings: Settings, kind: Kind, language: str
) -> None:
    """N1: in their language, with the way back in for their kind of account; staff read English."""
    facts = {} if kind is Kind.STAFF else {"language": language}
    account = await account_of(kind, client, world, **facts)
    await account.change()
    [mail] = await mails_in(settings.var / "mail", 1)
    assert mail["To"] == account.row.email
    text = text_of(mail)
    assert ("2026年11月22日" in text) == (language == "ja" and kind is not Kind.STAFF)
    ways = {Kind.CANDIDATE: ("ID Number", "ID ナンバー"), Kind.VERIFIER: ("Primary User", "プライマリーユーザー")}
    words = ways.get(kind, ("exam board", "exam board"))
    assert words[language == "ja"] in " ".join(text.split())


@pytest.mark.parametrize("password", ["short 1", "no digits here", "password123", "NUL 42 \0 within", "x" * 126 + "12"])
async def test_new_password_keeps_the_rules(candidate: Account, password: str) -> None:
    """A2, A9."""
    answer = await candidate.change(new=password)
    assert answer["__typename"] == "InvalidInput"
    assert {problem["path"] for problem in answer["problems"]} == {"password"}
    assert await candidate.log_in(PASSWORD) == "LoggedIn"


@pytest.mark.parametrize(
    ("kind", "facts", "passwords"),
    [
        (
            Kind.CANDIDATE,
            {"family_name": "Tanaka77", "given_name": "Aoi", "email": "tanaka77@mail.example"},
            ["Aoi Tanaka77", "tanaka77 aoi", "tanaka77", "TANAKA77@mail.example", "{name}"],
        ),
        (
            Kind.VERIFIER,
            {"name": "Taro Yamada77", "email": "yamada77@office.example"},
            ["taro yamada77", "Yamada77 Taro", "YAMADA77", "yamada77@office.example"],
        ),
        (Kind.STAFF, {"name": "Hana Suzuki77", "email": "suzuki77@board.example"}, ["hanasuzuki77", "suzuki77 hana"]),
    ],
)
async def test_new_password_is_not_what_everybody_knows_of_its_owner(
    client: Client, world: World, kind: Kind, facts: dict[str, Any], passwords: list[str]
) -> None:
    """A2, A9: name, e-mail, ID Number."""
    account = await account_of(kind, client, world, **facts)
    for password in passwords:
        answer = await account.change(new=password.format(name=account.name.lower()))
        assert [problem["path"] for problem in answer["problems"]] == ["password"], password


async def test_new_password_is_typed_twice_alike(candidate: Account) -> None:
    """A9."""
    answer = await candidate.change(again=NEW + "!")
    assert [problem["path"] for problem in answer["problems"]] == ["passwordAgain"]
    assert await letters("password_changed") == []


async def test_nobody_changes_a_password_without_a_session(account: Account, clock: ControlledClock) -> None:
    """A9, A10: nobody, somebody who logged out, and somebody whose session is over; both sides of the edge."""
    anonymous = Account(account.kind, account.row, account.mutation, account.name, account.client.as_(None))
    assert await anonymous.becomes(PASSWORD) == ["NotLoggedIn"]
    clock.forward(minutes=30, seconds=9)
    assert await account.becomes(PASSWORD) == ["PasswordChanged"]
    clock.forward(minutes=30, seconds=10)
    assert await account.becomes(NEW) == ["NotLoggedIn"]
    assert len(await letters("password_changed")) == 1


async def test_session_that_has_ended_changes_no_password(candidate: Account) -> None:
    """A9, A10."""
    await candidate.client.ask("mutation { logOut(input: { everywhere: true }) { __typename } }")
    assert await candidate.becomes(PASSWORD) == ["NotLoggedIn"]


async def test_three_wrong_old_passwords_fail_and_the_fourth_locks_log_in(
    account: Account, clock: ControlledClock
) -> None:
    """A4, A9: a stolen session is no way to guess; the right one is refused too until the lock ends."""
    assert await account.becomes(*[WRONG] * 4) == ["WrongPassword"] * 3 + ["LoginLocked"]
    answer = await account.change()
    assert (answer["__typename"], answer["lockedUntil"]) == ("LoginLocked", "2026-11-22T09:30:00+00:00")
    assert await account.log_in(PASSWORD) == "LoginLocked"
    clock.forward(minutes=29, seconds=59)
    assert await account.becomes(PASSWORD) == ["LoginLocked"]
    clock.forward(seconds=1)
    assert await account.becomes(PASSWORD) == ["PasswordChanged"]


async def test_wrong_old_passwords_and_wrong_log_ins_are_counted_together(candidate: Account) -> None:
    """A4."""
    assert [await candidate.log_in(WRONG) for _ in range(3)] == ["WrongLogin"] * 3
    assert await candidate.becomes(WRONG) == ["LoginLocked"]


async def test_right_old_password_resets_the_count(candidate: Account) -> None:
    """A4."""
    assert await candidate.becomes(*[WRONG] * 3, PASSWORD, *[WRONG] * 3) == [
        *["WrongPassword"] * 3,
        "PasswordChanged",
        *["WrongPassword"] * 3,
    ]


async def test_thirty_wrong_guesses_at_once_compare_at_most_four(
    candidate: Account, compared: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: counted before anything is compared, as if each came to a process of its own."""
    monkeypatch.setattr(sessions, "_turn", lambda _kind, _name: asyncio.Lock())
    answers = await asyncio.gather(*(candidate.change(f"{WRONG}{number}") for number in range(30)))
    assert sorted(answer["__typename"] for answer in answers) == ["LoginLocked"] * 27 + ["WrongPassword"] * 3
    assert len(compared) == 4


async def test_new_password_with_faults_is_no_wrong_try(candidate: Account, compared: list[bytes]) -> None:
    """A4: nothing is compared then."""
    for _ in range(5):
        assert (await candidate.change(WRONG, "short"))["__typename"] == "InvalidInput"
    assert compared == []
    assert await candidate.becomes(PASSWORD) == ["PasswordChanged"]


async def test_two_changes_at_once_leave_one_password(candidate: Account) -> None:
    """A9: the other learns that the old password is none any more."""
    news = ["battery staple 77", "battery staple 88"]
    answers = [one["__typename"] for one in await asyncio.gather(*(candidate.change(new=new) for new in news))]
    assert sorted(answers) == ["PasswordChanged", "WrongPassword"]
    expected = ["LoggedIn" if answer == "PasswordChanged" else "WrongLogin" for answer in answers]
    assert [await candidate.log_in(new) for new in news] == expected
    assert len(await letters("password_changed")) == 1


async def test_log_in_that_compared_the_old_password_does_not_outlive_the_new_one(
    candidate: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A9: whoever has the old password may be logging in at this very moment."""
    compare, is_first = hashing.matches, [True]
    changed: list[str] = []
    monkeypatch.setattr(sessions, "_turn", lambda _kind, _name: asyncio.Lock())

    async def slowly(stored: str | None, password: str) -> bool:
        """Compare, and let the owner change the password before the log-in goes on."""
        is_right = await compare(stored, password)
        if is_first and is_first.pop():
            changed.extend(await candidate.becomes(PASSWORD))
        return is_right

    monkeypatch.setattr(hashing, "matches", slowly)
    assert await candidate.log_in(PASSWORD) == "WrongLogin"
    assert changed == ["PasswordChanged"]
    assert await database.value("SELECT count(*) FROM session WHERE ended_at IS NULL") == 1


async def test_new_password_ends_open_links_of_the_account(candidate: Account, client: Client, world: World) -> None:
    """A5, A9: whoever knew the old password may have asked for an address of their own; others' links go on."""
    other = await account_of(Kind.CANDIDATE, client, world)
    tokens = {}
    for one in (candidate, other):
        change = await EmailChange.create(
            candidate_id=one.row.id, new_email=f"new.{one.name}@mail.example", asked_at=START
        )
        reset = await PasswordReset.create(candidate_id=one.row.id, asked_at=START)
        tokens[one.name] = (email_change_token(change.id), reset_token(reset.id))
    await candidate.change()
    for one, answers in ((candidate, ["LinkNotValid"] * 2), (other, ["PasswordReset", "LinkNotValid"])):
        email, reset_link = tokens[one.name]
        given = {"token": reset_link, "password": "another good 55", "passwordAgain": "another good 55"}
        told = [await client.order("resetPassword", "", **given), await client.order("confirmEmail", "", token=email)]
        assert [answer["__typename"] for answer in told] == answers


async def test_password_reset_tells_its_owner_in_the_same_transaction(
    candidate: Account, client: Client, clock: ControlledClock
) -> None:
    """A5, N1: and a link that is not valid tells nobody."""
    reset = await PasswordReset.create(candidate_id=candidate.row.id, asked_at=clock())
    given = {"token": reset_token(reset.id), "password": NEW, "passwordAgain": NEW}
    answers = [(await client.order("resetPassword", "", **given))["__typename"] for _ in range(2)]
    assert answers == ["PasswordReset", "LinkNotValid"]
    assert await letters("password_changed") == [candidate.row.email]


async def test_password_is_not_changed_where_its_owner_cannot_be_told(candidate: Account) -> None:
    """N1, N4: the letter and the change are one transaction; here the database takes no letters."""
    await database.rows("ALTER TABLE letter ADD CONSTRAINT no_letters CHECK (false) NOT VALID")
    try:
        query = "mutation ($i: ChangePasswordInput!) { changePassword(input: $i) { __typename } }"
        given = {"oldPassword": PASSWORD, "password": NEW, "passwordAgain": NEW}
        assert len(await candidate.client.errors(query, i=given)) == 1
    finally:
        await database.rows("ALTER TABLE letter DROP CONSTRAINT no_letters")
    assert [await candidate.log_in(one) for one in (NEW, PASSWORD)] == ["WrongLogin", "LoggedIn"]
    assert await candidate.becomes(PASSWORD) == ["PasswordChanged"]


async def test_reset_link_of_an_account_that_is_closed_meanwhile_sets_no_password(
    candidate: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5, G2: while the new one is being hashed."""
    reset = await PasswordReset.create(candidate_id=candidate.row.id, asked_at=START)
    hash_password = hashing.hash_password

    async def slowly(password: str) -> str:
        """Hash, and let the account be closed before the order goes on."""
        await Candidate.filter(id=candidate.row.id).update(closed_at=START, email=None, password_hash=None)
        return await hash_password(password)

    monkeypatch.setattr(hashing, "hash_password", slowly)
    given = {"token": reset_token(reset.id), "password": NEW, "passwordAgain": NEW}
    assert (await client.order("resetPassword", "", **given))["__typename"] == "LinkNotValid"
    assert (await Candidate.get(id=candidate.row.id)).password_hash is None


# ---- locks


@pytest.mark.usefixtures("worker")
async def test_fourth_wrong_password_tells_the_owner(account: Account, settings: Settings) -> None:
    """A4, N1: until when log-in is locked."""
    for _ in range(4):
        await account.log_in(WRONG)
    [mail] = await mails_in(settings.var / "mail", 1)
    assert mail["To"] == account.row.email
    assert "until 22 November 2026, 09:30" in " ".join(text_of(mail).split())
    assert "four times in a row" in " ".join(text_of(mail).split())


async def test_three_wrong_passwords_and_a_right_fourth_tell_nobody(candidate: Account) -> None:
    """A4, N1: the other side of the edge."""
    assert [await candidate.log_in(one) for one in [WRONG] * 3 + [PASSWORD]] == ["WrongLogin"] * 3 + ["LoggedIn"]
    await do_jobs(0)


async def test_each_lock_is_told_once_however_many_tries_follow(candidate: Account, clock: ControlledClock) -> None:
    """A4, N1: tries during a lock are not told; the next lock is."""
    for count in (1, 2):
        for _ in range(9):
            await candidate.log_in(WRONG)
            await candidate.change(WRONG)
        await do_jobs(1)
        assert await letters("login_locked") == [candidate.row.email] * count
        clock.forward(minutes=30)


async def test_thirty_wrong_log_ins_at_once_are_told_once(candidate: Account) -> None:
    """A4, N1."""
    await asyncio.gather(*(candidate.log_in(f"{WRONG}{number}") for number in range(30)))
    await do_jobs(1)


async def test_job_that_runs_twice_writes_one_letter(candidate: Account) -> None:
    """N4: jobs run at least once, here at the same time and later again."""
    for _ in range(4):
        await candidate.log_in(WRONG)
    job = await database.row("SELECT payload FROM pgqueuer WHERE entrypoint = :name", name=notices.LOCKED)
    assert job is not None
    facts = orjson.loads(job["payload"])
    await asyncio.gather(*(notices.write_of_lock(facts, START) for _ in range(2)))
    await Letter.all().update(sent_at=START)
    await notices.write_of_lock(facts, START)
    assert await letters("login_locked") == [candidate.row.email]


async def test_lock_of_a_name_that_nobody_has_leaves_the_same_job_and_no_letter(account: Account) -> None:
    """A4: what is stored has the same size, and holds neither name nor password."""
    unknown = "XYZ999999" if account.kind is Kind.CANDIDATE else "nobody@office.example"
    for name in (account.name, unknown):
        for _ in range(4):
            await account.log_in(WRONG, name)
    jobs = await database.rows("SELECT * FROM pgqueuer ORDER BY id")
    assert len(jobs) == 2
    assert len({len(bytes(job["payload"])) for job in jobs}) == 1
    for job in jobs:
        assert not any(text in str(dict(job)) for text in (account.name, unknown, WRONG, account.row.email or ""))
    await do_jobs(2)
    assert await letters("login_locked") == [account.row.email]


async def test_wrong_old_passwords_that_lock_are_told_too(candidate: Account) -> None:
    """A4, N1: the thief's session goes on, and its owner knows."""
    await candidate.becomes(*[WRONG] * 4)
    await do_jobs(1)
    assert await letters("login_locked") == [candidate.row.email]


async def test_each_locked_id_number_of_one_account_is_told(candidate: Account, world: World) -> None:
    """A11, N1: each is a lock of its own."""
    assert isinstance(candidate.row, Candidate)
    other = await world.entry(candidate.row, exam_date=date(2026, 6, 7))
    for name in (candidate.name, other.id_number):
        for _ in range(4):
            await candidate.log_in(WRONG, name)
    await do_jobs(2)
    assert await letters("login_locked") == [candidate.row.email] * 2


async def test_accounts_that_cannot_log_in_are_told_nothing(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """N1, G2, U2: closed or removed before the lock, or between the lock and its job."""
    for is_before in (True, False):
        person = await account_of(Kind.CANDIDATE, client, world)
        user = await account_of(Kind.VERIFIER, client, world)
        for account in (person, user):
            if not is_before:
                for _ in range(4):
                    await account.log_in(WRONG)
        await Candidate.filter(id=person.row.id).update(closed_at=clock(), email=None, password_hash=None)
        await world.remove(user.row)
        for account in (person, user):
            if is_before:
                assert [await account.log_in(WRONG) for _ in range(4)][-1] == "LoginLocked"
        await do_jobs(2)
    assert await letters("login_locked") == []


async def test_job_of_an_account_that_is_not_there_writes_nothing(app: Starlette) -> None:
    """N1."""
    for kind in (Kind.CANDIDATE, Kind.VERIFIER, Kind.STAFF):
        facts = {"kind": kind.name, "account_id": str(uuid4()), "letter_id": str(uuid4()), "locked_until": "2026-11-22"}
        await notices.write_of_lock(facts, START)
    assert await Letter.all().count() == 0


async def test_what_was_typed_is_neither_logged_nor_stored(
    world: World, clock: ControlledClock, settings: Settings, open_database: None, tmp_path: Any
) -> None:
    """A4, G3: a whole process that mails a lock and a new password; some type their password where the name goes."""
    clock.now = system_clock()
    entry = await world.entry()
    candidate = await Candidate.get(id=entry.candidate_id)
    service = Served(tmp_path / "service", settings.database_url).start().ready()
    typed = "typed in the wrong field 4711"
    try:
        async with httpx2.AsyncClient(base_url=service.url, timeout=60) as http:
            mine = Client(http).as_(await world.token(candidate))
            given = {"oldPassword": PASSWORD, "password": NEW, "passwordAgain": NEW}
            assert (await mine.order("changePassword", "", **given))["__typename"] == "PasswordChanged"
            for name in (typed, entry.id_number):
                answers = [await Client(http).order("logIn", "", idNumber=name, password=WRONG) for _ in range(4)]
                assert answers[-1]["__typename"] == "LoginLocked"
        await mails_in(service.var / "mail", 2)
        await until(_no_jobs)
    finally:
        service.stop()
    stored, logged = await everything_stored(), service.stdout + service.stderr
    assert "/graphql" in logged
    for secret in (typed, PASSWORD, NEW, WRONG):
        for form in (secret, secret.encode().hex(), secret.upper()):
            assert form not in logged
            assert form not in stored
    assert not any(name in logged for name in (entry.id_number, candidate.email or "", candidate.family_name))


async def _no_jobs() -> bool:
    return not await database.value("SELECT count(*) FROM pgqueuer")


async def everything_stored() -> str:
    """All rows of all tables as text; bytes are written in hexadecimal digits."""
    tables = await database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [await database.rows(f'SELECT t::text AS row FROM "{table["tablename"]}" AS t') for table in tables]
    return "\n".join(row["row"] for found in rows for row in found)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_is_refused_clearly(candidate: Account, text: str) -> None:
    """A9: in every field."""
    good = {"oldPassword": PASSWORD, "password": NEW, "passwordAgain": NEW}
    query = "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { __typename } }"
    for given in [good | {field: text} for field in good]:
        answer = (await candidate.client.send({"query": query, "variables": {"input": given}})).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
        assert codes or answer["data"]["changePassword"]["__typename"] in ("WrongPassword", "InvalidInput")
    assert await candidate.log_in(PASSWORD) == "LoggedIn"
