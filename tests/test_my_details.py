"""My details: a new e-mail address by a mailed link, language, and updates (A9)."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from typing import Any

import asyncpg
import httpx2
import pytest
from starlette.applications import Starlette

from engine import database, hashing, keys
from engine.clock import system_clock
from models.candidate import Candidate
from models.entry import Entry
from models.letter import Letter
from models.session import EmailChange, PasswordReset, email_change_token, reset_token
from resolvers import details
from settings import Settings
from tests.client import Client
from tests.conftest import START, ControlledClock, client_of, running
from tests.hostile import HOSTILE
from tests.mail_server import MailServer, link_in, mails_in, text_of
from tests.served import Served, until
from tests.world import PASSWORD, World, gid

NEW = "aoi.new@mail.example"
OTHER = "aoi.other@mail.example"
ME = "{ me { email pendingEmail language wantsUpdates emailRefusedAt } }"
CHANGED = """... on MyDetailsChanged { linkSentTo linkValidUntil
    candidate { email pendingEmail language wantsUpdates emailRefusedAt } }
    ... on InvalidInput { problems { path message } } ... on LoginLocked { lockedUntil }
    ... on TooManyTries { retryAfter }"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A candidate who is logged in."""

    client: Client
    id_number: str
    key: Any
    email: str

    async def change(self, **wishes: Any) -> Any:
        """The answer to a change of details."""
        return await self.client.order("changeMyDetails", CHANGED, **wishes)

    async def wants(self, email: str, password: str = PASSWORD) -> str:
        """What becomes of the wish for another address."""
        answer: str = (await self.change(email=email, emailAgain=email, password=password))["__typename"]
        return answer

    async def token_for(self, email: str) -> str:
        """The token of a fresh link for this address, without waiting for the mail."""
        assert await self.wants(email) == "MyDetailsChanged"
        return email_change_token((await self.newest()).id)

    async def newest(self) -> EmailChange:
        """The change of address that was asked for last."""
        found = await EmailChange.filter(candidate_id=self.key).order_by("-id").first()
        assert found is not None
        return found

    async def me(self) -> Any:
        """The details as they are shown."""
        return (await self.client.ask(ME))["me"]


async def owner_of(client: Client, world: World, entry: Entry | None = None) -> Owner:
    """The candidate of an entry, logged in."""
    entry = entry or await world.entry()
    candidate = await Candidate.get(id=entry.candidate_id)
    token = await world.token(candidate)
    return Owner(client.as_(token), entry.id_number, candidate.id, candidate.email or "")


@pytest.fixture
async def owner(client: Client, world: World) -> Owner:
    """A candidate who is logged in."""
    return await owner_of(client, world)


async def confirm(client: Client, token: str) -> str:
    """What becomes of a link."""
    answer: str = (await client.order("confirmEmail", "", token=token))["__typename"]
    return answer


async def address_of(owner: Owner) -> str | None:
    """The address that the account has."""
    return (await Candidate.get(id=owner.key)).email


async def letters(kind: str) -> list[str]:
    """Where letters of a kind go."""
    return [letter.address for letter in await Letter.filter(kind=kind).order_by("id")]


def token_in(mail: EmailMessage) -> str:
    """What stands behind the # of a mail's link."""
    return link_in(mail).partition("#")[2]


# ---- language and updates


async def test_language_and_updates_change_at_once_and_without_a_password(owner: Owner) -> None:
    """A9."""
    answer = await owner.change(language="ja", wantsUpdates=True)
    assert answer == {
        "__typename": "MyDetailsChanged",
        "linkSentTo": None,
        "linkValidUntil": None,
        "candidate": await owner.me(),
    }
    assert await owner.me() == {
        "email": owner.email,
        "pendingEmail": None,
        "language": "ja",
        "wantsUpdates": True,
        "emailRefusedAt": None,
    }
    assert await Letter.all().count() == 0


@pytest.mark.parametrize("left", [{}, {"email": None, "emailAgain": None, "language": None, "wantsUpdates": None}])
async def test_what_is_left_out_or_null_stays_as_it_is(owner: Owner, left: dict[str, None]) -> None:
    """A9."""
    await owner.change(language="ja", wantsUpdates=True)
    before = await owner.me()
    assert (await owner.change(**left))["candidate"] == before
    assert (await owner.change(wantsUpdates=False))["candidate"] == before | {"wantsUpdates": False}


async def test_next_operation_in_the_same_document_sees_the_change(owner: Owner) -> None:
    """A9: whatever was read of the account before."""
    query = """mutation { one: changeMyDetails(input: { language: "ja" }) { ... on MyDetailsChanged {
        candidate { language } } } two: changeMyDetails(input: { language: "en" }) { ... on MyDetailsChanged {
        candidate { language } } } }"""
    data = await owner.client.ask(query)
    assert [data[name]["candidate"]["language"] for name in ("one", "two")] == ["ja", "en"]


@pytest.mark.parametrize("language", ["", "JA", "de", "en-GB"])
async def test_languages_that_there_are_not_are_refused_and_nothing_else_is_changed(
    owner: Owner, language: str
) -> None:
    """A9, A12."""
    before = await owner.me()
    answer = await owner.change(language=language, wantsUpdates=True)
    assert [problem["path"] for problem in answer["problems"]] == ["language"]
    assert await owner.me() == before


# ---- who may not


@pytest.mark.parametrize("kind", ["nobody", "verifier", "staff"])
async def test_only_candidates_have_details_to_change(client: Client, world: World, kind: str) -> None:
    """A9."""
    asker = client
    if kind != "nobody":
        asker = client.as_(await world.token(await (world.verifier() if kind == "verifier" else world.staff())))
    wishes = {"language": "ja", "email": NEW, "emailAgain": NEW, "password": PASSWORD}
    answer = await asker.order("changeMyDetails", CHANGED, **wishes)
    assert answer["__typename"] == ("NotLoggedIn" if kind == "nobody" else "NotAllowed")
    assert await EmailChange.all().count() == 0
    assert (await asker.ask(ME))["me"] is None


@pytest.mark.parametrize(("seconds", "answer"), [(0, "MyDetailsChanged"), (1, "NotLoggedIn")])
async def test_session_that_is_over_changes_nothing(
    owner: Owner, clock: ControlledClock, seconds: int, answer: str
) -> None:
    """A9, A10: both sides of the edge; thirty minutes and the ten seconds that a use may go unnoted."""
    clock.forward(minutes=30, seconds=9 + seconds)
    assert await owner.wants(NEW) == answer
    assert await letters("confirm_address") == ([NEW] if answer == "MyDetailsChanged" else [])


async def test_nobody_else_is_shown_which_address_waits(
    client: Client, world: World, clock: ControlledClock, owner: Owner
) -> None:
    """A9: not another candidate, not a verifier who holds the result; staff are."""
    result = await world.result(await Entry.get(id_number=owner.id_number))
    institution = await world.institution()
    await world.share(result, institution)
    await owner.token_for(NEW)
    await Candidate.filter(id=owner.key).update(email_refused_at=clock())
    query = "query ($id: ID!) { node(id: $id) { ... on Candidate { name email pendingEmail emailRefusedAt } } }"
    candidate = await Candidate.get(id=owner.key)
    tokens = {
        "other": await world.token(await world.candidate()),
        "verifier": await world.token(await world.verifier(institution)),
        "staff": await world.token(await world.staff()),
        "owner": owner.client.token,
    }
    told = {name: (await client.as_(token).ask(query, id=gid(candidate)))["node"] for name, token in tokens.items()}
    name = told["staff"]["name"]
    own = {"name": name, "email": owner.email, "pendingEmail": NEW, "emailRefusedAt": "2026-11-22T09:00:00+00:00"}
    assert told["other"] is None
    assert told["verifier"] == dict.fromkeys(own) | {"name": name}
    assert told["staff"] == told["owner"] == own


# ---- a new address


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("language", "words", "notice"),
    [
        ("en", "The link works once, for 24 hours.", "contact your exam centre at once"),
        ("ja", "24時間、1回だけ有効です", "試験センター"),
    ],
)
async def test_new_address_counts_once_the_link_mailed_to_it_is_used_and_the_old_one_is_told(
    owner: Owner, client: Client, settings: Settings, language: str, words: str, notice: str
) -> None:
    """A9: in the candidate's language; the notice to the old address does not tell the new one."""
    answer = await owner.change(email=f" {NEW} ", emailAgain=NEW, password=PASSWORD, language=language)
    assert (answer["linkSentTo"], answer["linkValidUntil"]) == (NEW, "2026-11-23T09:00:00+00:00")
    assert answer["candidate"] == await owner.me()
    assert ((await owner.me())["email"], (await owner.me())["pendingEmail"]) == (owner.email, NEW)
    [mail] = await mails_in(settings.var / "mail", 1)
    assert mail["To"] == NEW
    assert words in text_of(mail)
    assert link_in(mail).startswith("http://testserver/confirm-email#")
    assert await confirm(client, token_in(mail)) == "EmailConfirmed"
    assert ((await owner.me())["email"], (await owner.me())["pendingEmail"]) == (NEW, None)
    told = (await mails_in(settings.var / "mail", 2))[1]
    assert told["To"] == owner.email
    assert notice in " ".join(text_of(told).split())
    assert NEW not in told.as_string()
    assert NEW not in text_of(told) + text_of(told, "html")


@pytest.mark.parametrize("password", [None, ""])
async def test_new_address_needs_the_current_password(owner: Owner, password: str | None) -> None:
    """A9: a stolen session must not be enough to take the account over; the form says so."""
    answer = await owner.change(email=NEW, emailAgain=NEW, password=password, language="ja")
    assert answer["__typename"] == "InvalidInput"
    assert [problem["path"] for problem in answer["problems"]] == ["password"]
    assert (await EmailChange.all().count(), (await owner.me())["language"]) == (0, "en")


async def test_wrong_password_changes_nothing(owner: Owner) -> None:
    """A9: of what was asked for together, nothing is done."""
    answer = await owner.change(email=NEW, emailAgain=NEW, password="wrong horse 42", language="ja")
    assert answer["__typename"] == "WrongPassword"
    assert answer["message"] == "This is not your current password."
    assert (await EmailChange.all().count(), await Letter.all().count()) == (0, 0)
    assert (await owner.me())["language"] == "en"


async def log_in(client: Client, id_number: str, password: str) -> str:
    """What becomes of a log-in."""
    answer: str = (await client.order("logIn", "", idNumber=id_number, password=password))["__typename"]
    return answer


async def test_wrong_passwords_here_and_at_log_in_are_counted_together(
    owner: Owner, client: Client, clock: ControlledClock
) -> None:
    """A4, A9: whoever has a session cannot guess more than others, and the lock holds for both."""
    tries = [await log_in(client, owner.id_number, "wrong") for _ in range(2)]
    tries += [await owner.wants(NEW, "wrong horse 42") for _ in range(2)]
    assert tries == ["WrongLogin", "WrongLogin", "WrongPassword", "LoginLocked"]
    assert await owner.wants(NEW) == await log_in(client, owner.id_number, PASSWORD) == "LoginLocked"
    clock.forward(minutes=29, seconds=59)
    assert await owner.wants(NEW) == "LoginLocked"
    clock.forward(seconds=1)
    assert await owner.wants(NEW) == "MyDetailsChanged"


async def test_right_password_resets_the_count(owner: Owner) -> None:
    """A4."""
    passwords = ["wrong horse 42"] * 3 + [PASSWORD]
    answers = [await owner.wants(NEW, password) for password in passwords * 2]
    assert answers == (["WrongPassword"] * 3 + ["MyDetailsChanged"]) * 2


@pytest.mark.parametrize(
    ("email", "again", "paths"),
    [
        ("aoi", "aoi", ["email"]),
        ("aoi@mail", "aoi@mail", ["email"]),
        ("", "", ["email"]),
        ("a@mail.example\r\nBcc: b@mail.example", "a@mail.example\r\nBcc: b@mail.example", ["email"]),
        (f"{'x' * 250}@mail.example", f"{'x' * 250}@mail.example", ["email"]),
        (NEW, "aoi.nwe@mail.example", ["emailAgain"]),
        (NEW, None, ["emailAgain"]),
        (None, NEW, ["email", "emailAgain"]),
    ],
)
async def test_new_address_is_checked_as_at_registration(
    owner: Owner, email: str | None, again: str | None, paths: list[str]
) -> None:
    """A1, A9: typed twice alike."""
    answer = await owner.change(email=email, emailAgain=again, password=PASSWORD)
    assert answer["__typename"] == "InvalidInput"
    assert [problem["path"] for problem in answer["problems"]] == paths
    assert await EmailChange.all().count() == 0


async def test_faults_of_a_form_are_told_all_at_once_and_are_no_wrong_try(owner: Owner) -> None:
    """A4, A9."""
    for _ in range(5):
        answer = await owner.change(email="aoi", emailAgain="aio", language="de")
        assert [problem["path"] for problem in answer["problems"]] == ["email", "emailAgain", "language", "password"]
    assert await owner.wants(NEW) == "MyDetailsChanged"


async def test_password_that_was_changed_while_it_was_compared_does_not_count(
    owner: Owner, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A9: the owner sets a new one at the very moment at which a thief asks for another address."""
    reset = await PasswordReset.create(candidate_id=owner.key, asked_at=START)
    compare, answers = hashing.matches, list[str]()

    async def slowly(stored: str | None, password: str) -> bool:
        """Compare, and let the owner set a new password before the order goes on."""
        is_right = await compare(stored, password)
        given = {"token": reset_token(reset.id), "password": "battery staple 77", "passwordAgain": "battery staple 77"}
        answers.append((await client.order("resetPassword", "", **given))["__typename"])
        return is_right

    monkeypatch.setattr(hashing, "matches", slowly)
    assert await owner.wants(NEW) == "WrongPassword"
    assert answers == ["PasswordReset"]
    assert await EmailChange.all().count() == 0


# ---- the link


@pytest.mark.parametrize(
    ("age", "pending", "answer"),
    [({"hours": 23, "minutes": 59, "seconds": 59}, NEW, "EmailConfirmed"), ({"hours": 24}, None, "LinkNotValid")],
)
async def test_link_is_valid_for_twenty_four_hours(
    owner: Owner, world: World, client: Client, clock: ControlledClock, age: dict[str, float], pending: str, answer: str
) -> None:
    """A9: and is shown to wait as long."""
    token = await owner.token_for(NEW)
    clock.forward(**age)
    later = client.as_(await world.token(await Candidate.get(id=owner.key)))
    assert (await later.ask(ME))["me"]["pendingEmail"] == pending
    assert await confirm(client, token) == answer
    assert (await later.ask(ME))["me"]["email"] == (NEW if answer == "EmailConfirmed" else owner.email)


async def test_link_works_once(owner: Owner, client: Client) -> None:
    """A9: the old address is told once, too."""
    token = await owner.token_for(NEW)
    assert await confirm(client, token) == "EmailConfirmed"
    await Candidate.filter(id=owner.key).update(email=OTHER)
    answer = await client.order("confirmEmail", "", token=token)
    assert answer["__typename"] == "LinkNotValid"
    assert answer["message"] == "This link was used before, is too old, or is not complete. Ask for a new one."
    assert await address_of(owner) == OTHER
    assert await letters("address_changed") == [owner.email]


async def test_only_the_newest_of_several_links_counts(owner: Owner, client: Client) -> None:
    """A9."""
    first, second = await owner.token_for(NEW), await owner.token_for(OTHER)
    assert (await owner.me())["pendingEmail"] == OTHER
    assert await confirm(client, first) == "LinkNotValid"
    assert await address_of(owner) == owner.email
    assert await confirm(client, second) == "EmailConfirmed"
    assert await confirm(client, first) == "LinkNotValid"
    assert await address_of(owner) == OTHER


async def test_links_of_others_are_left_alone(owner: Owner, client: Client, world: World) -> None:
    """A9: whoever is logged in, a link changes the account that it was made for and no other."""
    other = await owner_of(client, world)
    mine, theirs = await owner.token_for(NEW), await other.token_for(OTHER)
    assert await confirm(other.client, mine) == "EmailConfirmed"
    assert (await address_of(owner), await address_of(other)) == (NEW, other.email)
    assert await confirm(client, theirs) == "EmailConfirmed"
    assert (await address_of(owner), await address_of(other)) == (NEW, OTHER)


async def test_asking_for_the_present_address_takes_back_what_was_asked_for(owner: Owner, client: Client) -> None:
    """A9: without a password, as it makes nothing less safe, and without a mail."""
    token = await owner.token_for(NEW)
    answer = await owner.change(email=owner.email, emailAgain=owner.email)
    assert (answer["__typename"], answer["linkSentTo"]) == ("MyDetailsChanged", None)
    assert answer["candidate"]["pendingEmail"] is None
    assert await confirm(client, token) == "LinkNotValid"
    assert await letters("confirm_address") == [NEW]


async def test_changing_the_language_leaves_a_waiting_address_alone(owner: Owner, client: Client) -> None:
    """A9."""
    token = await owner.token_for(NEW)
    assert (await owner.change(language="ja"))["candidate"]["pendingEmail"] == NEW
    assert await confirm(client, token) == "EmailConfirmed"


@pytest.mark.parametrize("number", range(7))
async def test_only_the_mailed_token_itself_is_valid(
    owner: Owner, client: Client, settings: Settings, number: int
) -> None:
    """A9, G3: a reset's token is none, nor does it help to know the row in the database."""
    token = await owner.token_for(NEW)
    change = await owner.newest()
    keys.use(b"x" * 32)
    of_another_key = email_change_token(change.id)
    keys.use(settings.secret_key)
    forged = [
        "",
        token[:-1],
        f" {token}",
        token.replace("A", "А"),
        base64.urlsafe_b64encode(change.id.bytes + b"\0" * 32).decode(),
        reset_token(change.id),
        of_another_key,
    ][number]
    if forged != token:
        assert await confirm(client, forged) == "LinkNotValid"
    assert await confirm(client, token) == "EmailConfirmed"


async def test_token_of_a_new_address_resets_no_password(owner: Owner, client: Client) -> None:
    """A5, A9."""
    token = await owner.token_for(NEW)
    reset = await PasswordReset.create(id=(await owner.newest()).id, candidate_id=owner.key, asked_at=START)
    given = {"password": "battery staple 77", "passwordAgain": "battery staple 77"}
    for tried, answer in ((token, "LinkNotValid"), (reset_token(reset.id), "PasswordReset")):
        assert (await client.order("resetPassword", "", token=tried, **given))["__typename"] == answer


async def test_one_link_used_twice_at_once_counts_once(owner: Owner, client: Client) -> None:
    """A9: and the old address is told once."""
    token = await owner.token_for(NEW)
    answers = await asyncio.gather(*(confirm(client, token) for _ in range(5)))
    assert sorted(answers) == ["EmailConfirmed"] + ["LinkNotValid"] * 4
    assert await letters("address_changed") == [owner.email]


async def test_link_used_while_another_is_asked_for_leaves_one_of_the_two(
    owner: Owner, client: Client, world: World
) -> None:
    """A9: whichever comes first; a deadlock would come out as an error."""
    for _ in range(4):
        await database.rows("TRUNCATE rate_window")
        one = await owner_of(client, world)
        token = await one.token_for(NEW)
        answer, wish = await asyncio.gather(confirm(client, token), one.wants(OTHER))
        assert wish == "MyDetailsChanged"
        assert await address_of(one) == (NEW if answer == "EmailConfirmed" else one.email)
        assert (await one.me())["pendingEmail"] == OTHER


async def test_two_addresses_asked_for_at_once_leave_one_link(owner: Owner) -> None:
    """A9."""
    answers = await asyncio.gather(*(owner.wants(email) for email in (NEW, OTHER)))
    assert answers == ["MyDetailsChanged"] * 2
    waiting = await EmailChange.filter(used_at=None)
    assert [change.new_email for change in waiting] == [(await owner.me())["pendingEmail"]]


async def test_link_of_an_account_closed_since_is_not_valid(
    owner: Owner, client: Client, clock: ControlledClock
) -> None:
    """A9, G2: no address comes back into an account that was erased."""
    token = await owner.token_for(NEW)
    await Candidate.filter(id=owner.key).update(closed_at=clock(), email=None, password_hash=None)
    assert await confirm(client, token) == "LinkNotValid"
    assert await address_of(owner) is None
    assert await letters("address_changed") == []


@asynccontextmanager
async def half_done(settings: Settings, order: str, key: Any) -> AsyncIterator[None]:
    """Another process's order on a row: not committed inside the block, and then it is."""
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("BEGIN")
    await connection.execute(order, key)
    try:
        yield
    finally:
        await connection.execute("COMMIT")
        await connection.close()


async def somebody_waits() -> bool:
    """Whether a statement waits for a lock."""
    return bool(await database.value("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_link_used_while_the_account_is_closed_waits_and_is_not_valid(
    owner: Owner, client: Client, settings: Settings
) -> None:
    """A9, G2: the closing began first and ends last."""
    token = await owner.token_for(NEW)
    close = "UPDATE candidate SET closed_at = now(), email = NULL, password_hash = NULL WHERE id = $1"
    async with half_done(settings, close, owner.key):
        confirming = asyncio.create_task(confirm(client, token))
        await until(somebody_waits)
    assert await confirming == "LinkNotValid"
    assert await address_of(owner) is None


# ---- passwords and addresses


async def test_password_reset_ends_an_address_that_waits_and_goes_to_the_old_one(owner: Owner, client: Client) -> None:
    """A5, A9: whoever had the password, and asked for an address of their own, does not get the account."""
    token = await owner.token_for(NEW)
    await client.order("requestPasswordReset", "", idNumber=owner.id_number)
    assert await letters("password_reset") == [owner.email]
    reset = await PasswordReset.get()
    given = {"token": reset_token(reset.id), "password": "battery staple 77", "passwordAgain": "battery staple 77"}
    assert (await client.order("resetPassword", "", **given))["__typename"] == "PasswordReset"
    assert await address_of(owner) == owner.email
    assert await confirm(client, token) == "LinkNotValid"
    assert await address_of(owner) == owner.email


async def test_new_address_ends_resets_that_wait_in_the_old_letter_box(owner: Owner, client: Client) -> None:
    """A5, A9: from then on links go to the new one."""
    await client.order("requestPasswordReset", "", idNumber=owner.id_number)
    assert await confirm(client, await owner.token_for(NEW)) == "EmailConfirmed"
    reset = await PasswordReset.get()
    given = {"token": reset_token(reset.id), "password": "battery staple 77", "passwordAgain": "battery staple 77"}
    assert (await client.order("resetPassword", "", **given))["__typename"] == "LinkNotValid"
    await client.order("requestPasswordReset", "", idNumber=owner.id_number)
    assert await letters("password_reset") == [owner.email, NEW]


async def test_reset_that_is_asked_for_while_the_address_changes_goes_to_the_new_one(
    owner: Owner, client: Client, settings: Settings
) -> None:
    """A5, A9: or it would wait in the old letter-box, and work."""
    change = f"UPDATE candidate SET email = '{NEW}' WHERE id = $1"
    async with half_done(settings, change, owner.key):
        asking = asyncio.create_task(client.order("requestPasswordReset", "", idNumber=owner.id_number))
        await until(somebody_waits)
    await asking
    assert await letters("password_reset") == [NEW]


# ---- limits


async def test_five_links_a_day_are_mailed_for_one_account(
    owner: Owner, client: Client, world: World, clock: ControlledClock
) -> None:
    """A9: nobody's letter-box is flooded; what needs no mail goes on, and others do."""
    for number in range(5):
        await owner.token_for(f"aoi{number}@mail.example")
    answer = await owner.change(email=NEW, emailAgain=NEW, password=PASSWORD, language="ja")
    assert (answer["__typename"], answer["retryAfter"]) == ("TooManyTries", "2026-11-23T00:00:00+00:00")
    assert (await owner.me())["language"] == "en"
    assert (await owner.me())["pendingEmail"] == "aoi4@mail.example"
    assert (await owner.change(language="ja"))["__typename"] == "MyDetailsChanged"
    assert await (await owner_of(client, world)).wants(OTHER) == "MyDetailsChanged"
    clock.now = START.replace(hour=23, minute=59, second=59)
    later = await owner_of(client, world, await Entry.get(id_number=owner.id_number))
    assert await later.wants(NEW) == "TooManyTries"
    clock.forward(seconds=1)
    assert await later.wants(NEW) == "MyDetailsChanged"
    assert len(await letters("confirm_address")) == 7


async def test_thirty_links_an_hour_are_mailed_for_one_client(
    app: Starlette, owner: Owner, client: Client, world: World, clock: ControlledClock
) -> None:
    """A9: whoever has many accounts; other clients go on."""
    for _ in range(29):
        assert await details.LINKS_BY_CLIENT.count("127.0.0.1", START)
    assert await owner.wants(NEW) == "MyDetailsChanged"
    other = await owner_of(client, world)
    answer = await other.change(email=OTHER, emailAgain=OTHER, password=PASSWORD)
    assert (answer["__typename"], answer["retryAfter"]) == ("TooManyTries", "2026-11-22T10:00:00+00:00")
    async with client_of(app, "198.51.100.9") as elsewhere:
        assert await replace(other, client=elsewhere.as_(other.client.token)).wants(OTHER) == "MyDetailsChanged"


async def test_wrong_passwords_use_no_links_up(owner: Owner, clock: ControlledClock) -> None:
    """A9: a stolen session cannot keep its owner from changing the address."""
    for _ in range(2):
        assert [await owner.wants(NEW, "wrong horse 42") for _ in range(3)] == ["WrongPassword"] * 3
        assert await owner.wants(NEW) == "MyDetailsChanged"
    assert await database.value("SELECT sum(count) FROM rate_window WHERE kind = 'e-mail changes by account'") == 2


# ---- addresses that refuse mail


async def test_candidate_is_shown_that_the_address_refuses_mail_until_there_is_another(
    settings: Settings, clock: ControlledClock, clean: None, world: World, mail_server: MailServer
) -> None:
    """N4, A9: a refusal of the new address says nothing of the present one."""
    with_mail = replace(settings, smtp_url=mail_server.url, runs_worker=True)
    async with running(with_mail, clock) as app, client_of(app) as client:
        owner = await owner_of(client, world)
        mail_server.refused = {owner.email, NEW}
        await owner.token_for(NEW)
        await until(lambda: Letter.filter(refused_at__isnull=False).exists())
        assert (await owner.me())["emailRefusedAt"] is None
        await client.order("requestPasswordReset", "", idNumber=owner.id_number)
        await until(lambda: Candidate.filter(email_refused_at__isnull=False).exists())
        assert (await owner.me())["emailRefusedAt"] == "2026-11-22T09:00:00+00:00"
        assert await confirm(client, await owner.token_for(OTHER)) == "EmailConfirmed"
        assert (await owner.me())["emailRefusedAt"] is None


# ---- faults


async def test_process_that_is_killed_in_its_middle_has_changed_and_mailed_nothing(
    world: World, clock: ControlledClock, settings: Settings, open_database: None, tmp_path: Any
) -> None:
    """A9, N4: the new address and the letter to the old one are one transaction; names and tokens enter no log."""
    clock.now = system_clock()
    entry = await world.entry()
    candidate = await Candidate.get(id=entry.candidate_id)
    change = await EmailChange.create(candidate_id=candidate.id, new_email=NEW, asked_at=clock())
    token = email_change_token(change.id)
    first = Served(tmp_path / "first", settings.database_url, {"WORKER": "0"}).start().ready()
    second = Served(tmp_path / "second", settings.database_url)
    try:
        await _killed_before_the_letter(first, settings, token)
        assert ((await Candidate.get()).email, await Letter.all().count()) == (candidate.email, 0)
        assert (await EmailChange.get()).used_at is None
        async with httpx2.AsyncClient(base_url=second.start().ready().url, timeout=60) as http:
            assert await confirm(Client(http), token) == "EmailConfirmed"
        [mail] = await mails_in(second.var / "mail", 1)
        assert (mail["To"], (await Candidate.get()).email) == (candidate.email, NEW)
    finally:
        first.stop()
        second.stop()
    logged = first.stdout + first.stderr + second.stdout + second.stderr
    assert "/graphql" in logged
    for secret in (token, NEW, candidate.email or "", candidate.family_name):
        assert secret not in logged


async def _killed_before_the_letter(service: Served, settings: Settings, token: str) -> None:
    """Kill a process that has set the new address, and waits to write the letter."""
    blocking = await asyncpg.connect(settings.database_url)
    await blocking.execute("BEGIN; LOCK TABLE letter IN ACCESS EXCLUSIVE MODE")
    async with httpx2.AsyncClient(base_url=service.url, timeout=60) as http:
        asking = asyncio.create_task(confirm(Client(http), token))
        await until(somebody_waits)
        service.kill()
        with pytest.raises(httpx2.TransportError):
            await asking
    await blocking.close()


REFUSED = {"NotLoggedIn", "InvalidInput", "WrongPassword", "LoginLocked", "LinkNotValid", "TooManyTries"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_is_refused_clearly(owner: Owner, text: str) -> None:
    """A9: in every field of both orders; nothing is changed by it."""
    before = await owner.me()
    good = {"email": NEW, "emailAgain": NEW, "password": PASSWORD, "language": "en"}
    orders = [("changeMyDetails", good | {field: text}) for field in good]
    orders += [("changeMyDetails", good | {"email": text, "emailAgain": text}), ("confirmEmail", {"token": text})]
    for mutation, given in orders:
        name = mutation[0].upper() + mutation[1:]
        query = f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename }} }}"
        answer = (await owner.client.send({"query": query, "variables": {"input": given}})).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
        assert codes or answer["data"][mutation]["__typename"] in REFUSED
    assert await owner.me() == before
    assert await EmailChange.all().count() == 0
