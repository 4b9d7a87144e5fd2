"""Logging in, as a candidate, a verifier or staff (A3, A4), with a token or a cookie."""

import asyncio
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from engine import hashing
from models.candidate import Candidate
from models.verifier import VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import sessions
from settings import Settings
from tests.client import Client
from tests.conftest import START, ControlledClock, Statements, client_of, running
from tests.hostile import HOSTILE
from tests.world import PASSWORD, SECRET, World

ANSWER = """... on LoggedIn { token endsAt viewer { kind candidate { id } verifier { id } } }
    ... on LoginLocked { lockedUntil } ... on TooManyTries { retryAfter }"""
WRONG = "wrong horse 42"
VIEWER = "{ viewer { kind } }"


@dataclass(frozen=True, slots=True)
class Account:
    """How one kind of account logs in: the mutation, its name for the name, and the name."""

    kind: Kind
    mutation: str
    field: str
    name: str
    unknown: str

    async def log_in(self, client: Client, password: str = PASSWORD, name: str | None = None, **more: Any) -> Any:
        """The answer to one try."""
        given = {self.field: self.name if name is None else name, "password": password} | more
        return await client.order(self.mutation, ANSWER, **given)

    async def kinds(self, client: Client, *passwords: str) -> list[str]:
        """What becomes of one password after the other."""
        return [(await self.log_in(client, password))["__typename"] for password in passwords]


INPUTS = {Kind.CANDIDATE: "LogInInput", Kind.VERIFIER: "LogInByEmailInput", Kind.STAFF: "LogInStaffInput"}


@pytest.fixture(params=[Kind.CANDIDATE, Kind.VERIFIER, Kind.STAFF], ids=lambda kind: kind.value)
async def account(request: pytest.FixtureRequest, app: Starlette, world: World) -> Account:
    """An account of each kind, with PASSWORD."""
    match request.param:
        case Kind.CANDIDATE:
            return Account(Kind.CANDIDATE, "logIn", "idNumber", (await world.entry()).id_number, "XYZ999999")
        case Kind.VERIFIER:
            name = (await world.verifier()).email
            return Account(Kind.VERIFIER, "logInVerifier", "email", name, "nobody@office.example")
        case _:
            name = (await world.staff(centre=await world.centre())).email  # the board's: tests/test_staff.py
            return Account(Kind.STAFF, "logInStaff", "email", name, "nobody@board.example")


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The passwords that were really put through argon2; a second entry is a second time the work."""
    passwords: list[bytes] = []
    verify = PasswordHasher.verify

    def noting(self: PasswordHasher, hash: str | bytes, password: str | bytes) -> Any:
        passwords.append(password if isinstance(password, bytes) else password.encode())
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", noting)
    yield passwords


async def test_right_password_starts_a_session_of_the_right_kind(client: Client, account: Account) -> None:
    """A3."""
    answer = await account.log_in(client)
    assert answer["viewer"]["kind"] == account.kind.name
    assert await client.as_(answer["token"]).ask(VIEWER) == {"viewer": {"kind": account.kind.name}}
    assert await client.ask(VIEWER) == {"viewer": {"kind": "ANONYMOUS"}}


async def test_three_wrong_passwords_fail_and_the_fourth_locks(client: Client, account: Account) -> None:
    """A4: for thirty minutes."""
    for _ in range(3):
        answer = await account.log_in(client, WRONG)
        assert answer["__typename"] == "WrongLogin"
    answer = await account.log_in(client, WRONG)
    assert answer["__typename"] == "LoginLocked"
    assert answer["lockedUntil"] == "2026-11-22T09:30:00+00:00"


async def test_right_password_after_three_wrong_ones_logs_in(client: Client, account: Account) -> None:
    """A4: the other side of the edge."""
    assert await account.kinds(client, *[WRONG] * 3, PASSWORD) == ["WrongLogin"] * 3 + ["LoggedIn"]


async def test_right_password_is_refused_until_the_lock_ends(
    client: Client, account: Account, clock: ControlledClock
) -> None:
    """A4: with the moment it ends, which tries during the lock do not put off."""
    await account.kinds(client, *[WRONG] * 3)
    clock.forward(minutes=1)
    locked = await account.log_in(client, WRONG)
    assert locked["lockedUntil"] == "2026-11-22T09:31:00+00:00"
    for seconds in (0, 1000, 799):
        clock.forward(seconds=seconds)
        assert await account.log_in(client) == locked
        assert await account.log_in(client, WRONG) == locked
    assert clock().isoformat() == "2026-11-22T09:30:59+00:00"
    clock.forward(seconds=1)
    assert (await account.log_in(client))["__typename"] == "LoggedIn"


async def test_after_a_lock_there_are_three_wrong_tries_again(
    client: Client, account: Account, clock: ControlledClock
) -> None:
    """A4."""
    await account.kinds(client, *[WRONG] * 4)
    clock.forward(minutes=30)
    assert await account.kinds(client, *[WRONG] * 3, PASSWORD) == ["WrongLogin"] * 3 + ["LoggedIn"]


async def test_success_resets_the_count(client: Client, account: Account) -> None:
    """A4: in a row."""
    tries = [WRONG, WRONG, WRONG, PASSWORD]
    assert await account.kinds(client, *tries * 2) == (["WrongLogin"] * 3 + ["LoggedIn"]) * 2


async def test_wrong_tries_are_counted_however_much_time_lies_between(
    client: Client, account: Account, clock: ControlledClock
) -> None:
    """A4: only a success resets the count."""
    for _ in range(3):
        await account.log_in(client, WRONG)
        clock.forward(days=7)
    assert (await account.log_in(client, WRONG))["__typename"] == "LoginLocked"


async def test_lock_of_one_name_leaves_others_open(client: Client, account: Account, world: World) -> None:
    """A4."""
    await account.kinds(client, *[WRONG] * 4)
    others = {
        Kind.CANDIDATE: await client.order(
            "logIn", ANSWER, idNumber=(await world.entry()).id_number, password=PASSWORD
        ),
        Kind.VERIFIER: await client.order(
            "logInVerifier", ANSWER, email=(await world.verifier()).email, password=PASSWORD
        ),
        Kind.STAFF: await client.order(
            "logInStaff", ANSWER, email=(await world.staff(await world.centre())).email, password=PASSWORD
        ),
    }
    assert [answer["viewer"]["kind"] for answer in others.values()] == [kind.name for kind in others]


async def test_unknown_names_lock_and_answer_exactly_alike(
    client: Client, account: Account, clock: ControlledClock, statements: Statements, compared: list[bytes]
) -> None:
    """A4: field by field, statement by statement, and with the same hashing work."""
    for _ in range(9):
        compared.clear()
        with statements.counted():
            known = await account.log_in(client, WRONG)
        sent, work = list(statements.sent), len(compared)
        with statements.counted():
            unknown = await account.log_in(client, WRONG, name=account.unknown)
        assert (unknown, statements.sent, len(compared)) == (known, sent, 2 * work)
        clock.forward(minutes=7)


async def test_known_and_unknown_names_cost_one_comparison(
    client: Client, account: Account, compared: list[bytes]
) -> None:
    """A4: the time of the answer tells nothing."""
    await account.log_in(client, WRONG)
    assert compared == [WRONG.encode()]
    await account.log_in(client, WRONG, name=account.unknown)
    assert compared == [WRONG.encode()] * 2
    await account.log_in(client)
    assert compared == [WRONG.encode()] * 2 + [PASSWORD.encode()]


@pytest.mark.parametrize("processes", ["one process", "as many processes as tries"])
async def test_thirty_wrong_guesses_at_once_compare_at_most_four(
    client: Client, account: Account, compared: list[bytes], processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: counted before anything is compared."""
    if processes != "one process":
        monkeypatch.setattr(sessions, "_turn", lambda _kind, _name: asyncio.Lock())
    guesses = [f"{WRONG}{number}" for number in range(30)]
    answers = await asyncio.gather(*(account.log_in(client, guess) for guess in guesses))
    assert len(compared) == 4
    assert sorted(answer["__typename"] for answer in answers) == ["LoginLocked"] * 27 + ["WrongLogin"] * 3
    assert (await account.log_in(client))["__typename"] == "LoginLocked"
    assert len(compared) == 4


async def test_right_passwords_at_once_are_not_wrong_ones_in_a_row(client: Client, account: Account) -> None:
    """A4: somebody clicks again and again while the service is slow."""
    answers = await asyncio.gather(*(account.log_in(client) for _ in range(7)))
    assert [answer["__typename"] for answer in answers] == ["LoggedIn"] * 7


@pytest.mark.parametrize("way", ["{}", " {} ", "{upper}", "{lower}"])
async def test_case_and_blanks_round_the_name_do_not_matter(client: Client, account: Account, way: str) -> None:
    """A3."""
    name = way.format(account.name, upper=account.name.upper(), lower=account.name.lower())
    assert (await account.log_in(client, name=name))["__typename"] == "LoggedIn"


@pytest.mark.parametrize(
    ("one", "other"), [("i", "I"), ("i", "İ"), ("i", "ı"), ("k", "\u212a"), ("s", "ſ"), ("f", "ｆ"), ("a", " a")]
)
async def test_ways_to_write_a_name_do_not_have_a_count_of_tries_each(
    client: Client, account: Account, compared: list[bytes], one: str, other: str
) -> None:
    """A4: what the database takes for the same name is one name for the lock."""
    await account.kinds(client, *[WRONG] * 4)
    compared.clear()
    name = account.name.lower().replace(one, other, 1)
    answer = await account.log_in(client, name=name)
    assert answer["__typename"] in ("LoginLocked", "WrongLogin")
    assert (answer["__typename"] == "LoginLocked") == (compared == [])


@pytest.mark.parametrize("written", ["abc-{0}", "ABC {0}", "ＡＢＣ{0}", "a b c\u3000{0}"])
async def test_id_number_may_be_typed_as_people_type_it(client: Client, world: World, written: str) -> None:
    """A3."""
    entry = await world.entry()
    await client.log_in(written.format(entry.id_number[3:]), PASSWORD)


async def test_secret_number_is_never_a_password_and_the_answer_says_so(client: Client, world: World) -> None:
    """A3: not for a registered candidate, nor for one who has not registered yet."""
    for entry in (await world.entry(), await world.entry(await world.candidate(registered=False))):
        answer = await client.order("logIn", ANSWER, idNumber=entry.id_number, password=SECRET)
        assert answer["__typename"] == "WrongLogin"
        assert "The Secret Number is never a password" in answer["message"]


async def test_any_id_number_of_the_account_logs_in(client: Client, world: World) -> None:
    """A11: but not one that has not been claimed."""
    candidate = await world.candidate()
    claimed = [await world.entry(candidate), await world.entry(candidate, exam_date=date(2026, 6, 7))]
    unclaimed = await world.entry(candidate, claimed_at=None)
    tokens = [await client.log_in(entry.id_number, PASSWORD) for entry in claimed]
    found = [(await client.ask("{ viewer { candidate { id } } }"))["viewer"] for client in tokens]
    assert found[0] == found[1]
    answer = await client.order("logIn", ANSWER, idNumber=unclaimed.id_number, password=PASSWORD)
    assert answer["__typename"] == "WrongLogin"


async def test_closed_and_removed_accounts_answer_as_if_there_were_none(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """G2, U2: a candidate who closed the account, verifiers who are not active; of suspensions see test_suspend.py."""
    entry = await world.entry()
    await Candidate.filter(id=entry.candidate_id).update(closed_at=clock())
    answers = [await client.order("logIn", ANSWER, idNumber=entry.id_number, password=PASSWORD)]
    verifiers = [
        await world.verifier(status=status) for status in VerifierStatus if status is not VerifierStatus.ACTIVE
    ]
    for verifier in verifiers:
        answers.append(await client.order("logInVerifier", ANSWER, email=verifier.email, password=PASSWORD))
    assert {answer["__typename"] for answer in answers} == {"WrongLogin"}
    assert len(answers) == 4


async def test_one_door_does_not_open_to_another_kind_of_account(client: Client, world: World) -> None:
    """A4: e-mail and password of a verifier are not those of staff, nor the other way round."""
    verifier, staff = await world.verifier(), await world.staff(await world.centre())
    crossed = {"logInStaff": verifier.email, "logInVerifier": staff.email}
    for mutation, email in crossed.items():
        answer = await client.order(mutation, ANSWER, email=email, password=PASSWORD)
        assert answer["__typename"] == "WrongLogin"


async def test_two_hundred_wrong_log_ins_an_hour_from_one_address(
    app: Starlette, client: Client, account: Account, clock: ControlledClock
) -> None:
    """A4: one address cannot go through all names; right ones do not count, and other addresses go on."""
    for _ in range(198):
        assert await sessions.WRONG_LOGINS_BY_ADDRESS.count("127.0.0.1", START)
    assert await account.kinds(client, WRONG, PASSWORD, PASSWORD, WRONG) == [
        "WrongLogin",
        "LoggedIn",
        "LoggedIn",
        "WrongLogin",
    ]
    refused = await account.log_in(client)
    assert refused["__typename"] == "TooManyTries"
    assert refused["retryAfter"] == "2026-11-22T10:00:00+00:00"
    async with client_of(app, "198.51.100.9") as other:
        assert (await account.log_in(other))["__typename"] == "LoggedIn"
    clock.forward(hours=1)
    assert (await account.log_in(client))["__typename"] == "LoggedIn"


async def test_hash_made_with_older_parameters_is_made_anew_at_log_in(client: Client, world: World) -> None:
    """G3."""
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    verifier = await world.verifier(password_hash=old)
    await client.log_in_by_email(verifier.email, PASSWORD)
    new = (await VerifierUser.get(id=verifier.id)).password_hash
    assert new is not None
    assert new != old
    assert not hashing.is_outdated(new)
    await client.log_in_by_email(verifier.email, PASSWORD)
    assert (await VerifierUser.get(id=verifier.id)).password_hash == new


async def test_password_is_the_same_however_the_keyboard_composed_it(client: Client, world: World) -> None:
    """A3: a Mac sends é as two signs, Windows as one."""
    password = unicodedata.normalize("NFC", "café crème 42 パズル")
    verifier = await world.verifier(password_hash=await hashing.hash_password(password))
    assert unicodedata.normalize("NFD", password) != password
    await client.log_in_by_email(verifier.email, unicodedata.normalize("NFD", password))
    await client.log_in_by_email(verifier.email, password)


@pytest.mark.parametrize("password", ["", " ", PASSWORD + " ", PASSWORD.upper(), PASSWORD + "\0", PASSWORD[:-1]])
async def test_nearly_right_is_wrong(client: Client, world: World, password: str) -> None:
    """A3."""
    staff = await world.staff(await world.centre())
    answer = await client.order("logInStaff", ANSWER, email=staff.email, password=password)
    assert answer["__typename"] == "WrongLogin"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_is_refused_clearly_at_every_door(client: Client, app: Starlette, text: str) -> None:
    """A3: as name, as password, as both."""
    started = time.process_time()
    for mutation, input_type, field in (
        ("logIn", "LogInInput", "idNumber"),
        ("logInVerifier", "LogInByEmailInput", "email"),
        ("logInStaff", "LogInStaffInput", "email"),
    ):
        query = f"mutation ($input: {input_type}!) {{ {mutation}(input: $input) {{ __typename }} }}"
        for name, password in ((text, PASSWORD), ("ABC123456", text), (text, text)):
            answer = (
                await client.send({"query": query, "variables": {"input": {field: name, "password": password}}})
            ).json()
            codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
            assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
            assert codes or answer["data"][mutation]["__typename"] in ("WrongLogin", "LoginLocked")
    assert time.process_time() - started < 2.5


@pytest.mark.parametrize("escape", [r"\ud800", r"\udfff", r"\u{d800}", r"\udc00\ud800"])
async def test_half_surrogate_pairs_in_the_document_are_a_syntax_error(client: Client, escape: str) -> None:
    """A3."""
    query = f'mutation {{ logIn(input: {{ idNumber: "{escape}", password: "{escape}" }}) {{ __typename }} }}'
    assert [error["extensions"]["code"] for error in await client.errors(query)] == ["GRAPHQL_PARSE_FAILED"]


def cookie_parts(set_cookie: str) -> tuple[str, set[str]]:
    """`name=value`, and the attributes."""
    pair, *attributes = set_cookie.split("; ")
    return pair, set(attributes)


async def cookie_of(client: Client, account: Account) -> str:
    """A browser's log-in; answers the cookie, and leaves the client without it."""
    await account.log_in(client, useCookie=True)
    value = client.http.cookies["seiseki"]
    client.http.cookies.clear()
    return f"seiseki={value}"


async def test_cookie_holds_the_session_where_scripts_cannot_read_it(client: Client, account: Account) -> None:
    """A10: HttpOnly, SameSite=Strict, and no token in the answer."""
    query = f"""mutation ($input: {INPUTS[account.kind]}!) {{
        {account.mutation}(input: $input) {{ ... on LoggedIn {{ token }} }} }}"""
    given = {account.field: account.name, "password": PASSWORD, "useCookie": True}
    response = await client.post(query, input=given)
    assert response.json()["data"][account.mutation] == {"token": None}
    pair, attributes = cookie_parts(response.headers["set-cookie"])
    assert pair.startswith("seiseki=")
    assert len(pair) > 40
    assert attributes == {"HttpOnly", "SameSite=Strict", "Path=/"}


async def test_in_production_the_cookie_goes_to_this_host_over_https_only(
    settings: Settings, clock: ControlledClock, clean: None, world: World
) -> None:
    """A10: browsers take a cookie called `__Host-` only if it is Secure, for `/` and for no other host."""
    async with running(replace(settings, production=True), clock) as app, client_of(app) as client:
        query = "mutation ($input: LogInStaffInput!) { logInStaff(input: $input) { __typename } }"
        given = {"email": (await world.staff(await world.centre())).email, "password": PASSWORD, "useCookie": True}
        pair, attributes = cookie_parts((await client.post(query, input=given)).headers["set-cookie"])
    assert pair.startswith("__Host-seiseki=")
    assert attributes == {"HttpOnly", "SameSite=Strict", "Path=/", "Secure"}


async def test_cookie_logs_in(client: Client, account: Account) -> None:
    """A10."""
    cookie = await cookie_of(client, account)
    answer = await client.send({"query": VIEWER}, Cookie=cookie)
    assert answer.json()["data"]["viewer"]["kind"] == account.kind.name
    assert "set-cookie" not in answer.headers


async def test_no_cookie_is_set_unless_it_was_asked_for(client: Client, account: Account) -> None:
    """A10."""
    await account.log_in(client)
    await account.log_in(client, WRONG, useCookie=True)
    assert dict(client.http.cookies) == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://testserver.elsewhere.example"},
        {"Origin": "http://testserver:81"},
        {"Origin": "http://sub.testserver"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[testserver"},
        {"Origin": "testserver"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_cookie_does_not_count_when_another_sites_page_asks(
    client: Client, world: World, headers: dict[str, str]
) -> None:
    """A10: neither to read nor to change anything."""
    entry = await world.entry()
    cookie = await cookie_of(client, Account(Kind.CANDIDATE, "logIn", "idNumber", entry.id_number, ""))
    answer = await client.send({"query": VIEWER}, Cookie=cookie, **headers)
    assert answer.json()["data"]["viewer"]["kind"] == "ANONYMOUS"
    log_out = "mutation { logOut(input: { everywhere: true }) { ... on LoggedOut { sessionsEnded } } }"
    answer = await client.send({"query": log_out}, Cookie=cookie, **headers)
    assert answer.json()["data"]["logOut"] == {"sessionsEnded": 0}
    answer = await client.send({"query": VIEWER}, Cookie=cookie)
    assert answer.json()["data"]["viewer"]["kind"] == "CANDIDATE"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://testserver"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_cookie_counts_for_our_own_pages(client: Client, world: World, headers: dict[str, str]) -> None:
    """A10."""
    entry = await world.entry()
    cookie = await cookie_of(client, Account(Kind.CANDIDATE, "logIn", "idNumber", entry.id_number, ""))
    answer = await client.send({"query": VIEWER}, Cookie=cookie, **headers)
    assert answer.json()["data"]["viewer"]["kind"] == "CANDIDATE"


async def test_token_in_the_header_counts_wherever_the_page_is(client: Client, world: World) -> None:
    """A10: a browser does not add it by itself, so it proves that the page has it."""
    mine = client.as_(await world.token(await world.staff()))
    answer = await mine.send({"query": VIEWER}, Origin="https://elsewhere.example")
    assert answer.json()["data"]["viewer"]["kind"] == "STAFF"
