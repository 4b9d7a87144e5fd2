"""Mail that was not taken is seen by staff and nobody else, and sent again once for however many ask (N4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from app import working
from engine import database
from mailers.letters import Mail
from mailers.post import Server
from models.candidate import Candidate
from models.entry import Centre
from models.letter import LINK_VALID, OF_ONE_ADDRESS, WAITING, Letter
from models.session import EmailChange, PasswordReset, reset_token
from models.verifier import VerifierUser
from resolvers import letters
from settings import MAIL_FROM, Settings
from tests.client import Client
from tests.conftest import START, ControlledClock, Statements
from tests.mail_server import MailServer, link_in
from tests.served import until
from tests.world import World, gid

PUBLIC_URL = "https://results.example"
LIST = """query ($first: Int! = 50, $after: String, $kind: String, $state: ParkedMailState) {
  staff { parkedMail(first: $first, after: $after, kind: $kind, state: $state) {
    edges { cursor node { id } } pageInfo { hasNextPage endCursor } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
ENTITY = "query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }"
RESENT = "... on MailResent { resent notResent { id reason } } ... on InvalidInput { problems { path } }"
ALL = """kind state address language writtenAt tries lastError sentAt parkedAt refusedAt
         candidate { id } verifier { id name institution { id } }"""


@pytest.fixture
async def board(client: Client, world: World) -> Client:
    """Somebody of the board's staff."""
    return await board_staff(client, world)


@pytest.fixture
async def centre_staff(client: Client, world: World) -> Client:
    """Somebody of the staff of the centre where the world's candidates are entered."""
    return client.as_(await world.token(await world.staff(centre=await world.centre())))


async def board_staff(client: Client, world: World) -> Client:
    """Somebody of the board's staff, who has just logged in."""
    return client.as_(await world.token(await world.staff()))


async def entered(world: World, centre: Centre | None = None, **facts: Any) -> Candidate:
    """A candidate with an entry, at the world's centre or at another."""
    candidate = await world.candidate(**facts)
    await world.entry(candidate, centre_id=(centre or await world.centre()).id)
    return candidate


async def elsewhere() -> Centre:
    """A second centre."""
    return await Centre.create(number="JP902", name="Minato Examination Centre", city="Kobe", country="JP")


async def listed(client: Client, **arguments: Any) -> list[str]:
    """The ids of one page, as this asker sees it."""
    page = (await client.ask(LIST, **arguments))["staff"]["parkedMail"]
    return [edge["node"]["id"] for edge in page["edges"]]


async def resend(client: Client, *mails: Letter | str) -> Any:
    """What becomes of an order to send mails again."""
    return await client.order(
        "resendMail", RESENT, ids=[gid(mail) if isinstance(mail, Letter) else mail for mail in mails]
    )


async def reasons(client: Client, *mails: Letter) -> dict[str, str]:
    """Why mails are not sent again, by id."""
    payload = await resend(client, *mails)
    assert payload["resent"] == len({mail.id for mail in mails}) - len(payload["notResent"])
    return {one["id"]: one["reason"] for one in payload["notResent"]}


def told(id: str) -> dict[str, Any]:
    """A payload that says of one mail that it does not exist."""
    return {"__typename": "MailResent", "resent": 0, "notResent": [{"id": id, "reason": "NOT_FOUND"}]}


async def all_ways(client: Client, letter: Letter) -> list[Any]:
    """What the list, `node` and the gateway's door tell of one letter: three times nothing, if it is not to be seen."""
    page = (await client.ask(LIST))["staff"]
    edges = [edge["node"] for edge in page["parkedMail"]["edges"]] if page else []
    representation = {"__typename": "Letter", "id": gid(letter)}
    return [
        next((node for node in edges if node["id"] == gid(letter)), None),
        (await client.ask(NODE, id=gid(letter)))["node"],
        (await client.ask(ENTITY, r=[representation]))["_entities"][0],
    ]


# ---- who sees it


async def test_board_staff_see_all_of_a_mail_but_what_it_says(board: Client, world: World) -> None:
    """N4: where it went, how it fared, and whose it is."""
    candidate, institution = await world.candidate(), await world.institution()
    verifier = await world.verifier(institution, language="ja")
    to_candidate = await world.letter(candidate, last_error="451 4.7.1 Greylisted")
    to_verifier = await world.letter(verifier, refused_at=START, tries=1)
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Letter {{ {ALL} }} }} }}"
    common = {"kind": "password_changed", "writtenAt": "2026-11-22T09:00:00+00:00", "sentAt": None}
    assert (await board.ask(query, id=gid(to_candidate)))["node"] == common | {
        "state": "PARKED", "address": candidate.email, "language": "en", "tries": 10, "parkedAt": common["writtenAt"],
        "lastError": "451 4.7.1 Greylisted", "refusedAt": None, "candidate": {"id": gid(candidate)}, "verifier": None,
    }  # fmt: skip
    assert (await board.ask(query, id=gid(to_verifier)))["node"] == common | {
        "state": "REFUSED", "address": verifier.email, "language": "ja", "tries": 1, "parkedAt": None,
        "lastError": None, "refusedAt": common["writtenAt"], "candidate": None,
        "verifier": {"id": gid(verifier), "name": verifier.name, "institution": {"id": gid(institution)}},
    }  # fmt: skip


async def test_only_staff_are_told_anything_by_any_way(client: Client, world: World) -> None:
    """N4: not even those whom the mail is for."""
    candidate, verifier = await entered(world), await world.verifier(is_primary=True)
    for letter in (await world.letter(candidate), await world.letter(verifier)):
        for token in (None, await world.token(candidate), await world.token(verifier), "nonsense"):
            assert await all_ways(client.as_(token), letter) == [None, None, None]
            assert (await client.as_(token).ask("{ staff { __typename } }")) == {"staff": None}


async def test_staff_whose_session_has_ended_are_told_nothing(
    board: Client, world: World, clock: ControlledClock
) -> None:
    """A10."""
    letter = await world.letter()
    assert all(await all_ways(board, letter))
    clock.forward(minutes=30, seconds=10)
    assert await all_ways(board, letter) == [None, None, None]
    assert (await resend(board, letter))["__typename"] == "NotLoggedIn"


async def test_staff_of_a_centre_see_mail_to_their_own_candidates_alone(centre_staff: Client, world: World) -> None:
    """N4: no other centre's, no institution's, and none that belongs to no account."""
    own, others = await world.letter(await entered(world)), await world.letter(await entered(world, await elsewhere()))
    hidden = [others, await world.letter(await world.verifier()), await world.letter()]
    hidden.append(await Letter.create(**{**_nobodys(world), "parked_at": START}))
    assert await listed(centre_staff) == [gid(own)]
    assert all(await all_ways(centre_staff, own))
    for letter in hidden:
        assert await all_ways(centre_staff, letter) == [None, None, None]
        assert await resend(centre_staff, letter) == told(gid(letter))
    assert await Letter.filter(parked_at=None).count() == 0
    assert (await resend(centre_staff, own))["resent"] == 1


def _nobodys(world: World) -> dict[str, Any]:
    return {
        "kind": "password_changed", "address": "applicant@office.example", "language": "en",
        "facts": {"account": "VERIFIER"}, "written_at": world.clock(), "next_try_at": world.clock(),
    }  # fmt: skip


async def test_candidate_entered_at_two_centres_is_seen_by_both(
    centre_staff: Client, client: Client, world: World
) -> None:
    """N4, A11."""
    candidate, other = await entered(world), await elsewhere()
    await world.entry(candidate, centre_id=other.id, exam_date=START.date())
    letter = await world.letter(candidate)
    there = client.as_(await world.token(await world.staff(centre=other)))
    assert await listed(centre_staff) == await listed(there) == [gid(letter)]


async def test_nobody_but_staff_sends_mail_again(client: Client, world: World) -> None:
    """N4."""
    candidate, verifier = await entered(world), await world.verifier(is_primary=True)
    letter = await world.letter(candidate)
    answers = {
        None: "NotLoggedIn",
        await world.token(candidate): "NotAllowed",
        await world.token(verifier): "NotAllowed",
    }
    for token, answer in answers.items():
        assert (await resend(client.as_(token), letter))["__typename"] == answer
    assert (await Letter.get()).parked_at == START


# ---- the list


async def test_list_holds_what_was_parked_or_refused_and_can_be_narrowed(board: Client, world: World) -> None:
    """N4: newest first; what waits or was sent is not there."""
    parked = await world.letter(written_at=START - timedelta(days=2))
    refused = await world.letter(refused_at=START, written_at=START - timedelta(days=3), kind="login_locked")
    await world.letter(sent_at=START)
    await world.letter(parked_at=None, tries=9)
    assert await listed(board) == [gid(parked), gid(refused)]
    assert await listed(board, state="PARKED") == await listed(board, kind="password_changed") == [gid(parked)]
    assert await listed(board, state="REFUSED") == await listed(board, kind="login_locked") == [gid(refused)]
    assert await listed(board, state="REFUSED", kind="password_changed") == await listed(board, kind="x") == []


async def test_pages_skip_nothing_and_repeat_nothing_while_mail_comes_and_goes(board: Client, world: World) -> None:
    """N4: many were written at the same moment; more are parked, and others sent again, between two pages."""
    owner = await world.candidate()
    written = [await world.letter(owner, written_at=START - timedelta(seconds=number // 4)) for number in range(18)]
    wanted = [gid(one) for one in sorted(written, key=lambda one: (one.written_at, one.id), reverse=True)]
    seen: list[str] = []
    after, more = None, True
    while more:
        page = (await board.ask(LIST, first=5, after=after))["staff"]["parkedMail"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        await world.letter(owner, written_at=START + timedelta(seconds=len(seen)))
        gone = seen[-1] if len(seen) > 5 else seen[0]  # the very one that the cursor was made of, and another
        assert (await resend(board, gone))["resent"] == 1
    assert seen == wanted


async def test_hundred_mails_cost_no_more_statements_than_one(
    board: Client, world: World, statements: Statements
) -> None:
    """Whose they are is asked of loaders."""
    query = f"query ($n: Int!) {{ staff {{ parkedMail(first: $n) {{ edges {{ node {{ {ALL} }} }} }} }} }}"
    institution = await world.institution()
    for _ in range(10):
        await world.letter(await world.candidate())
        await world.letter(await world.verifier(institution))
    counts = []
    for number in (2, 20):
        with statements.counted():
            page = (await board.ask(query, n=number))["staff"]["parkedMail"]
        assert len(page["edges"]) == number
        counts.append(len(statements))
    assert counts == [6, 6]  # the session, the page, candidates, verifiers, institutions, the trail


@pytest.mark.parametrize("arguments", [{"first": 0}, {"first": 101}, {"after": "x"}, {"kind": "\0"}])
async def test_wrong_arguments_are_told_with_a_code(board: Client, arguments: dict[str, Any]) -> None:
    errors = await board.errors(LIST, **arguments)
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


# ---- sending again


@asynccontextmanager
async def sending(settings: Settings, clock: ControlledClock, server: MailServer) -> AsyncIterator[None]:
    """A worker beside the service, which sends through this server."""
    async with working(replace(settings, smtp_url=server.url), clock):
        yield


async def deliver_all(server: MailServer, clock: ControlledClock) -> None:
    """Try all that waits and is due, without a worker."""
    due = await database.rows(f"SELECT id FROM letter WHERE {WAITING} AND next_try_at <= :now", now=clock())
    for letter in due:
        await letters.deliver(letter["id"], Server(server.url, MAIL_FROM).send, PUBLIC_URL, clock())


async def state(letter: Letter) -> tuple[int, datetime | None, datetime | None, datetime | None]:
    """How often it was tried, and when it was sent, parked, and refused."""
    row = await Letter.get(id=letter.id)
    return row.tries, row.sent_at, row.parked_at, row.refused_at


async def test_parked_and_refused_mails_that_are_sent_again_arrive(
    board: Client, world: World, settings: Settings, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4: by the worker, over SMTP, each once, and they leave the list."""
    parked, refused = await world.letter(), await world.letter(refused_at=START, tries=1)
    clock.forward(minutes=20)
    async with sending(settings, clock, mail_server):
        answer = await resend(board, parked, refused, parked)
        assert answer == {"__typename": "MailResent", "resent": 2, "notResent": []}
        await until(_none_waits)
    assert sorted(mail_server.recipients) == sorted([parked.address, refused.address])
    assert await state(parked) == await state(refused) == (1, clock(), None, None)
    assert await listed(board) == []
    node = await board.ask("query ($id: ID!) { node(id: $id) { ... on Letter { state sentAt } } }", id=gid(parked))
    assert node["node"] == {"state": "SENT", "sentAt": "2026-11-22T09:20:00+00:00"}
    assert await reasons(board, parked) == {gid(parked): "ALREADY_SENT"}


async def _none_waits() -> bool:
    return not await database.value(f"SELECT count(*) FROM letter WHERE {WAITING}")


async def test_mail_that_is_sent_again_has_all_its_tries_again(
    board: Client, world: World, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4: ten, with the same waits, and then it is parked once more."""
    letter = await world.letter()
    mail_server.says["RCPT"] = "451 4.7.1 Greylisted, try again later"
    await resend(board, letter)
    for tries in range(1, 11):
        await deliver_all(mail_server, clock)
        assert (await state(letter))[0] == tries
        clock.now += letters.wait_after(tries, str(letter.id))
    row = await Letter.get(id=letter.id)
    assert (row.parked_at, row.last_error) == (
        clock() - letters.wait_after(10, str(letter.id)),
        mail_server.says["RCPT"],
    )
    assert await listed(await board_staff(board, world)) == [gid(letter)]


async def test_two_of_the_staff_at_the_same_moment_send_each_mail_once(
    board: Client, world: World, settings: Settings, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4."""
    colleague = await board_staff(board, world)
    parked = [await world.letter() for _ in range(6)]
    async with sending(settings, clock, mail_server):
        askers = [(board, parked), (colleague, parked[::-1]), (board, parked[::-1]), (colleague, parked)]
        answers = await asyncio.gather(*(resend(asker, *mails) for asker, mails in askers))
        assert sum(answer["resent"] for answer in answers) == 6
        others = [one["reason"] for answer in answers for one in answer["notResent"]]
        assert len(others) == 18
        assert set(others) <= {"STILL_WAITING", "ALREADY_SENT"}
        await until(_none_waits)
        assert set((await reasons(board, *parked)).values()) == {"ALREADY_SENT"}
    assert sorted(mail_server.recipients) == sorted(letter.address for letter in parked)


async def test_two_who_name_the_same_mails_in_opposite_order_both_get_an_answer(
    board: Client, world: World, database_url: str
) -> None:
    """N4: each has come half way when the mail in the middle is let go."""
    parked = [await world.letter() for _ in range(5)]
    third = await asyncpg.connect(database_url)
    async with third.transaction():
        await third.execute("SELECT FROM letter WHERE id = $1 FOR UPDATE", parked[2].id)
        orders = [asyncio.create_task(resend(board, *mails)) for mails in (parked, parked[::-1])]
        await until(_two_wait)
    await third.close()
    assert sorted(answer["resent"] for answer in await asyncio.gather(*orders)) == [0, 5]


async def _two_wait() -> bool:
    waiting: int = await database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return waiting == 2


async def test_each_mail_that_is_not_sent_again_is_told_with_its_reason(
    board: Client, world: World, clock: ControlledClock
) -> None:
    """N4: in the order given; the others go."""
    closed, removed = await world.candidate(), await world.verifier()
    kept = {
        "ALREADY_SENT": await world.letter(sent_at=START),
        "STILL_WAITING": await world.letter(parked_at=None, tries=3, next_try_at=START + timedelta(hours=1)),
        "ACCOUNT_CLOSED": await world.letter(closed),
        "NOT_FOUND": Letter(),
    }
    gone = await world.letter(removed)
    await Candidate.filter(id=closed.id).update(closed_at=START)
    await world.remove(removed)
    good = await world.letter()
    nonsense = ["", "x", gid(closed)]
    wanted = {gid(letter): reason for reason, letter in kept.items()} | {gid(gone): "ACCOUNT_CLOSED"}
    wanted |= dict.fromkeys(nonsense, "NOT_FOUND")
    payload = await resend(board, *kept.values(), gone, good, *nonsense)
    assert payload["resent"] == 1
    assert [(one["id"], one["reason"]) for one in payload["notResent"]] == list(wanted.items())
    assert await state(good) == (0, None, None, None)
    assert await state(kept["STILL_WAITING"]) == (3, None, None, None)
    assert await database.value("SELECT count(*) FROM pgqueuer") == 1


@pytest.mark.parametrize("others", [None, 100])
async def test_too_many_at_once_or_none_at_all_are_a_fault_of_the_form(
    board: Client, world: World, others: int | None
) -> None:
    letter = await world.letter()
    mails: list[Letter | str] = [] if others is None else [letter, *map(str, range(others))]
    payload = await resend(board, *mails)
    assert payload["__typename"] == "InvalidInput"
    assert payload["problems"] == [{"path": "ids"}]
    assert (await Letter.get()).parked_at == START


async def test_a_hundred_mails_are_sent_again_at_once(board: Client, world: World, statements: Statements) -> None:
    """N4: with no more statements than one."""
    owner = await world.candidate()
    parked = [await world.letter(owner) for _ in range(101)]
    counts = []
    for mails in (parked[:1], parked[1:]):
        with statements.counted():
            assert (await resend(board, *mails))["resent"] == len(mails)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert await database.value("SELECT count(DISTINCT dedupe_key) FROM pgqueuer") == 101


async def test_mail_that_was_taken_after_all_while_it_was_parked_is_not_sent_twice(
    board: Client, world: World, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4: its worker was taken for dead, and only waited for the database to write down how its last try went."""
    letter = await world.letter(parked_at=None, tries=9)
    post = Server(mail_server.url, MAIL_FROM)

    async def send_slowly(mail: Mail) -> None:
        await post.send(mail)
        await Letter.filter(id=letter.id).update(parked_at=clock(), begun_at=None)  # as `deliver` does for the dead

    await letters.deliver(letter.id, send_slowly, PUBLIC_URL, clock())
    assert await state(letter) == (10, START, None, None)
    assert await reasons(board, letter) == {gid(letter): "ALREADY_SENT"}
    assert mail_server.recipients == [letter.address]


# ---- links that work no more, and addresses that changed


@pytest.mark.parametrize("kind", LINK_VALID)
async def test_mail_whose_link_works_no_more_is_not_sent_again(
    board: Client, world: World, clock: ControlledClock, kind: str
) -> None:
    """A5, A9: to the microsecond at which the link ends."""
    owner = await world.candidate()
    mails = [await world.letter(owner, kind=kind, refused_at=START) for _ in range(2)]
    clock.now = START + LINK_VALID[kind] - timedelta(microseconds=1)
    board = await board_staff(board, world)
    assert await reasons(board, mails[0]) == {}
    clock.forward(microseconds=1)
    assert await reasons(board, mails[1]) == {gid(mails[1]): "TOO_OLD"}
    assert (await state(mails[1]))[3] == START


async def test_mail_whose_link_was_used_or_ended_is_not_sent_again(board: Client, world: World) -> None:
    """A5, A9: as all of an account are when its address changes."""
    owner = await world.candidate()
    facts: dict[str, Any] = {"candidate_id": owner.id, "asked_at": START}
    resets = [await PasswordReset.create(**facts, used_at=used_at) for used_at in (None, START)]
    changes = [
        await EmailChange.create(**facts, new_email="new@mail.example", used_at=used_at) for used_at in (None, START)
    ]
    wanted: dict[str, str] = {}
    mails = []
    for kind, key, links in (("password_reset", "reset_id", resets), ("confirm_address", "change_id", changes)):
        for link in links:
            mails.append(await world.letter(owner, kind=kind, facts={key: str(link.id)}))
        wanted[gid(mails[-1])] = "TOO_OLD"
    assert await reasons(board, *mails) == wanted


def test_links_end_as_candidates_are_told() -> None:
    """A5, A9, O2, S7, U2: 60 minutes, 24 hours, 7 days and 30 days."""
    week = timedelta(days=7)
    of_users = {"user_invited": week, "application_confirm": week, "application_approved": week}
    of_users |= {"institution_invited": timedelta(days=30)}
    assert {"password_reset": timedelta(minutes=60), "confirm_address": timedelta(hours=24)} | of_users == LINK_VALID


@pytest.mark.parametrize("kind", ["password_changed", *sorted(OF_ONE_ADDRESS)])
async def test_mail_goes_to_the_address_that_the_account_has_now(
    board: Client, world: World, clock: ControlledClock, mail_server: MailServer, kind: str
) -> None:
    """N4, A9: but what is about an address never goes to another one, and what is nobody's goes where it went."""
    candidate, verifier = await world.candidate(), await world.verifier()
    mails = [await world.letter(owner, kind=kind) for owner in (candidate, verifier)]
    mails.append(await Letter.create(**{**_nobodys(world), "kind": kind, "parked_at": START}))
    await Candidate.filter(id=candidate.id).update(email="new@mail.example")
    await VerifierUser.filter(id=verifier.id).update(email="new@office.example")
    assert await reasons(board, *mails) == {}
    old = [candidate.email, verifier.email, "applicant@office.example"]
    new = ["new@mail.example", "new@office.example", "applicant@office.example"]
    addresses = [(await Letter.get(id=mail.id)).address for mail in mails]
    assert addresses == (old if kind in OF_ONE_ADDRESS else new)
    if kind == "password_changed":
        mail_server.refused.add(old[0] or "")
        await deliver_all(mail_server, clock)
        assert "new@mail.example" in mail_server.recipients


# ---- marks on accounts


async def marks(owner: Candidate | VerifierUser) -> datetime | None:
    """When the account's address was refused for good."""
    again: Candidate | VerifierUser = await type(owner).get(id=owner.id)
    return again.email_refused_at


@pytest.fixture(params=["candidate", "verifier"])
async def owner(request: pytest.FixtureRequest, app: Starlette, world: World) -> Candidate | VerifierUser:
    """An account that gets mail."""
    made: Candidate | VerifierUser = await getattr(world, request.param)()
    return made


async def test_refused_address_is_marked_until_it_takes_a_mail(
    board: Client, world: World, owner: Candidate | VerifierUser, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4: sending again does not take the mark away, only a mail that was taken does."""
    letter = await world.letter(owner)
    address = letter.address
    mail_server.refused.add(address)
    await resend(board, letter)
    await deliver_all(mail_server, clock)
    assert await marks(owner) == (await Letter.get(id=letter.id)).refused_at == START
    clock.forward(minutes=5)
    await resend(board, letter)
    assert await marks(owner) == START
    mail_server.refused.clear()
    mail_server.says["RCPT"] = "451 4.7.1 Greylisted, try again later"
    await deliver_all(mail_server, clock)
    assert await marks(owner) == START
    mail_server.says.clear()
    clock.forward(minutes=5)
    await deliver_all(mail_server, clock)
    assert mail_server.recipients == [address]
    assert await marks(owner) is None


async def test_mail_taken_at_an_old_address_says_nothing_of_the_new_one(
    board: Client, world: World, owner: Candidate | VerifierUser, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4, A9: nor does one that was refused there."""
    taken, refused = [await world.letter(owner, kind="address_changed") for _ in range(2)]
    await type(owner).filter(id=owner.id).update(email="new@mail.example", email_refused_at=START - timedelta(days=1))
    await resend(board, taken)
    await deliver_all(mail_server, clock)
    assert mail_server.recipients == [taken.address]
    assert await marks(owner) == START - timedelta(days=1)
    mail_server.refused.add(refused.address)
    await resend(board, refused)
    await deliver_all(mail_server, clock)
    assert (await state(refused))[3] == START
    assert await marks(owner) == START - timedelta(days=1)


async def test_mail_refused_for_what_it_is_does_not_mark_the_address(
    board: Client, world: World, owner: Candidate | VerifierUser, clock: ControlledClock, mail_server: MailServer
) -> None:
    """N4: the receiver's rules are not the receiver."""
    letter = await world.letter(owner)
    mail_server.says["DATA"] = "554 5.7.1 Message rejected by policy"
    await resend(board, letter)
    await deliver_all(mail_server, clock)
    assert (await state(letter))[3] == START
    assert await marks(owner) is None
    assert await listed(board, state="REFUSED") == [gid(letter)]


async def test_staff_see_whose_address_is_refused(board: Client, client: Client, world: World) -> None:
    """N4: of candidates, staff and the candidate; not an institution that holds the result."""
    result, institution = await world.result(), await world.institution()
    candidate = await (await result.entry).candidate
    await world.share(result, institution)
    await Candidate.filter(id=candidate.id).update(email_refused_at=START)
    query = "query ($id: ID!) { node(id: $id) { ... on Candidate { familyName emailRefusedAt } } }"
    marked = {"familyName": candidate.family_name, "emailRefusedAt": "2026-11-22T09:00:00+00:00"}
    verifier = client.as_(await world.token(await world.verifier(institution, is_primary=True)))
    for asker in (board, client.as_(await world.token(candidate))):
        assert (await asker.ask(query, id=gid(candidate)))["node"] == marked
    assert (await verifier.ask(query, id=gid(candidate)))["node"] == marked | {"emailRefusedAt": None}


# ---- secrets


async def test_secrets_of_a_mail_are_in_no_answer_and_in_no_log(
    board: Client,
    world: World,
    settings: Settings,
    clock: ControlledClock,
    mail_server: MailServer,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """N4, G3: nor what it says; the link itself arrives and works."""
    candidate = await world.candidate()
    reset = await PasswordReset.create(candidate_id=candidate.id, asked_at=START)
    facts = {"reset_id": str(reset.id)}
    letter = await world.letter(candidate, kind="password_reset", facts=facts, refused_at=START)
    query = f"{{ staff {{ parkedMail {{ edges {{ node {{ id {ALL} }} }} }} }} }}"
    answers = [await board.ask(query), await board.ask(NODE, id=gid(letter))]
    async with sending(settings, clock, mail_server):
        answers.append(await resend(board, letter))
        await until(_none_waits)
    [mail] = mail_server.taken
    token = reset_token(reset.id)
    assert link_in(mail) == f"http://testserver/reset-password#{token}"
    logged = "".join(capfd.readouterr())
    assert "resendMail" in logged or "graphql" in logged
    assert candidate.email is not None
    for secret in (token, str(reset.id), "reset-password#", str(mail["Subject"])):
        assert secret not in json.dumps(answers)
        assert secret not in logged
    assert candidate.email not in logged


# ---- faults of ours


async def test_board_staff_see_jobs_that_are_held(
    board: Client, centre_staff: Client, client: Client, world: World
) -> None:
    """N4: by name, with their number and their age; a centre has nothing to do with them."""
    query = "{ staff { heldJobs { name count oldestAt } } }"
    assert (await board.ask(query)) == {"staff": {"heldJobs": []}}
    for name, status, created in (
        ("letter", "failed", START), ("letter", "failed", START - timedelta(days=2)), ("letter", "queued", START),
        ("a job", "failed", START - timedelta(days=1)), ("other", "picked", START),
    ):  # fmt: skip
        await database.rows(
            """INSERT INTO pgqueuer (priority, status, entrypoint, created)
               VALUES (0, :status::pgqueuer_status, :name, :created)""",
            status=status,
            name=name,
            created=created,
        )
    assert (await board.ask(query))["staff"]["heldJobs"] == [
        {"name": "a job", "count": 1, "oldestAt": "2026-11-21T09:00:00+00:00"},
        {"name": "letter", "count": 2, "oldestAt": "2026-11-20T09:00:00+00:00"},
    ]
    assert (await centre_staff.ask(query)) == {"staff": {"heldJobs": None}}
    assert (await client.ask(query)) == {"staff": None}
