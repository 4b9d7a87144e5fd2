"""Candidates see live what happens to their results: at once, gap-free, and nobody else's (R11, R3, A11)."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from engine import database
from engine.clock import system_clock
from models.journal import ResultChange
from models.result import Result
from models.session import Session
from models.viewer import Kind
from resolvers import claims, corrections, releases, result_changes
from resolvers.corrections import Facts, Order
from tests.client import Client
from tests.conftest import ControlledClock
from tests.events import EventStream, events
from tests.served import Served
from tests.test_corrections import Case, case_of
from tests.world import SECRET, World, gid, settled

CHANGES = """subscription ($after: String) { resultChanges(after: $after) {
    cursor kind happenedAt version result { id status headline } } }"""
ALL = "0.0"


@pytest.fixture
async def case(app: Starlette, world: World, clock: ControlledClock) -> Case:
    """A released result, and the staff who correct it."""
    return await case_of(world, clock)


@asynccontextmanager
async def following(app: Starlette, token: str | None, after: str | None = ALL) -> AsyncIterator[EventStream]:
    """A candidate's app that follows from this place."""
    async with events(app, CHANGES, {"after": after}, token) as stream:
        yield stream


async def told(stream: EventStream, count: int) -> list[dict[str, Any]]:
    """The next so many changes."""
    changes = []
    for _ in range(count):
        result = await stream.next(seconds=20)
        assert result is not None
        assert "errors" not in result, result
        changes.append(result["data"]["resultChanges"])
    return changes


async def code_of(stream: EventStream) -> str:
    """The code with which the stream ends."""
    last = await stream.next(seconds=20)
    assert last is not None
    assert not last.get("data")
    assert await stream.next(seconds=20) is None
    code: str = last["errors"][0]["extensions"]["code"]
    return code


async def test_each_change_is_told_as_it_happens_with_the_result_as_it_is_then(app: Starlette, case: Case) -> None:
    """R11."""
    async with following(app, await case.world.token(case.candidate)) as stream:
        seen = []
        for name in ("amendResult", "withholdResult", "releaseResultAgain", "revokeResult"):
            case.clock.forward(seconds=1)
            await case.order(name)
            seen += await told(stream, 1)
    assert [(one["kind"], one["version"], one["result"]["status"]) for one in seen] == [
        ("AMENDED", 2, "RELEASED"),
        ("WITHHELD", 3, "WITHHELD"),
        ("RELEASED_AGAIN", 4, "RELEASED"),
        ("REVOKED", 5, "REVOKED"),
    ]
    assert {one["result"]["id"] for one in seen} == {gid(case.result)}
    assert [one["happenedAt"][:19] for one in seen] == [f"2026-11-22T09:00:0{second}" for second in (1, 2, 3, 4)]


async def test_a_change_is_told_by_another_process_than_the_one_that_made_it(
    app: Starlette, world: World, clock: ControlledClock, database_url: str, tmp_path: Path
) -> None:
    """By LISTEN, while its stream is open: a real process follows, and this one corrects."""
    clock.now = system_clock()
    case = await case_of(world, clock)
    token = await world.token(case.candidate)
    served = Served(tmp_path, database_url).start()
    try:
        served.ready()
        asked = {"query": CHANGES, "variables": {"after": ALL}}
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
        async with (
            asyncio.timeout(60),
            httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http,
            http.stream("POST", "/graphql", json=asked, headers=headers) as response,
        ):
            changes = (line[6:] async for line in response.aiter_lines() if line.startswith("data: {"))
            seen = []
            for name in ("amendResult", "withholdResult", "revokeResult"):  # it has read all there is before the second
                await case.order(name)
                seen.append(json.loads(await anext(changes))["data"]["resultChanges"]["kind"])
    finally:
        served.stop()
    assert seen == ["AMENDED", "WITHHELD", "REVOKED"]


async def test_who_comes_back_with_a_cursor_misses_nothing_and_gets_nothing_twice(app: Starlette, case: Case) -> None:
    token = await case.world.token(case.candidate)
    async with following(app, token) as stream:
        await case.order("amendResult")
        before = await told(stream, 1)
    await case.order("withholdResult")
    await case.order("releaseResultAgain")
    async with following(app, token, before[-1]["cursor"]) as stream:
        after = await told(stream, 2)
        await case.order("revokeResult")
        after += await told(stream, 1)
    assert [one["kind"] for one in before + after] == ["AMENDED", "WITHHELD", "RELEASED_AGAIN", "REVOKED"]
    async with following(app, token) as stream:
        assert [one["cursor"] for one in await told(stream, 4)] == [one["cursor"] for one in before + after]


async def test_changes_of_transactions_that_commit_out_of_order_are_all_told_once(app: Starlette, case: Case) -> None:
    """The one that began first commits last: a reader of ids alone would have gone past it."""
    other = await case.world.result(await case.world.entry(case.candidate))
    first, last = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction():
            await result_changes.write(ResultChange.AMENDED, [case.result.id], case.clock())
            first.set()
            await last.wait()

    async with following(app, await case.world.token(case.candidate)) as stream:
        waiting = asyncio.create_task(slow())
        async with asyncio.timeout(60):
            await first.wait()
        async with database.transaction():
            await result_changes.write(ResultChange.AMENDED, [other.id], case.clock())
        await asyncio.sleep(0.3)
        last.set()
        seen = await told(stream, 2)
        await waiting
    assert [one["result"]["id"] for one in seen] == [gid(case.result), gid(other)]


async def test_without_a_cursor_a_stream_begins_with_the_next_change(app: Starlette, case: Case) -> None:
    await case.order("amendResult")
    await settled()
    async with following(app, await case.world.token(case.candidate), None) as stream:
        hub = app.state.services.result_hub
        async with asyncio.timeout(60):
            while not hub.open_streams:  # noqa: ASYNC110  # the hub sets no event
                await asyncio.sleep(0.01)
        await case.order("withholdResult")
        assert [one["kind"] for one in await told(stream, 1)] == ["WITHHELD"]


async def test_a_release_is_told_once_its_moment_has_come_and_not_before(
    app: Starlette, world: World, clock: ControlledClock
) -> None:
    """R3: both sides of it; by whichever worker tells of it, once."""
    candidate = await world.candidate()
    released_at = clock() + timedelta(minutes=5)
    result = await world.result(await world.entry(candidate), released_at=released_at)
    async with following(app, await world.token(candidate)) as stream:
        clock.now = released_at - timedelta(microseconds=1)
        assert await releases.tell(clock()) == 0
        assert await database.rows("SELECT * FROM result_event") == []
        clock.now = released_at + timedelta(seconds=3)
        await asyncio.gather(*[releases.tell(clock()) for _ in range(3)])
        (seen,) = await told(stream, 1)
    assert (seen["kind"], seen["version"], seen["result"]["id"]) == ("RELEASED", 1, gid(result))
    assert seen["happenedAt"] == "2026-11-22T09:05:00+00:00"
    assert len(await database.rows("SELECT * FROM result_event")) == 1


async def test_nothing_is_told_of_a_result_that_is_not_released(app: Starlette, case: Case) -> None:
    """R3: whatever stands in the table."""
    await case.order("amendResult")
    other = await case.world.result(await case.world.entry(case.candidate))
    await Result.filter(id=case.result.id).update(released_at=case.clock() + timedelta(microseconds=1))
    await result_changes.write(ResultChange.AMENDED, [other.id], case.clock())
    async with following(app, await case.world.token(case.candidate)) as stream:
        assert [one["result"]["id"] for one in await told(stream, 1)] == [gid(other)]


async def test_changes_of_others_results_are_not_told(app: Starlette, case: Case) -> None:
    stranger = await case.world.candidate()
    own = await case.world.result(await case.world.entry(stranger))
    async with following(app, await case.world.token(stranger)) as stream:
        await case.order("amendResult")
        order = Order(own.id, 1, "A slip.")
        await corrections.amend(case.viewer, order, Facts(overall_score=181))
        assert [one["result"]["id"] for one in await told(stream, 1)] == [gid(own)]


async def test_an_entry_that_was_claimed_brings_its_changes_along(app: Starlette, case: Case) -> None:
    """A11: what happened to it before stands behind the cursor of everything."""
    unclaimed = await case.world.candidate(registered=False, date_of_birth=case.candidate.date_of_birth)
    entry = await case.world.entry(unclaimed)
    result = await case.world.result(entry)
    await corrections.withhold(case.viewer, Order(result.id, 1, "A slip."))
    viewer = case.world.viewer(Kind.CANDIDATE, case.candidate.id)
    async with following(app, await case.world.token(case.candidate)) as stream:
        await claims.claim(viewer, entry.id_number, SECRET)
        await case.order("amendResult")
        seen = await told(stream, 1)
    assert (seen[0]["kind"], seen[0]["result"]["id"]) in {("WITHHELD", gid(result)), ("AMENDED", gid(case.result))}
    async with following(app, await case.world.token(case.candidate)) as stream:
        assert [one["kind"] for one in await told(stream, 2)] == ["WITHHELD", "AMENDED"]


async def test_who_is_no_candidate_is_told_so_by_a_code(app: Starlette, case: Case) -> None:
    verifier = await case.world.token(await case.world.verifier(case.home))
    staff = await case.world.token(case.staff)
    await case.order("amendResult")
    for token, code in ((None, "UNAUTHENTICATED"), (verifier, "FORBIDDEN"), (staff, "FORBIDDEN")):
        async with following(app, token) as stream:
            assert await code_of(stream) == code


async def test_a_cursor_of_nothing_is_refused(client: Client, case: Case, app: Starlette) -> None:
    async with following(app, await case.world.token(case.candidate), "nothing") as stream:
        assert await code_of(stream) == "BAD_USER_INPUT"


async def log_out(case: Case) -> None:
    await Session.all().update(ended_at=case.clock())


async def idle(case: Case) -> None:
    case.clock.forward(minutes=30, seconds=10)


@pytest.mark.parametrize("end", [log_out, idle])
async def test_the_stream_ends_with_its_session_and_tells_nothing_after_it(
    app: Starlette, case: Case, end: Callable[[Case], Awaitable[None]]
) -> None:
    """A10."""
    async with following(app, await case.world.token(case.candidate)) as stream:
        await case.order("amendResult")
        await told(stream, 1)
        await end(case)
        await case.order("withholdResult")
        assert await code_of(stream) == "UNAUTHENTICATED"
