"""Registering with the numbers of a Confirmation of Entry (A1, A6, A8)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.candidate import Candidate
from models.consent import TERMS_VERSION
from models.entry import Entry
from resolvers import candidates
from tests.client import Client
from tests.conftest import START, ControlledClock, Statements, client_of
from tests.hostile import HOSTILE
from tests.world import PASSWORD, SECRET, World

WRONG = "4321"
ANSWER = """... on LoggedIn { token endsAt viewer { kind candidate { email language wantsUpdates } } }
    ... on InvalidInput { problems { path message } } ... on RegistrationLocked { lockedUntil }
    ... on TooManyTries { retryAfter }"""
REGISTER = f"mutation ($input: RegisterInput!) {{ register(input: $input) {{ __typename {ANSWER} }} }}"
ME = "{ me { email language wantsUpdates entries { idNumber } } }"
FIELDS = ["idNumber", "secretNumber", "email", "emailAgain", "password", "passwordAgain", "language"]

ClientAt = Callable[[int], Awaitable[Client]]


@pytest.fixture
async def client_at(app: Starlette) -> AsyncIterator[ClientAt]:
    """Clients by the last number of their address."""
    async with AsyncExitStack() as stack:

        async def client_at(number: int) -> Client:
            return await stack.enter_async_context(client_of(app, f"198.51.100.{number}"))

        yield client_at


@pytest.fixture
async def entry(app: Starlette, world: World) -> Entry:
    """An entry that nobody has claimed."""
    return await world.entry(await world.candidate(registered=False))


def form(id_number: str, secret: str = SECRET, **changes: Any) -> dict[str, Any]:
    """The form, filled in well."""
    good: dict[str, Any] = {
        "idNumber": id_number,
        "secretNumber": secret,
        "email": "aoi@mail.example",
        "emailAgain": "aoi@mail.example",
        "password": PASSWORD,
        "passwordAgain": PASSWORD,
        "acceptsTerms": True,
    }
    return good | changes


async def register(client: Client, id_number: str, secret: str = SECRET, **changes: Any) -> Any:
    """The answer to the form."""
    return await client.order("register", ANSWER, **form(id_number, secret, **changes))


async def kinds(client: Client, id_number: str, secrets: list[str]) -> list[str]:
    """What becomes of one Secret Number after the other."""
    return [(await register(client, id_number, secret))["__typename"] for secret in secrets]


async def test_registering_claims_the_entry_and_logs_in(client: Client, entry: Entry) -> None:
    """A1."""
    answer = await register(client, entry.id_number)
    assert answer["__typename"] == "LoggedIn"
    assert answer["viewer"]["kind"] == "CANDIDATE"
    me = (await client.as_(answer["token"]).ask(ME))["me"]
    assert me["email"] == "aoi@mail.example"
    assert me["entries"] == [{"idNumber": entry.id_number}]
    await client.log_in(entry.id_number, PASSWORD)


async def test_terms_are_kept_with_their_version_and_the_time(
    client: Client, entry: Entry, clock: ControlledClock
) -> None:
    """A1."""
    clock.forward(minutes=7)
    await register(client, entry.id_number)
    account = await Candidate.get(id=entry.candidate_id)
    assert account.terms_version == TERMS_VERSION == "2026-11"
    assert account.terms_accepted_at == account.registered_at == START + timedelta(minutes=7)
    assert (await Entry.get(id=entry.id)).claimed_at == START + timedelta(minutes=7)


@pytest.mark.parametrize(
    ("changes", "wanted"), [({}, False), ({"wantsUpdates": False}, False), ({"wantsUpdates": True}, True)]
)
async def test_updates_are_wanted_only_where_the_box_was_ticked(
    client: Client, entry: Entry, changes: dict[str, Any], wanted: bool
) -> None:
    """A1."""
    await register(client, entry.id_number, **changes)
    assert (await Candidate.get(id=entry.candidate_id)).wants_updates is wanted


@pytest.mark.parametrize(("changes", "language"), [({}, "en"), ({"language": "ja"}, "ja")])
async def test_language_is_english_unless_another_was_chosen(
    client: Client, entry: Entry, changes: dict[str, Any], language: str
) -> None:
    """A12."""
    await register(client, entry.id_number, **changes)
    assert (await Candidate.get(id=entry.candidate_id)).language == language


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"acceptsTerms": False}, "acceptsTerms"),
        ({"emailAgain": "aoi@mail.example.org"}, "emailAgain"),
        ({"passwordAgain": PASSWORD + "!"}, "passwordAgain"),
        ({"password": "short 1", "passwordAgain": "short 1"}, "password"),
        ({"idNumber": "AB1234567"}, "idNumber"),
        ({"idNumber": "ABC12345"}, "idNumber"),
        ({"idNumber": "ABC1234567"}, "idNumber"),
        ({"secretNumber": "123"}, "secretNumber"),
        ({"secretNumber": "12345"}, "secretNumber"),
        ({"secretNumber": "12a4"}, "secretNumber"),
        ({"language": "fr"}, "language"),
    ],
)
async def test_a_fault_is_told_with_its_field_and_changes_nothing(
    client: Client, entry: Entry, changes: dict[str, Any], path: str
) -> None:
    """A1, A2."""
    answer = await register(client, entry.id_number, **changes)
    assert answer["__typename"] == "InvalidInput"
    assert {problem["path"] for problem in answer["problems"]} == {path}
    assert (await Candidate.get(id=entry.candidate_id)).registered_at is None
    assert (await register(client, entry.id_number))["__typename"] == "LoggedIn"


async def test_all_faults_are_told_at_once(client: Client, entry: Entry) -> None:
    """A1, A2."""
    wrong = dict.fromkeys(FIELDS, "?") | {"emailAgain": "!", "passwordAgain": "!", "acceptsTerms": False}
    answer = await register(client, "?", "?", **wrong)
    assert {problem["path"] for problem in answer["problems"]} == {*FIELDS, "acceptsTerms"}
    assert all(problem["message"] in answer["message"] for problem in answer["problems"])


async def test_a_form_without_agreement_to_the_terms_is_not_a_form(client: Client, entry: Entry) -> None:
    """A1: there is no default for it."""
    filled_in = form(entry.id_number)
    del filled_in["acceptsTerms"]
    found = await client.errors(REGISTER, input=filled_in)
    assert [error["extensions"]["code"] for error in found] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    "email",
    [
        "aoi", "aoi@", "@mail.example", "aoi@mail", "aoi@@mail.example", "a oi@mail.example", "aoi@mail..example",
        "aoi@.mail.example", "aoi@mail.example.", "aoi@mail.e", "aoi@mail.example, you@mail.example",
        "Aoi <aoi@mail.example>", "aoi@mail.example\nBcc: you@mail.example", "葵@mail.example",
        "x" * 65 + "@mail.example", "aoi@" + "x" * 240 + ".example.org", '"aoi"@mail.example',
    ],
)  # fmt: skip
async def test_what_is_not_an_email_address_is_refused(client: Client, entry: Entry, email: str) -> None:
    """A1."""
    answer = await register(client, entry.id_number, email=email, emailAgain=email)
    assert [problem["path"] for problem in answer["problems"]] == ["email"]


@pytest.mark.parametrize(
    "email",
    [
        "a@b.jp",
        "Aoi.Tanaka+exam@Mail-2.co.example",
        "a..oi.@docomo.example",
        "x" * 64 + "@mail.example",
        " aoi@mail.example ",
    ],
)
async def test_addresses_in_use_are_taken(client: Client, entry: Entry, email: str) -> None:
    """A1: Japanese telephone companies gave out addresses with two full stops in a row."""
    answer = await register(client, entry.id_number, email=email, emailAgain=email)
    assert answer["viewer"]["candidate"]["email"] == email.strip()


@pytest.mark.parametrize("written", ["abc{0}", "ABC-{0}", " ABC {0} ", "ＡＢＣ{0}", "a b c {0}"])
async def test_numbers_may_be_typed_as_people_type_them(client: Client, entry: Entry, written: str) -> None:
    """A1: any case, blanks, hyphens, full width."""
    digits = entry.id_number[3:]
    answer = await register(client, written.format(digits), "１２ 34")
    assert answer["__typename"] == "LoggedIn"


async def test_registered_number_says_so_only_to_whoever_has_its_secret(client: Client, entry: Entry) -> None:
    """A6."""
    await register(client, entry.id_number)
    wrong, right = await register(client, entry.id_number, WRONG), await register(client, entry.id_number)
    assert wrong["__typename"] == "WrongNumbers"
    assert right["__typename"] == "AlreadyRegistered"
    assert right["message"] == "This ID Number is already registered: log in, or reset the password."


async def test_two_at_once_make_one_account(client: Client, entry: Entry) -> None:
    """A6."""
    emails = [f"aoi{number}@mail.example" for number in range(2)]
    answers = await asyncio.gather(
        *(register(client, entry.id_number, email=email, emailAgain=email) for email in emails)
    )
    assert sorted(answer["__typename"] for answer in answers) == ["AlreadyRegistered", "LoggedIn"]
    winner = next(answer for answer in answers if answer["__typename"] == "LoggedIn")
    email = (await client.as_(winner["token"]).ask(ME))["me"]["email"]
    assert email == winner["viewer"]["candidate"]["email"]
    assert await database.value("SELECT count(*) FROM session") == 1


async def test_another_entry_of_a_registered_candidate_does_not_take_the_account_over(
    client: Client, world: World
) -> None:
    """A6, A11: the numbers of a second Confirmation of Entry are not a way round the password."""
    account = await world.candidate()
    await world.entry(account)
    second = await world.entry(account, exam_date=date(2026, 6, 7), claimed_at=None)
    answer = await register(client, second.id_number)
    assert answer["__typename"] == "AlreadyRegistered"
    unchanged = await Candidate.get(id=account.id)
    assert (unchanged.email, unchanged.password_hash) == (account.email, account.password_hash)
    assert (await Entry.get(id=second.id)).claimed_at is None


async def test_third_wrong_secret_locks_for_thirty_minutes(
    client: Client, entry: Entry, clock: ControlledClock
) -> None:
    """A8: a right Secret during the lock is refused too, and refused tries do not make it longer."""
    assert await kinds(client, entry.id_number, [WRONG, "9999"]) == ["WrongNumbers"] * 2
    locked = await register(client, entry.id_number, WRONG)
    assert locked["__typename"] == "RegistrationLocked"
    assert locked["lockedUntil"] == "2026-11-22T09:30:00+00:00"
    clock.forward(minutes=29, seconds=59)
    assert await register(client, entry.id_number, WRONG) == locked
    assert await register(client, entry.id_number) == locked
    clock.forward(seconds=1)
    assert (await register(client, entry.id_number))["__typename"] == "LoggedIn"


async def test_after_a_lock_there_are_three_tries_again(client: Client, entry: Entry, clock: ControlledClock) -> None:
    """A8."""
    for _ in range(2):
        assert await kinds(client, entry.id_number, [WRONG] * 3) == ["WrongNumbers"] * 2 + ["RegistrationLocked"]
        clock.forward(minutes=30)
    assert await kinds(client, entry.id_number, [WRONG] * 2 + [SECRET]) == ["WrongNumbers"] * 2 + ["LoggedIn"]


async def test_right_secret_forgets_the_wrong_ones_in_a_row(client: Client, entry: Entry) -> None:
    """A8."""
    await register(client, entry.id_number)
    tried = await kinds(client, entry.id_number, [WRONG, WRONG, SECRET, WRONG, WRONG, SECRET])
    assert tried == ["WrongNumbers", "WrongNumbers", "AlreadyRegistered"] * 2


async def wrong_over_days(client: Client, id_number: str, count: int, clock: ControlledClock) -> list[Any]:
    """Wrong Secrets, one a day, so that no lock stands in their way."""
    answers = []
    for _ in range(count):
        answers.append(await register(client, id_number, WRONG))
        clock.forward(days=1)
    return answers


async def test_tenth_wrong_secret_of_a_lifetime_closes_the_number(
    client: Client, entry: Entry, clock: ControlledClock
) -> None:
    """A8: for the right Secret too, and for good."""
    answers = await wrong_over_days(client, entry.id_number, 10, clock)
    assert answers[-1]["__typename"] == "RegistrationLocked"
    assert answers[-1]["lockedUntil"] is None
    clock.forward(days=3650)
    assert await register(client, entry.id_number) == answers[-1]
    assert await register(client, entry.id_number, WRONG) == answers[-1]


async def test_nine_wrong_secrets_of_a_lifetime_do_not_close_it(
    client: Client, entry: Entry, clock: ControlledClock
) -> None:
    """A8."""
    answers = await wrong_over_days(client, entry.id_number, 9, clock)
    assert all(answer.get("lockedUntil", "none") is not None for answer in answers)
    assert (await register(client, entry.id_number))["__typename"] == "LoggedIn"


async def test_right_secrets_do_not_use_the_lifetime_up(client: Client, entry: Entry, clock: ControlledClock) -> None:
    """A8: a claimed entry's Secret may be given any number of times."""
    await register(client, entry.id_number)
    assert await kinds(client, entry.id_number, [SECRET] * 11) == ["AlreadyRegistered"] * 11


async def test_a_number_that_does_not_exist_answers_exactly_alike(
    client_at: ClientAt, entry: Entry, clock: ControlledClock, statements: Statements
) -> None:
    """A8: field by field, statement by statement, from the first try until it is closed."""
    one, other = await client_at(1), await client_at(2)
    for _ in range(6):
        for _ in range(3):
            with statements.counted():
                known = await register(one, entry.id_number, WRONG)
            sent = list(statements.sent)
            with statements.counted():
                unknown = await register(other, "XYZ999999", WRONG)
            assert (unknown, statements.sent) == (known, sent)
        clock.forward(minutes=30)
    assert known["lockedUntil"] is None


async def test_fifty_at_once_compare_at_most_three(client_at: ClientAt, entry: Entry, statements: Statements) -> None:
    """A8: counted before anything is compared. From several addresses, so that only this limit is met."""
    clients = [await client_at(number) for number in range(5)]
    secrets = [f"{number:04}" for number in range(50)]
    with statements.counted():
        answers = await asyncio.gather(
            *(register(clients[i % 5], entry.id_number, secret) for i, secret in enumerate(secrets))
        )
    assert sum("secret_hash =" in statement for statement in statements.sent) == 3
    assert sorted(answer["__typename"] for answer in answers) == ["RegistrationLocked"] * 48 + ["WrongNumbers"] * 2
    assert (await register(clients[0], entry.id_number))["__typename"] == "RegistrationLocked"


async def test_thirty_wrong_secrets_an_hour_from_one_address(
    client_at: ClientAt, entry: Entry, clock: ControlledClock, statements: Statements
) -> None:
    """A8: for fifty numbers at once as well; other addresses go on, and so does this one in the next hour."""
    one, other = await client_at(1), await client_at(2)
    with statements.counted():
        answers = await asyncio.gather(*(register(one, f"XYZ{number:06}", WRONG) for number in range(50)))
    assert sum("secret_hash =" in statement for statement in statements.sent) == 30
    assert sorted(answer["__typename"] for answer in answers) == ["TooManyTries"] * 20 + ["WrongNumbers"] * 30
    clock.forward(minutes=59, seconds=59)
    refused = await register(one, entry.id_number)
    assert refused["retryAfter"] == "2026-11-22T10:00:00+00:00"
    assert (await register(other, "XYZ000099", WRONG))["__typename"] == "WrongNumbers"
    clock.forward(seconds=1)
    assert (await register(one, entry.id_number))["__typename"] == "LoggedIn"


async def test_right_secrets_do_not_use_an_addresss_allowance_up(client: Client, entry: Entry) -> None:
    """A8: a school may register all its candidates from one address."""
    await register(client, entry.id_number)
    assert await kinds(client, entry.id_number, [SECRET] * 31) == ["AlreadyRegistered"] * 31


async def test_a_thousand_wrong_secrets_an_hour_over_the_whole_service(
    client_at: ClientAt, entry: Entry, clock: ControlledClock
) -> None:
    """A8: whatever addresses they come from."""
    for _ in range(999):
        assert await candidates.WRONG_SECRETS_IN_ALL.count("", START)
    one, other = await client_at(1), await client_at(2)
    assert (await register(one, "XYZ000001", WRONG))["__typename"] == "WrongNumbers"
    refused = await register(other, entry.id_number)
    assert refused["__typename"] == "TooManyTries"
    assert refused["retryAfter"] == "2026-11-22T10:00:00+00:00"
    clock.forward(hours=1)
    assert (await register(other, entry.id_number))["__typename"] == "LoggedIn"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_in_any_field_is_refused_clearly(client: Client, entry: Entry, text: str) -> None:
    """A1: in each field in turn, and in all of them."""
    started = time.process_time()
    for fields in [*([field] for field in FIELDS), FIELDS]:
        body = {"query": REGISTER, "variables": {"input": form(entry.id_number) | dict.fromkeys(fields, text)}}
        answer = (await client.send(body)).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
        assert codes or answer["data"]["register"]["__typename"] == "InvalidInput"
    assert time.process_time() - started < 1.5
    assert (await Candidate.get(id=entry.candidate_id)).registered_at is None
