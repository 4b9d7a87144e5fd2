"""A forgotten password, and the link that sets a new one (A5)."""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from engine import database, hashing, keys
from engine.clock import system_clock
from models.candidate import Candidate
from models.letter import Letter
from models.session import PasswordReset, reset_token
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, client_of, running
from tests.hostile import HOSTILE
from tests.mail_server import MailServer, link_in, mails_in, text_of
from tests.served import Served, until
from tests.world import PASSWORD, World

NEW = "battery staple 77"
ASKED = "... on PasswordResetRequested { message } ... on TooManyTries { retryAfter }"
RESET = "... on InvalidInput { problems { path message } }"


def token_in(mail: EmailMessage) -> str:
    """What stands behind the # of a mail's link."""
    return link_in(mail).partition("#")[2]


async def ask(client: Client, id_number: str) -> Any:
    """The answer to "I forgot my password"."""
    return await client.order("requestPasswordReset", ASKED, idNumber=id_number)


async def reset(client: Client, token: str, password: str = NEW, again: str | None = None) -> Any:
    """The answer to setting a new password by a link."""
    given = {"token": token, "password": password, "passwordAgain": password if again is None else again}
    return await client.order("resetPassword", RESET, **given)


async def token_for(client: Client, id_number: str) -> str:
    """The token of a fresh link, without waiting for the mail."""
    await ask(client, id_number)
    latest = await PasswordReset.all().order_by("-id").first()
    assert latest is not None
    return reset_token(latest.id)


async def log_in(client: Client, id_number: str, password: str) -> str:
    """What becomes of a log-in."""
    answer: str = (await client.order("logIn", "", idNumber=id_number, password=password))["__typename"]
    return answer


async def kind(client: Client) -> str:
    """What kind of caller the client is."""
    found: str = (await client.ask("{ viewer { kind } }"))["viewer"]["kind"]
    return found


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("language", "words"), [("en", "The link works once, for 60 minutes."), ("ja", "1回だけ有効です。")]
)
async def test_mailed_link_sets_a_new_password(
    client: Client, world: World, settings: Settings, language: str, words: str
) -> None:
    """A5: without a mail server the mail lands in var/mail/, in the candidate's language."""
    entry = await world.entry(await world.candidate(language=language))
    await ask(client, entry.id_number)
    [mail] = await mails_in(settings.var / "mail", 1)
    assert words in text_of(mail)
    assert mail["To"] == (await Candidate.get()).email
    assert link_in(mail).startswith("http://testserver/reset-password#")
    assert (await reset(client, token_in(mail)))["__typename"] == "PasswordReset"
    assert [await log_in(client, entry.id_number, one) for one in (PASSWORD, NEW)] == ["WrongLogin", "LoggedIn"]


async def test_link_arrives_through_the_mail_server(
    settings: Settings, clock: ControlledClock, clean: None, world: World, mail_server: MailServer
) -> None:
    """A5."""
    with_mail = replace(settings, smtp_url=mail_server.url, runs_worker=True)
    async with running(with_mail, clock) as app, client_of(app) as client:
        entry = await world.entry()
        await ask(client, entry.id_number)
        await until(lambda: mail_server.taken)
        assert mail_server.recipients == [(await Candidate.get()).email]
        assert (await reset(client, token_in(mail_server.taken[0])))["__typename"] == "PasswordReset"
    assert not await asyncio.to_thread((settings.var / "mail").exists)


async def test_answer_is_the_same_whether_or_not_the_number_exists(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """A5: not registered yet, closed, never issued, and no number at all included. Only one mail is written."""
    known, unclaimed, closed = (
        await world.entry(),
        await world.entry(await world.candidate(registered=False)),
        await world.entry(),
    )
    await Candidate.filter(id=closed.candidate_id).update(closed_at=clock())
    numbers = [known.id_number, unclaimed.id_number, closed.id_number, "XYZ999999", "no number"]
    answers = [await ask(client, number) for number in numbers]
    assert answers == [answers[0]] * 5
    assert answers[0]["__typename"] == "PasswordResetRequested"
    assert [letter.address for letter in await Letter.all()] == [(await Candidate.get(id=known.candidate_id)).email]


async def test_any_id_number_of_the_account_will_do(client: Client, world: World) -> None:
    """A5, A11: typed as people type it."""
    candidate = await world.candidate()
    await world.entry(candidate)
    other = await world.entry(candidate, exam_date=date(2026, 6, 7))
    await ask(client, f" abc-{other.id_number[3:]} ")
    assert (await Letter.get()).address == candidate.email


async def test_link_works_once(client: Client, world: World) -> None:
    """A5."""
    entry = await world.entry()
    token = await token_for(client, entry.id_number)
    assert (await reset(client, token))["__typename"] == "PasswordReset"
    again = await reset(client, token, "another good one 55")
    assert again["__typename"] == "LinkNotValid"
    assert again["message"] == "This link was used before, is too old, or is not complete. Ask for a new one."
    assert await log_in(client, entry.id_number, NEW) == "LoggedIn"


async def test_using_one_link_ends_the_others_of_the_account(client: Client, world: World) -> None:
    """A5."""
    entry, other = await world.entry(), await world.entry()
    tokens = [await token_for(client, entry.id_number) for _ in range(2)]
    others = await token_for(client, other.id_number)
    assert [(await reset(client, token))["__typename"] for token in tokens] == ["PasswordReset", "LinkNotValid"]
    assert (await reset(client, others))["__typename"] == "PasswordReset"


@pytest.mark.parametrize(
    ("age", "answer"), [({"minutes": 59, "seconds": 59}, "PasswordReset"), ({"minutes": 60}, "LinkNotValid")]
)
async def test_link_is_valid_for_sixty_minutes(
    client: Client, world: World, clock: ControlledClock, age: dict[str, float], answer: str
) -> None:
    """A5."""
    token = await token_for(client, (await world.entry()).id_number)
    clock.forward(**age)
    assert (await reset(client, token))["__typename"] == answer


async def test_new_password_ends_every_open_session(client: Client, world: World) -> None:
    """A5: of this account, not of others."""
    entry = await world.entry()
    account, other = await Candidate.get(id=entry.candidate_id), await world.candidate()
    mine = [client.as_(await world.token(account)) for _ in range(3)]
    theirs = client.as_(await world.token(other))
    await reset(client, await token_for(client, entry.id_number))
    assert [await kind(one) for one in mine] == ["ANONYMOUS"] * 3
    assert await kind(theirs) == "CANDIDATE"


async def test_asking_for_a_link_ends_nothing(client: Client, world: World) -> None:
    """A5: anybody can ask."""
    entry = await world.entry()
    mine = client.as_(await world.token(await Candidate.get(id=entry.candidate_id)))
    await ask(client, entry.id_number)
    assert await kind(mine) == "CANDIDATE"
    assert await log_in(client, entry.id_number, PASSWORD) == "LoggedIn"


async def test_log_in_that_compared_the_old_password_does_not_outlive_the_new_one(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5: whoever has the old password may be logging in at this very moment."""
    entry = await world.entry()
    token = await token_for(client, entry.id_number)
    compare = hashing.matches
    answers: list[str] = []

    async def slowly(stored: str | None, password: str) -> bool:
        """Compare, and let the owner set a new password before the log-in goes on."""
        is_right = await compare(stored, password)
        if not answers:
            answers.append((await reset(client, token))["__typename"])
        return is_right

    monkeypatch.setattr(hashing, "matches", slowly)
    assert await log_in(client, entry.id_number, PASSWORD) == "WrongLogin"
    assert answers == ["PasswordReset"]
    assert await database.value("SELECT count(*) FROM session WHERE ended_at IS NULL") == 0


async def test_new_password_opens_a_locked_log_in(client: Client, world: World) -> None:
    """A4, A5: the owner need not wait for somebody else's wrong tries."""
    entry = await world.entry()
    tries = [await log_in(client, entry.id_number, "wrong") for _ in range(4)]
    assert tries[-1] == "LoginLocked"
    await reset(client, await token_for(client, entry.id_number))
    assert await log_in(client, entry.id_number, NEW) == "LoggedIn"


async def test_one_link_used_twice_at_once_sets_one_password(client: Client, world: World) -> None:
    """A5."""
    entry = await world.entry()
    token = await token_for(client, entry.id_number)
    passwords = ["battery staple 77", "battery staple 88"]
    answers = [one["__typename"] for one in await asyncio.gather(*(reset(client, token, one) for one in passwords))]
    assert sorted(answers) == ["LinkNotValid", "PasswordReset"]
    expected = ["LoggedIn" if answer == "PasswordReset" else "WrongLogin" for answer in answers]
    assert [await log_in(client, entry.id_number, one) for one in passwords] == expected


async def test_two_links_used_at_once_do_not_wait_for_each_other_for_ever(client: Client, world: World) -> None:
    """A5: whichever comes first; a deadlock would come out as an error."""
    entry = await world.entry()
    for _ in range(5):
        await database.rows("TRUNCATE rate_window")
        tokens = [await token_for(client, entry.id_number) for _ in range(2)]
        answers = await asyncio.gather(*(reset(client, token) for token in tokens))
        assert sorted(answer["__typename"] for answer in answers) == ["LinkNotValid", "PasswordReset"]


@pytest.mark.parametrize(
    "password",
    [
        "short 1", "no digits here", "password123", "x" * 126 + "12", "NUL 42 \0 within",
        "{id_number}", "{other_number}", "TANAKA77@mail.example",
        "Tanaka77 Aoi", "aoi tanaka77", "tanaka77", "田中宮77 小百合",
    ],
)  # fmt: skip
async def test_new_password_keeps_the_rules_and_a_bad_one_does_not_use_the_link_up(
    client: Client, world: World, password: str
) -> None:
    """A2, A5."""
    candidate = await world.candidate(
        email="tanaka77@mail.example", family_name="Tanaka77", given_name="Aoi", native_name="田中宮77 小百合"
    )
    entry, other = await world.entry(candidate), await world.entry(candidate, exam_date=date(2026, 6, 7))
    token = await token_for(client, entry.id_number)
    written = password.format(id_number=entry.id_number.lower(), other_number=other.id_number)
    answer = await reset(client, token, written)
    assert answer["__typename"] == "InvalidInput"
    assert {problem["path"] for problem in answer["problems"]} == {"password"}
    assert (await reset(client, token))["__typename"] == "PasswordReset"


async def test_new_password_is_typed_twice_alike(client: Client, world: World) -> None:
    """A5."""
    token = await token_for(client, (await world.entry()).id_number)
    answer = await reset(client, token, NEW, NEW + "!")
    assert [problem["path"] for problem in answer["problems"]] == ["passwordAgain"]


async def test_link_of_an_account_closed_since_is_not_valid(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """A5, G2: closing erases the address, too."""
    entry = await world.entry()
    token = await token_for(client, entry.id_number)
    await Candidate.filter(id=entry.candidate_id).update(closed_at=clock(), email=None, password_hash=None)
    assert (await reset(client, token))["__typename"] == "LinkNotValid"


Forge = Callable[[str], str]


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1],
        lambda token: token + "=",
        lambda token: token + "\0",
        lambda token: token.swapcase(),
        lambda token: token[:22] + "A" * (len(token) - 22),
        lambda token: base64.urlsafe_b64encode(base64.urlsafe_b64decode(token)[:16]).decode(),
        lambda token: base64.urlsafe_b64encode(base64.urlsafe_b64decode(token)[:16] + b"\0" * 32).decode(),
        lambda token: base64.urlsafe_b64encode(bytes([1]) + base64.urlsafe_b64decode(token)[1:]).decode(),
        lambda token: token.replace("A", "А"),
        lambda token: f" {token}",
    ],
)
async def test_only_the_mailed_token_itself_is_valid(client: Client, world: World, forge: Forge) -> None:
    """A5: knowing the row in the database is not enough."""
    token = await token_for(client, (await world.entry()).id_number)
    forged = forge(token)
    if forged != token:
        assert (await reset(client, forged))["__typename"] == "LinkNotValid"
    assert (await reset(client, token))["__typename"] == "PasswordReset"


async def test_token_made_under_another_key_is_not_valid(client: Client, world: World, settings: Settings) -> None:
    """A5, G3: whoever reads the database cannot make a link."""
    token = await token_for(client, (await world.entry()).id_number)
    keys.use(b"x" * 32)
    forged = reset_token((await PasswordReset.get()).id)
    keys.use(settings.secret_key)
    assert (await reset(client, forged))["__typename"] == "LinkNotValid"
    assert (await reset(client, token))["__typename"] == "PasswordReset"


async def test_fourth_link_for_one_number_in_an_hour_is_not_mailed_and_nothing_tells(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """A5: nobody's letter-box is flooded."""
    entry = await world.entry()
    answers = [await ask(client, entry.id_number) for _ in range(5)]
    assert answers == [answers[0]] * 5
    assert await Letter.all().count() == 3
    clock.forward(hours=1)
    await ask(client, entry.id_number)
    assert await Letter.all().count() == 4


async def test_thirty_links_an_hour_may_be_asked_for_from_one_address(
    app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """A5: the limit tells nothing about the numbers, and other addresses go on."""
    entry = await world.entry()
    asked = await asyncio.gather(*(ask(client, f"XYZ{number:06}") for number in range(40)))
    assert sorted(answer["__typename"] for answer in asked) == ["PasswordResetRequested"] * 30 + ["TooManyTries"] * 10
    known, unknown = await ask(client, entry.id_number), await ask(client, "XYZ999999")
    assert known == unknown
    assert known["retryAfter"] == "2026-11-22T10:00:00+00:00"
    async with client_of(app, "198.51.100.9") as other:
        assert (await ask(other, entry.id_number))["__typename"] == "PasswordResetRequested"
    clock.forward(hours=1)
    assert (await ask(client, entry.id_number))["__typename"] == "PasswordResetRequested"


async def everything_stored() -> str:
    """All rows of all tables as text; bytes are written in hexadecimal digits."""
    tables = await database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [await database.rows(f'SELECT t::text AS row FROM "{table["tablename"]}" AS t') for table in tables]
    return "\n".join(row["row"] for found in rows for row in found)


async def test_tokens_passwords_and_secrets_are_neither_stored_nor_logged(
    world: World, clock: ControlledClock, settings: Settings, open_database: None, tmp_path: Path
) -> None:
    """G3: a whole process, asked for everything that has a secret in it; names do not enter its log either."""
    clock.now = system_clock()
    entry = await world.entry(await world.candidate(registered=False), id_number="KQX405173", secret="8642")
    service = Served(tmp_path / "service", settings.database_url).start().ready()
    try:
        async with httpx2.AsyncClient(base_url=service.url, timeout=60) as http:
            secrets = await _use_everything(Client(http), entry.id_number, service.var / "mail")
    finally:
        service.stop()
    stored, logged = await everything_stored(), service.stdout + service.stderr
    assert entry.id_number in stored
    assert "letter" in logged or "mail.written" in logged
    for name, secret in secrets.items():
        assert secret not in stored, name
        assert secret.encode().hex() not in stored, name
    for name, secret in (secrets | {"number": entry.id_number, "e-mail": "aoi@mail.example"}).items():
        assert secret not in logged, name


async def _use_everything(client: Client, id_number: str, mails: Path) -> dict[str, str]:
    """Register, log in, fail to, forget the password, set a new one; answers all that was secret in it."""
    form: dict[str, Any] = {"email": "aoi@mail.example", "emailAgain": "aoi@mail.example", "acceptsTerms": True}
    form |= {"idNumber": id_number, "password": PASSWORD, "passwordAgain": PASSWORD}
    await client.order("register", "", **form, secretNumber="8641")
    registered = await client.order("register", "... on LoggedIn { token }", **form, secretNumber="8642")
    await log_in(client, id_number, "a wrong one 99")
    mine = await client.log_in(id_number, PASSWORD)
    await client.http.get("/graphql", params={"query": "{ me { email } }", "token": "in-the-address"})
    await ask(client, id_number)
    token = token_in((await mails_in(mails, 1))[0])
    await reset(client, token[:-4])
    assert (await reset(client, token))["__typename"] == "PasswordReset"
    assert mine.token is not None
    sealed = base64.urlsafe_b64decode(token)[16:]
    return {
        "token of registering": registered["token"],
        "token of logging in": mine.token,
        "token of the link": token,
        "seal of the link": sealed.hex(),
        "password": PASSWORD,
        "wrong password": "a wrong one 99",
        "new password": NEW,
        "address": "in-the-address",
    }


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_is_refused_clearly(client: Client, world: World, text: str) -> None:
    """A5: in every field of both orders."""
    token = await token_for(client, (await world.entry()).id_number)
    good = {"token": token, "password": NEW, "passwordAgain": NEW}
    orders: list[tuple[str, dict[str, str]]] = [("requestPasswordReset", {"idNumber": text})]
    orders += [("resetPassword", good | {field: text}) for field in good]
    orders += [("resetPassword", dict.fromkeys(good, text))]
    started = time.process_time()
    for mutation, given in orders:
        name = mutation[0].upper() + mutation[1:]
        query = f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename }} }}"
        answer = (await client.send({"query": query, "variables": {"input": given}})).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
        refusals = ("PasswordResetRequested", "InvalidInput", "LinkNotValid")
        assert codes or answer["data"][mutation]["__typename"] in refusals
    assert time.process_time() - started < 1.5
    assert (await reset(client, token))["__typename"] == "PasswordReset"
