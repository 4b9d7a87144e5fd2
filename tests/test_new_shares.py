"""Live shares through two real processes on one database: at once, gap-free, to the right people only (N6, O3, A10)."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from gql import Client as GqlClient
from gql import gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from engine import database
from engine.clock import Clock, system_clock
from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.verifier import VerifierStatus, VerifierUser
from schema.ids import key_of
from settings import Settings
from tests.client import Client
from tests.conftest import copy_of_template, with_name
from tests.dashboards import KINDS, LIVE_CURSOR, NEW_SHARES, Dashboard, dashboard, live_cursor, socket
from tests.door import standing
from tests.served import Served, until
from tests.world import World, gid, settled
from transport import websocket

SENT = "... on ResultSent { wasAlreadySent share { id } }"
SOON = 10.0  # seconds: a second where nothing else runs (see docs/performance.md); below any heartbeat


@pytest.fixture(scope="module")
def database_url(server_url: str, worker_id: str) -> Iterator[str]:
    """A database of this file's own: its processes see no other tests."""
    name = f"new_shares_{worker_id}"
    asyncio.run(copy_of_template(server_url, name))
    yield with_name(server_url, name)


@pytest.fixture(scope="module")
def processes(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """Two processes of the service on one database."""
    home: Path = tmp_path_factory.mktemp("served")
    pair = Served(home / "one", database_url).start(), Served(home / "two", database_url).start()
    try:
        yield pair[0].ready(), pair[1].ready()
    finally:
        for served in pair:
            served.stop()
    assert "Traceback" not in pair[0].stderr + pair[1].stderr


@pytest.fixture
def clock() -> Clock:
    """Real processes have the real time."""
    return system_clock


@dataclass(slots=True)
class Stage:
    """An institution with a verifier, seen through both processes."""

    world: World
    institution: Institution
    verifier: VerifierUser
    token: str
    clients: tuple[Client, Client]

    async def send(self, process: int = 0, institution: Institution | None = None) -> str:
        """A candidate sends a result through one of the processes; the share's id."""
        result = await self.world.result()
        candidate = await (await result.entry).candidate
        client = self.clients[process].as_(await self.world.token(candidate))
        wanted = {"resultId": gid(result), "institutionId": gid(institution or self.institution)}
        sent = await client.order("sendResult", SENT, **wanted, consentVersion=CONSENT_VERSION)
        assert sent["wasAlreadySent"] is False
        share_id: str = sent["share"]["id"]
        return share_id

    async def live_cursor(self) -> str:
        return await live_cursor(self.clients[0].as_(self.token))


@pytest.fixture
async def stage(processes: tuple[Served, Served], open_database: None, world: World) -> AsyncIterator[Stage]:
    """An institution on an empty database."""
    institution = await world.institution("Aoba Gakuin University")
    verifier = await world.verifier(institution, is_primary=True)
    async with AsyncExitStack() as stack:
        https = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=one.url, timeout=60, trust_env=False))
            for one in processes
        ]
        clients = Client(https[0]), Client(https[1])
        yield Stage(world, institution, verifier, await world.token(verifier), clients)


@asynccontextmanager
async def everywhere(processes: tuple[Served, Served], token: str, after: str | None) -> AsyncIterator[list[Dashboard]]:
    """A dashboard of each kind at each process."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(dashboard(kind, served, token, after))
            for served in processes
            for kind in KINDS
        ]


async def test_new_share_reaches_dashboards_of_both_processes_within_a_second_of_being_sent(
    processes: tuple[Served, Served], stage: Stage
) -> None:
    """N6, S5."""
    async with everywhere(processes, stage.token, await stage.live_cursor()) as dashboards:
        shares: list[str] = []
        for number in range(6):
            asked_at = time.monotonic()
            shares.append(await stage.send(process=number % 2))
            for one in dashboards:
                await one.has_seen(*shares)
                assert one.told_at[-1] - asked_at < SOON


async def test_dashboard_without_a_cursor_begins_with_the_next_share(
    processes: tuple[Served, Served], stage: Stage
) -> None:
    await stage.send()
    await settled()  # a share sent a moment ago may be told once more, while older transactions are open
    async with everywhere(processes, stage.token, after=None) as dashboards:
        await asyncio.sleep(0.3)
        share = await stage.send()
        for one in dashboards:
            await one.has_seen(share)


@pytest.mark.parametrize("kind", KINDS)
async def test_dashboard_that_was_cut_off_misses_nothing_and_gets_nothing_twice(
    kind: str, processes: tuple[Served, Served], stage: Stage
) -> None:
    """N6: whichever process it comes back to."""
    shares = []
    async with dashboard(kind, processes[0], stage.token, await stage.live_cursor()) as before:
        shares += [await stage.send(), await stage.send(process=1)]
        await before.has_seen(*shares)
    missed = [await stage.send(process=number % 2) for number in range(3)]
    async with dashboard(kind, processes[1], stage.token, before.cursors[-1]) as after:
        await after.has_seen(*missed)
        missed.append(await stage.send())
        await after.has_seen(*missed)
        await asyncio.sleep(0.1)
        assert after.seen == missed
    async with dashboard(kind, processes[0], stage.token, before.cursors[0]) as again:
        await again.has_seen(shares[1], *missed)


@pytest.mark.parametrize("kind", KINDS)
async def test_inbox_and_stream_join_without_a_gap_while_shares_come_in(
    kind: str, processes: tuple[Served, Served], stage: Stage
) -> None:
    """N6, V1: a page, then the stream from its liveCursor, opened again and again in the middle of the traffic."""
    sending = asyncio.gather(*[_sends(stage, process, 12) for process in (0, 1, 0, 1)])
    seen: list[tuple[list[str], Dashboard]] = []
    async with AsyncExitStack() as stack:
        while not sending.done():
            inbox = (await stage.clients[0].as_(stage.token).ask(LIVE_CURSOR))["inbox"]
            page = [edge["node"]["id"] for edge in inbox["edges"]]
            opened = dashboard(kind, processes[1], stage.token, inbox["liveCursor"])
            seen.append((page, await stack.enter_async_context(opened)))
            await asyncio.sleep(0.05)
        shares = {share for some in await sending for share in some}
        for page, stream in seen:
            await until(lambda page=page, stream=stream: {*page, *stream.seen} == shares)  # type: ignore[misc]
            assert len(stream.seen) == len(set(stream.seen))
    assert len(seen) > 3


async def _sends(stage: Stage, process: int, count: int) -> list[str]:
    return [await stage.send(process) for _ in range(count)]


async def test_verifiers_of_other_institutions_are_told_nothing(processes: tuple[Served, Served], stage: Stage) -> None:
    """U3."""
    stranger = await stage.world.verifier(await stage.world.institution())
    async with AsyncExitStack() as stack:
        token, cursor = await stage.world.token(stranger), await stage.live_cursor()
        strangers = await stack.enter_async_context(everywhere(processes, token, cursor))
        mine = await stack.enter_async_context(everywhere(processes, stage.token, cursor))
        share = await stage.send()
        for one in mine:
            await one.has_seen(share)
        own = await stage.send(institution=await stranger.institution)
        for one in strangers:
            await one.has_seen(own)
        assert [one.seen for one in mine] == [[share]] * 4


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_no_verifier_is_told_so_by_a_code(
    kind: str, processes: tuple[Served, Served], stage: Stage
) -> None:
    candidate = await stage.world.token(await stage.world.candidate())
    staff = await stage.world.token(await stage.world.staff())
    for token, code in ((None, "UNAUTHENTICATED"), (candidate, "FORBIDDEN"), (staff, "FORBIDDEN")):
        async with dashboard(kind, processes[0], token) as shown:
            await until(lambda shown=shown: shown.errors)  # type: ignore[misc]
            assert shown.codes == [code]
            assert shown.seen == []


async def log_out(stage: Stage) -> None:
    await stage.clients[0].as_(stage.token).ask("mutation { logOut(input: {everywhere: false}) { __typename } }")


async def suspend(stage: Stage) -> None:
    await stage.world.suspend(stage.institution)


async def remove(stage: Stage) -> None:
    await stage.world.remove(stage.verifier)


async def deactivate(stage: Stage) -> None:
    await VerifierUser.filter(id=stage.verifier.id).update(status=VerifierStatus.DEACTIVATED, is_primary=False)


async def expire(stage: Stage) -> None:
    await database.rows("UPDATE session SET created_at = created_at - interval '12 hours'")


@pytest.mark.parametrize("end", [log_out, suspend, remove, deactivate, expire])
async def test_stream_ends_within_a_second_in_both_processes_when_its_session_does(
    end: Any, processes: tuple[Served, Served], stage: Stage
) -> None:
    """A10, O3, U2."""
    colleague = await stage.world.verifier(await stage.world.institution())
    async with AsyncExitStack() as stack:
        cursor = await stage.live_cursor()
        token = await stage.world.token(colleague)
        others = [] if end is expire else [await stack.enter_async_context(everywhere(processes, token, cursor))]
        dashboards = await stack.enter_async_context(everywhere(processes, stage.token, cursor))
        share = await stage.send()
        for one in dashboards:
            await one.has_seen(share)
        await end(stage)
        ended_at = time.monotonic()
        for one in dashboards:
            await one.has_ended()
        assert time.monotonic() - ended_at < SOON
        assert [one.codes for one in dashboards] == [["UNAUTHENTICATED"]] * 4
        assert not any(one.closed for several in others for one in several)


# ---- a stream that is not read

WITH_CONSENT = "subscription ($after: String) { newShares(after: $after) { cursor share { id consent { text } } } }"


async def repeat(institution: Institution, share: UUID, count: int) -> None:
    """The same share as new, so many times over: stands for many shares, without the work of sending them."""
    await database.rows(
        """WITH events AS (INSERT INTO journal (institution_id, kind, share_id, happened_at)
                           SELECT :institution_id, 'SHARE_SENT', :share_id, now() FROM generate_series(1, :count)
                           RETURNING institution_id)
           SELECT pg_notify('journal', institution_id::text) FROM events LIMIT 1""",
        institution_id=institution.id,
        share_id=share,
        count=count,
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_stream_that_is_not_read_is_told_to_resume_and_then_misses_nothing_while_others_go_on(
    kind: str, processes: tuple[Served, Served], stage: Stage
) -> None:
    """N6: what waits for a stuck reader has a bound; its cursor brings the rest."""
    cursor, share = await stage.live_cursor(), await stage.send()
    key = key_of(share, "Share")
    assert key is not None
    await database.rows("UPDATE share SET consent_text = repeat('I agree. ', 5000)")  # so that buffers fill up soon
    async with (
        everywhere(processes, stage.token, cursor) as others,
        dashboard(kind, processes[0], stage.token, cursor, WITH_CONSENT) as stuck,
    ):
        stuck.reads.clear()
        for sent in range(1, 9):
            asked_at = time.monotonic()
            await repeat(stage.institution, key, 100)
            for one in others:
                await until(lambda one=one, sent=sent: len(one.seen) == 1 + sent * 100)  # type: ignore[misc]
                assert one.told_at[-1] - asked_at < SOON
        stuck.reads.set()
        await until(lambda: stuck.errors)
        assert stuck.codes == ["RESUME"]
        assert stuck.errors[0]["extensions"]["cursor"] == stuck.cursors[-1]
        assert not any(one.errors or one.closed for one in others)
    async with dashboard(kind, processes[1], stage.token, stuck.cursors[-1]) as resumed:
        await until(lambda: len(stuck.seen) + len(resumed.seen) == 801)
        assert stuck.cursors + resumed.cursors == others[0].cursors


async def test_streams_whose_clients_vanish_at_any_moment_are_forgotten(
    settings: Settings, clean: None, world: World, tmp_path: Path
) -> None:
    """Each holds a queue, and a place among those of its user."""
    async with standing(settings, system_clock) as door:
        served = Served(tmp_path, None, port=door.port)
        institution = await world.institution()
        token = await world.token(await world.verifier(institution))
        before = asyncio.all_tasks()
        gone = [vanishes(kind, served, token, number * 0.002) for number in range(20) for kind in KINDS]
        waiting = asyncio.gather(*gone)
        for _ in range(5):
            await world.share(await world.result(), institution)
        await waiting
        services = door.services
        await until(lambda: not (services.hub.open_streams or services.streams or services.sockets))
        assert not services.hub._topics
        await until(lambda: not asyncio.all_tasks() - before)


async def vanishes(kind: str, served: Served, token: str, seconds: float) -> None:
    """A dashboard that is cut off after so many seconds, wherever it is by then."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), dashboard(kind, served, token, "0.0"):
            await asyncio.sleep(seconds)


async def test_socket_that_takes_nothing_is_given_up_and_told_so_when_it_is_read_again(
    settings: Settings, clean: None, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it keeps its queue and its place for as long as somebody likes to hold it."""
    monkeypatch.setattr(websocket, "SEND_SECONDS", 0.3)
    async with standing(settings, system_clock) as door:
        institution = await world.institution()
        token = await world.token(await world.verifier(institution))
        share = await world.share(await world.result(), institution)
        await database.rows("UPDATE share SET consent_text = repeat('I agree. ', 5000)")
        await repeat(institution, share, 400)
        served = Served(tmp_path, None, port=door.port)
        async with dashboard("websocket", served, token, "0.0", WITH_CONSENT) as stuck:
            stuck.reads.clear()
            await until(lambda: door.services.hub.open_streams)
            await until(lambda: not (door.services.hub.open_streams or door.services.streams))
            assert len(door.services.sockets) == 1
            stuck.reads.set()
            await stuck.has_ended()
            assert stuck.close_code == 1013
            assert 0 < len(stuck.seen) < 400
            await until(lambda: not door.services.sockets)


# ---- what does not go over a socket


async def test_queries_and_mutations_over_a_socket_are_refused_and_not_done(
    processes: tuple[Served, Served], stage: Stage
) -> None:
    """A `complete` would cancel them half-way."""
    mutation = "mutation { logOut(input: {everywhere: true}) { __typename } }"
    async with socket(processes[0], stage.token) as connection:
        for number, query in enumerate(("{ viewer { __typename } }", mutation)):
            await connection.send(json.dumps({"id": str(number), "type": "subscribe", "payload": {"query": query}}))
            refused = json.loads(await connection.recv())
            assert (refused["id"], refused["type"]) == (str(number), "error")
            assert refused["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert await stage.live_cursor()


# ---- a client that other people wrote


async def test_gql_with_its_defaults_follows_new_shares(processes: tuple[Served, Served], stage: Stage) -> None:
    cursor = await stage.live_cursor()
    transport = WebsocketsTransport(
        url=processes[0].url.replace("http", "ws") + "/graphql",
        init_payload={"authorization": f"Bearer {stage.token}"},
    )
    query = gql(NEW_SHARES)
    query.variable_values = {"after": cursor}
    async with GqlClient(transport=transport) as session:
        told = session.subscribe(query)
        following = asyncio.ensure_future(anext(told))
        shares = [await stage.send(process=1), await stage.send()]
        seen = [await following, await anext(told)]
        assert [one["newShares"]["share"]["id"] for one in seen] == shares
        await stage.world.suspend(stage.institution)
        with pytest.raises(TransportQueryError, match="session has ended"):
            await anext(told)
