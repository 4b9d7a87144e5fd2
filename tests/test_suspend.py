"""The board suspends an institution: nothing is seen any more in any process, and nothing is lost (O3)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.applications import Starlette

from engine import database, keys
from engine.clock import system_clock
from models.institution import Institution, InstitutionStatus
from models.journal import EventKind
from models.letter import Letter
from models.notify import Notify
from models.result import Result
from models.session import Session
from models.share import Share
from models.verifier import VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import journal, news
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock
from tests.dashboards import KINDS, NEW_SHARES, dashboard, live_cursor
from tests.events import events
from tests.locks import lined_up
from tests.mail_server import mails_in, text_of
from tests.requests import MULTIPART
from tests.served import Served, until
from tests.world import PASSWORD, World, gid, settled

REASON = "Its web site has gone."
SUSPENDED = "... on InstitutionSuspension { institution { id } } ... on InstitutionStateForbids { status }"
REINSTATED = "... on InstitutionReinstated { institution { id } } ... on InstitutionStateForbids { status }"
KIND = "{ viewer { kind } }"
STATEMENT = 'query ($id: ID!) { result(id: $id) { statement(language: "en") { address } } }'
INBOX = "{ inbox(first: 5) { edges { node { id } } } }"


@dataclass
class Office:
    """An institution with a share, seen by its user; the board's staff; and the candidate who sent it."""

    client: Client
    world: World
    institution: Institution
    user: VerifierUser
    result: Result
    share: str
    verifier: Client
    board: Client

    async def suspend(self, **given: Any) -> Any:
        """The answer to suspending it."""
        return await self.board.order("suspendInstitution", SUSPENDED, **self._order({"reason": REASON} | given))

    async def reinstate(self) -> Any:
        """The answer to taking that back."""
        return await self.board.order("reinstateInstitution", REINSTATED, **self._order({}))

    def _order(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"id": gid(self.institution)} | given

    async def candidate(self) -> Client:
        """The client as the candidate."""
        owner = await (await self.result.entry).candidate
        return self.client.as_(await self.world.token(owner))


async def office_of(client: Client, world: World) -> Office:
    institution = await world.institution("Minato University")
    user, board, result = await world.verifier(institution), await world.staff(), await world.result()
    share = await Share.get(id=await world.share(result, institution))
    tokens = [client.as_(await world.token(one)) for one in (user, board)]
    return Office(client, world, institution, user, result, gid(share), *tokens)


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    return await office_of(client, world)


async def status(office: Office) -> InstitutionStatus:
    """The state of the institution."""
    return (await Institution.get(id=office.institution.id)).status


# ---- what ends


async def test_everything_ends_at_once_in_every_process(settings: Settings, clean: None, tmp_path: Path) -> None:
    """O3: sessions, streams by each transport, and addresses of files, whichever process took the order."""
    assert settings.database_url is not None
    keys.use(settings.secret_key)
    both = [Served(tmp_path / name, settings.database_url, {"WORKER": "0"}).start() for name in ("one", "two")]
    try:
        for served in both:
            served.ready()
        async with database.opened(settings.database_url, 3), AsyncExitStack() as stack:
            https = [await stack.enter_async_context(_http(served)) for served in both]
            office = await office_of(Client(https[0]), World(system_clock))
            token = office.verifier.token
            told = await office.verifier.ask(STATEMENT, id=gid(office.result))
            path = urlsplit(told["result"]["statement"]["address"]).path
            assert [(await http.get(path)).status_code for http in https] == [200, 200]
            streams = [
                await stack.enter_async_context(dashboard(kind, served, token)) for served in both for kind in KINDS
            ]
            parts = [asyncio.ensure_future(_multipart(http, token)) for http in https]
            await asyncio.sleep(0.5)  # so that the streams are open; if one were not, it would only end sooner
            assert (await office.suspend())["__typename"] == "InstitutionSuspension"
            for http in https:
                assert (await http.get(path)).status_code == 404
                assert (await Client(http, token).ask(KIND))["viewer"]["kind"] == "ANONYMOUS"
            await until(lambda: all(stream.codes for stream in streams), 30)
            assert {code for stream in streams for code in stream.codes} == {"UNAUTHENTICATED"}
            async with asyncio.timeout(30):
                told_in_parts = await asyncio.gather(*parts)
            assert ["UNAUTHENTICATED" in text for text in told_in_parts] == [True, True]
    finally:
        for served in both:
            served.stop()


@asynccontextmanager
async def _http(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
        yield http


async def _multipart(http: httpx2.AsyncClient, token: str | None) -> str:
    """All that a stream in parts says until it ends."""
    headers = {"Accept": f"{MULTIPART};subscriptionSpec=1.0", "Authorization": f"Bearer {token}"}
    operation = {"query": NEW_SHARES, "variables": {}}
    async with http.stream("POST", "/graphql", json=operation, headers=headers) as response:
        assert response.headers["content-type"].startswith(MULTIPART)
        return "".join([text async for text in response.aiter_text()])


async def test_log_in_is_refused_clearly_to_those_alone_who_know_the_password(office: Office) -> None:
    """O3, A4: or anybody could find out who has an account where."""
    await office.suspend()
    for password, expected in ((PASSWORD, "InstitutionSuspended"), ("wrong", "WrongLogin")):
        given = {"email": office.user.email, "password": password}
        answer = await office.client.order("logInVerifier", "", **given)
        assert answer["__typename"] == expected
    assert await Session.filter(verifier_id=office.user.id, ended_at=None).count() == 0


async def test_wrong_passwords_lock_log_in_during_a_suspension_as_ever(office: Office) -> None:
    """A4: right ones between them do not count."""
    await office.suspend()
    given = {"email": office.user.email, "password": "wrong"}
    told = [(await office.client.order("logInVerifier", "", **given))["__typename"] for _ in range(4)]
    assert told == ["WrongLogin"] * 3 + ["LoginLocked"]


async def test_institution_is_neither_found_nor_sent_to(office: Office) -> None:
    """O3, S1."""
    await office.suspend()
    candidate = await office.candidate()
    found = await candidate.ask('{ institutions(search: "Minato") { id } }')
    assert found["institutions"] == []
    result = await office.world.result(await office.world.entry(await (await office.result.entry).candidate))
    given = {"resultId": gid(result), "institutionId": gid(office.institution), "consentVersion": "2026-11-22"}
    assert (await candidate.order("sendResult", "", **given))["__typename"] == "InstitutionNotFound"


async def test_news_wait_until_the_institution_is_there_again(office: Office, clock: ControlledClock) -> None:
    """O3, N2: what came before is told then, once."""
    await VerifierUser.filter(id=office.user.id).update(notify=Notify.AT_ONCE, news_due_at=clock(), news_xid=0)
    await settled()
    await office.suspend()
    assert await news.send_due(clock()) == 0
    await office.reinstate()
    assert [await news.send_due(clock()), await news.send_due(clock())] == [1, 0]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("language", "words"), [("en", "The reason: Its web"), ("ja", "理由：Its web")])
async def test_users_are_told_why_by_mail(office: Office, settings: Settings, language: str, words: str) -> None:
    """O3: each in their language."""
    await VerifierUser.filter(id=office.user.id).update(language=language)
    await office.suspend()
    [mail] = await mails_in(settings.var / "mail", 1)
    assert (mail["To"], words in text_of(mail)) == (office.user.email, True)


async def test_only_active_users_are_told_and_told_again_when_it_is_over(office: Office) -> None:
    """O3: those who were removed, deactivated or have yet to set a password never could log in."""
    for state in (VerifierStatus.INVITED, VerifierStatus.DEACTIVATED, VerifierStatus.REMOVED):
        await office.world.verifier(office.institution, status=state)
    colleague = await office.world.verifier(office.institution)
    await office.suspend()
    await office.reinstate()
    told = [(letter.kind, letter.address) for letter in await Letter.all().order_by("id")]
    addresses = {office.user.email, colleague.email}
    assert {address for kind, address in told if kind == "institution_suspended"} == addresses
    assert {address for kind, address in told if kind == "institution_reinstated"} == addresses
    assert len(told) == 4


# ---- what stays


async def test_all_is_there_again_after_a_reinstatement_but_the_sessions(office: Office) -> None:
    """O3: shares, and the candidate sees them all the time."""
    await office.suspend()
    candidate = await office.candidate()
    shares = "{ me { shares(first: 5) { edges { node { id institution { name } } } } } }"
    during = await candidate.ask(shares)
    assert during["me"]["shares"]["edges"][0]["node"] == {
        "id": office.share,
        "institution": {"name": "Minato University"},
    }
    assert (await office.reinstate())["__typename"] == "InstitutionReinstated"
    assert (await office.verifier.ask(KIND))["viewer"]["kind"] == "ANONYMOUS"
    verifier = await office.client.log_in_by_email(office.user.email, PASSWORD)
    assert (await verifier.ask(INBOX))["inbox"]["edges"] == [{"node": {"id": office.share}}]


async def test_cursor_of_before_misses_nothing_and_repeats_nothing(office: Office, app: Starlette) -> None:
    """O3, N6: what was sent and not yet told before the suspension is told behind the cursor afterwards."""
    await settled()
    cursor = await live_cursor(office.verifier)
    second = await office.world.result()
    share = await Share.get(id=await office.world.share(second, office.institution))
    await office.suspend()
    await office.reinstate()
    token = await office.world.token(office.user)
    async with events(app, NEW_SHARES, {"after": cursor}, token) as stream:
        told = await stream.next(20)
        assert told is not None
        assert told["data"]["newShares"]["share"]["id"] == gid(share)
        third = await office.world.result()
        last = await Share.get(id=await office.world.share(third, office.institution))
        told = await stream.next(20)
        assert told is not None
        assert told["data"]["newShares"]["share"]["id"] == gid(last)


async def test_what_happens_during_a_suspension_stands_in_the_journal(office: Office) -> None:
    """O3, S10: a share that is withdrawn meanwhile is told behind the institution's cursor."""
    await settled()
    viewer = office.world.viewer(Kind.VERIFIER, office.user.id, institution_id=office.institution.id)
    before = (await journal.read(viewer, None)).position
    await office.suspend()
    withdrawn = await (await office.candidate()).order("withdrawShare", "", shareId=office.share)
    assert withdrawn["__typename"] == "ShareWithdrawn"
    await office.reinstate()
    await settled()
    batch = await journal.read(viewer, before)
    assert [(event.kind, event.share) for event in batch.events] == [(EventKind.SHARE_WITHDRAWN, None)]


async def test_reinstating_makes_no_session_of_before_valid(office: Office, clock: ControlledClock) -> None:
    """O3: not even one that nobody had used when it was suspended."""
    unused = await office.world.token(office.user)
    await office.suspend()
    await office.reinstate()
    clock.forward(seconds=1)
    assert (await office.client.as_(unused).ask(KIND))["viewer"]["kind"] == "ANONYMOUS"


# ---- who may, and when


async def test_only_the_boards_staff_suspend_and_reinstate(office: Office) -> None:
    """O3."""
    world = office.world
    late = await world.staff()
    token = await world.token(late)
    await Session.filter(staff_id=late.id).update(ended_at=world.clock())
    clients = {
        "NotLoggedIn": [office.client, office.client.as_(token)],
        "NotAllowed": [
            office.verifier,
            await office.candidate(),
            office.client.as_(await world.token(await world.staff(await world.centre()))),
        ],
    }
    for expected, askers in clients.items():
        for asker in askers:
            given = {"id": gid(office.institution)}
            answers = [
                await asker.order("suspendInstitution", "", **given, reason=REASON),
                await asker.order("reinstateInstitution", "", **given),
            ]
            assert [answer["__typename"] for answer in answers] == [expected] * 2
    assert await status(office) is InstitutionStatus.APPROVED


@pytest.mark.parametrize("state", [one for one in InstitutionStatus if one is not InstitutionStatus.APPROVED])
async def test_only_approved_institutions_are_suspended_and_only_suspended_ones_reinstated(
    office: Office, state: InstitutionStatus
) -> None:
    """A change that a state does not allow is refused with the state, and changes nothing."""
    facts: dict[str, Any] = {"approved_at": None}
    if state in (InstitutionStatus.SUSPENDED, InstitutionStatus.MERGED):
        facts = {"suspended_at": office.world.clock()} if state is InstitutionStatus.SUSPENDED else {}
    if state is InstitutionStatus.MERGED:
        facts = {"merged_into_id": (await office.world.institution()).id}
    await Institution.filter(id=office.institution.id).update(status=state, **facts)
    answer = await office.suspend()
    assert (answer["__typename"], answer["status"]) == ("InstitutionStateForbids", state.value)
    answer = await office.reinstate()
    if state is InstitutionStatus.SUSPENDED:
        assert answer["__typename"] == "InstitutionReinstated"
    else:
        assert (answer["__typename"], answer["status"]) == ("InstitutionStateForbids", state.value)
        assert await status(office) is state


@pytest.mark.parametrize("reason", ["", " \n", "x" * 1001])
async def test_suspension_needs_a_reason_that_can_be_told(office: Office, reason: str) -> None:
    assert (await office.suspend(reason=reason))["__typename"] == "InvalidInput"
    assert await status(office) is InstitutionStatus.APPROVED


async def test_unknown_institution_is_not_found(office: Office) -> None:
    assert (await office.suspend(id="nothing"))["__typename"] == "InstitutionNotFound"


async def test_of_two_suspensions_at_once_one_counts(office: Office, settings: Settings) -> None:
    """O3: and its users are told once."""
    assert settings.database_url is not None
    answers = await lined_up(settings.database_url, "institution", office.suspend, office.suspend)
    assert [answer["__typename"] for answer in answers] == ["InstitutionSuspension", "InstitutionStateForbids"]
    assert await Letter.all().count() == 1


async def test_reason_is_kept_as_long_as_it_holds(office: Office) -> None:
    await office.suspend()
    assert (await Institution.get(id=office.institution.id)).suspension_reason == REASON
    await office.reinstate()
    kept = await Institution.get(id=office.institution.id)
    assert [kept.suspension_reason, kept.suspended_at] == [None, None]
    assert kept.approved_at == office.institution.approved_at
