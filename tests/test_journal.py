"""The journal's cursor: nothing is missed, nothing comes twice, whatever order transactions commit in (N6, P2)."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from engine import database
from engine.events import CHECK_SECONDS, QUEUE, Bookmark, Cursor, Hub
from errors import CursorNotValid, NotAllowed, NotLoggedIn, SlowSubscriber, StreamEnded
from models.institution import Institution
from models.journal import EventKind
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer
from resolvers import inboxes, journal, sessions
from resolvers.journal import JournalEvent
from resolvers.pages import Place
from tests.conftest import START, ControlledClock
from tests.served import until
from tests.world import World, settled

WRITERS = 8
ORDERS = 25


@pytest.fixture
async def viewer(world: World, app: Starlette, clock: ControlledClock) -> Viewer:
    """A verifier with a session, as the door makes one."""
    return await viewer_of(await world.verifier(), world, clock)


async def viewer_of(verifier: VerifierUser, world: World, clock: ControlledClock) -> Viewer:
    return await sessions.viewer_of(await world.token(verifier), clock(), "192.0.2.1")


@pytest.fixture
def hub(app: Starlette) -> Hub[JournalEvent]:
    """The live events of the service."""
    found: Hub[JournalEvent] = app.state.services.hub
    return found


async def write(viewer: Viewer, event: UUID) -> None:
    """One event, told apart from others by the share that it is about."""
    assert viewer.institution_id is not None
    await journal.write(EventKind.SHARE_SENT, viewer.institution_id, event, uuid4(), START)


async def event_ids() -> dict[Cursor, UUID]:
    """Which event stands behind which cursor; read past the cursor's own rules."""
    found = await database.rows("SELECT xid::text::bigint AS xid, id, share_id FROM journal")
    return {(row["xid"], row["id"]): row["share_id"] for row in found}


@dataclass(slots=True)
class Written:
    """What writers did in the end."""

    committed: list[UUID] = field(default_factory=list)
    undone: list[UUID] = field(default_factory=list)


async def writers(viewer: Viewer, chance: random.Random) -> Written:
    """Many transactions at once, open for different times, a quarter of them undone, some by halves (savepoints)."""
    written = Written()

    async def one_writer() -> None:
        for _ in range(ORDERS):
            await _order(viewer, chance, written)

    await asyncio.gather(*[one_writer() for _ in range(WRITERS)])
    return written


class Undone(Exception):
    """Thrown by an order that changes its mind."""


async def _order(viewer: Viewer, chance: random.Random, written: Written) -> None:
    events = [uuid4() for _ in range(chance.choice([1, 1, 1, 2, 5]))]
    given_up = uuid4()
    try:
        async with database.transaction():
            for event in events:
                await write(viewer, event)
                await asyncio.sleep(chance.choice([0, 0, 0.001, 0.01]))
            try:
                async with database.transaction():
                    await write(viewer, given_up)
                    raise Undone
            except Undone:
                written.undone.append(given_up)
            await asyncio.sleep(chance.choice([0, 0, 0, 0.005, 0.03]))
            if chance.random() < 0.25:
                raise Undone
        written.committed += events
    except Undone:
        written.undone += events


async def reads_all(viewer: Viewer, chance: random.Random, done: asyncio.Event) -> list[Cursor]:
    """A reader of pages that is cut at random and comes back with the last cursor it has seen."""
    seen: list[Cursor] = []
    last: Cursor = (0, 0)
    while True:
        finished = done.is_set()
        batch = await journal.read(viewer, last)
        told = batch.events[: chance.randint(0, len(batch.events))] if chance.random() < 0.3 else batch.events
        seen += [event.cursor for event in told]
        last = seen[-1] if seen else last
        if finished and not batch.events and not batch.more:
            return seen
        await asyncio.sleep(chance.choice([0, 0.001, 0.01]))


async def reads_by_id(done: asyncio.Event) -> list[UUID]:
    """What everybody writes first: ids behind the last one."""
    seen: list[UUID] = []
    last = 0
    while True:
        finished = done.is_set()
        found = await database.rows("SELECT id, share_id FROM journal WHERE id > :last ORDER BY id", last=last)
        seen += [row["share_id"] for row in found]
        last = max([last, *[row["id"] for row in found]])
        if finished and not found:
            return seen
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_reader_sees_every_committed_event_once_in_the_same_order_and_none_that_was_undone(
    viewer: Viewer, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N6, P2. A reader of `id > last` beside them misses some, so there was something to miss."""
    monkeypatch.setattr(journal, "BATCH", 7)
    chance, done = random.Random(seed), asyncio.Event()
    readers = [asyncio.create_task(reads_all(viewer, random.Random(seed * 10 + number), done)) for number in range(3)]
    naive = asyncio.create_task(reads_by_id(done))
    written = await writers(viewer, chance)
    done.set()
    behind = await event_ids()
    for reader in readers:
        assert [behind[cursor] for cursor in await reader] == [behind[cursor] for cursor in sorted(behind)]
    assert set(behind.values()) == set(written.committed)
    assert len(written.committed) > WRITERS * ORDERS / 2
    assert len(written.undone) > WRITERS * ORDERS
    assert set(written.committed) - set(await naive)


@asynccontextmanager
async def held_open(viewer: Viewer, event: UUID) -> AsyncIterator[None]:
    """Another task's transaction that has written an event; it commits when the block ends."""
    has_written, may_commit = asyncio.Event(), asyncio.Event()

    async def writer() -> None:
        async with database.transaction():
            await write(viewer, event)
            has_written.set()
            await may_commit.wait()

    writing = asyncio.create_task(writer())
    await has_written.wait()
    yield
    may_commit.set()
    await writing


async def test_event_waits_for_older_transactions_and_is_then_told_after_theirs(viewer: Viewer) -> None:
    """The smallest case: the first to write is the last to commit."""
    async with held_open(viewer, first := uuid4()):
        await write(viewer, second := uuid4())
        held = await journal.read(viewer, (0, 0))
        assert (held.events, held.position, held.more) == ([], (0, 0), True)
    await settled()
    told = await journal.read(viewer, (0, 0))
    behind = await event_ids()
    assert [behind[event.cursor] for event in told.events] == [first, second]
    assert (told.position, told.more) == (told.events[-1].cursor, False)


async def test_present_position_lies_before_what_commits_later_even_if_it_was_begun_before(viewer: Viewer) -> None:
    await write(viewer, uuid4())
    await settled()
    async with held_open(viewer, still_open := uuid4()):
        position = (await journal.read(viewer, None)).position
    await write(viewer, later := uuid4())
    await settled()
    behind = await event_ids()
    assert [behind[event.cursor] for event in (await journal.read(viewer, position)).events] == [still_open, later]


async def test_long_list_of_events_is_told_page_by_page(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BATCH", 4)
    for _ in range(9):
        await write(viewer, uuid4())
    await settled()
    position: Cursor = (0, 0)
    sizes = []
    for _ in range(3):
        batch = await journal.read(viewer, position)
        position = batch.position
        sizes.append((len(batch.events), batch.more))
    assert sizes == [(4, True), (4, True), (1, False)]


async def test_events_of_other_institutions_are_not_read(viewer: Viewer, world: World, clock: ControlledClock) -> None:
    """U3."""
    other = await viewer_of(await world.verifier(), world, clock)
    await write(other, uuid4())
    await settled()
    assert (await journal.read(viewer, (0, 0))).events == []
    assert len((await journal.read(other, (0, 0))).events) == 1


@given(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)))
def test_cursor_survives_being_text(cursor: Cursor) -> None:
    assert journal.cursor_from(journal.cursor_text(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "1.2.3", "-1.2", "1.-2", " 1.2", "1.2\n", "a.b", f"{2**63}.0", f"0.{2**63}", "٣.١"]
)
def test_cursor_that_we_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(CursorNotValid):
        journal.cursor_from(text)


# ---- followers: live, through the hub of the process


async def follows(viewer: Viewer, hub: Hub[JournalEvent], chance: random.Random, seen: list[Cursor]) -> None:
    """A dashboard that reads at its own pace, is cut at random, and comes back with its last cursor."""
    last: Cursor = (0, 0)
    while True:
        try:
            async with (
                asyncio.timeout(chance.random() * 0.1),
                aclosing(journal.follow(viewer, hub, Bookmark(last))) as events,
            ):
                async for event in events:
                    seen.append(event.cursor)
                    last = event.cursor
                    await asyncio.sleep(chance.choice([0, 0, 0, 0.002]))
        except TimeoutError:
            await asyncio.sleep(chance.choice([0, 0, 0.02]))


@pytest.mark.parametrize("seed", [1, 2])
async def test_dashboards_that_are_cut_and_come_back_see_every_event_once_in_the_same_order(
    viewer: Viewer, hub: Hub[JournalEvent], seed: int
) -> None:
    """N6."""
    dashboards: list[list[Cursor]] = [[] for _ in range(4)]
    tasks = [
        asyncio.create_task(follows(viewer, hub, random.Random(seed * 10 + number), seen))
        for number, seen in enumerate(dashboards)
    ]
    written = await writers(viewer, random.Random(seed))
    await until(lambda: all(len(seen) >= len(written.committed) for seen in dashboards))
    await asyncio.sleep(0.3)  # what came twice would come now
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    behind = await event_ids()
    assert set(behind.values()) == set(written.committed)
    for seen in dashboards:
        assert seen == sorted(behind)
    assert hub.open_streams == 0


async def test_stream_from_now_on_begins_with_what_commits_after_it_was_opened(
    viewer: Viewer, hub: Hub[JournalEvent]
) -> None:
    await write(viewer, uuid4())
    await settled()
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark(None))) as events:
        following = asyncio.ensure_future(anext(events))
        await until(lambda: hub.open_streams == 1)
        await write(viewer, later := uuid4())
        assert (await event_ids())[(await following).cursor] == later


async def test_burst_larger_than_a_queue_does_not_end_a_stream_that_is_read(
    viewer: Viewer, hub: Hub[JournalEvent]
) -> None:
    """A thousand shares may commit at one moment, or be held back together by one long transaction."""
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark(None))) as events:
        following = asyncio.ensure_future(anext(events))
        await until(lambda: hub.open_streams == 1)
        await burst(viewer, 4 * QUEUE)
        seen = [(await following).cursor] + [(await anext(events)).cursor for _ in range(4 * QUEUE - 1)]
    assert seen == sorted(await event_ids())


async def burst(viewer: Viewer, count: int) -> None:
    """So many events in one transaction."""
    async with database.transaction():
        await database.rows(
            """INSERT INTO journal (institution_id, kind, share_id, happened_at)
               SELECT :id, 'SHARE_SENT', gen_random_uuid(), now() FROM generate_series(1, :count - 1)""",
            id=viewer.institution_id,
            count=count,
        )
        await write(viewer, uuid4())


async def test_stream_that_is_not_read_is_given_what_is_queued_and_then_told_where_to_resume(
    viewer: Viewer, hub: Hub[JournalEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N6: nothing is lost, and what waits in memory has a bound however long nobody reads."""
    monkeypatch.setattr(journal, "FRESH_SECONDS", 60)
    seen: list[Cursor] = []
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark(None))) as events:
        following = asyncio.ensure_future(anext(events))
        await until(lambda: hub.open_streams == 1)
        await write(viewer, uuid4())
        seen.append((await following).cursor)
        for _ in range(8):
            await burst(viewer, 100)
        await until(lambda: waiting(hub) == [200])
        await burst(viewer, 1000)
        await asyncio.sleep(0.1)
        assert waiting(hub) == [200]
        with pytest.raises(SlowSubscriber) as told:
            async for event in events:
                seen.append(event.cursor)
    assert told.value.cursor == journal.cursor_text(seen[-1])
    assert len(seen) == 201
    resumed = journal.follow(viewer, hub, Bookmark(journal.cursor_from(told.value.cursor)))
    async with asyncio.timeout(60), aclosing(resumed) as events:
        seen += [(await anext(events)).cursor for _ in range(1600)]
    assert seen == sorted(await event_ids())


@pytest.mark.parametrize("after", [None, (0, 0)], ids=["live", "past"])
async def test_share_that_was_withdrawn_while_its_news_waited_for_a_slow_reader_is_not_shown(
    viewer: Viewer,
    hub: Hub[JournalEvent],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    after: Cursor | None,
) -> None:
    """S10: from that moment no path shows it."""
    monkeypatch.setattr(journal, "FRESH_SECONDS", 0.1)
    institution = await Institution.get(id=key_of(viewer))
    sent = [await world.share(await world.result(), institution) for _ in range(3 if after else 0)]
    await settled()
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark(after))) as events:
        following = asyncio.ensure_future(anext(events))
        await until(lambda: hub.open_streams == 1)
        sent = sent or [await world.share(await world.result(), institution) for _ in range(3)]
        first = await following
        await until(lambda: waiting(hub) == [0 if after else 2])
        await database.rows("UPDATE share SET withdrawn_at = :now WHERE id = :id", now=world.clock(), id=sent[1])
        await asyncio.sleep(0.15)
        told = [first, await anext(events), await anext(events)]
        assert [event.share and event.share["share_id"] for event in told] == [sent[0], None, sent[2]]
        assert [event.cursor for event in told] == sorted(await event_ids())


def waiting(hub: Hub[JournalEvent]) -> list[int]:
    """How many events wait in each stream's queue."""
    return [len(one.waiting) for topic in hub._topics.values() for one in topic.subscribers]


async def test_stream_that_was_never_read_resumes_from_where_it_was_opened_and_not_from_the_beginning(
    viewer: Viewer, hub: Hub[JournalEvent]
) -> None:
    """N6: a dashboard of today must not be told the events of all years."""
    await write(viewer, uuid4())
    await settled()
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark(None))) as events:
        following = asyncio.ensure_future(anext(events))
        await until(lambda: hub.open_streams == 1)
        subscriber = next(iter(hub._topics[key_of(viewer)].subscribers))
        subscriber.offer([_event((2**60, number)) for number in range(QUEUE + 1)])
        with pytest.raises(SlowSubscriber) as told:
            await following
    await write(viewer, later := uuid4())
    await settled()
    behind = await event_ids()
    missed = (await journal.read(viewer, journal.cursor_from(told.value.cursor))).events
    assert [behind[event.cursor] for event in missed] == [later]


def key_of(viewer: Viewer) -> UUID:
    assert viewer.institution_id is not None
    return viewer.institution_id


def _event(cursor: Cursor) -> JournalEvent:
    return JournalEvent(cursor, EventKind.SHARE_SENT, START, None)


async def test_session_that_ends_while_past_events_are_told_ends_the_stream(
    viewer: Viewer, hub: Hub[JournalEvent]
) -> None:
    """O3, A10: coming back after a year takes long; log-out must not wait for it."""
    await burst(viewer, 3 * QUEUE)
    await settled()
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark((0, 0)))) as events:
        await anext(events)
        await sessions.log_out(viewer, everywhere=False)
        await asyncio.sleep(CHECK_SECONDS + 0.2)
        with pytest.raises(StreamEnded):
            await anext(events)


async def test_inbox_and_stream_overlap_rather_than_leave_a_gap_while_an_older_order_is_under_way(
    viewer: Viewer, hub: Hub[JournalEvent], world: World
) -> None:
    """N6, V1: what the page shows is told again, what it does not show is told."""
    institution = await Institution.get(id=key_of(viewer))
    async with held_open(viewer, still_open := uuid4()):
        share = await world.share(await world.result(), institution)
        inbox = await inboxes.page(viewer, Place(first=10))
        assert [row["share_id"] for row in inbox.page.rows] == [share]
    async with asyncio.timeout(60), aclosing(journal.follow(viewer, hub, Bookmark((inbox.position, 0)))) as events:
        behind = await event_ids()
        assert [behind[(await anext(events)).cursor] for _ in range(2)] == [still_open, share]


async def test_only_verifiers_follow(viewer: Viewer, hub: Hub[JournalEvent], world: World) -> None:
    """U3."""
    candidate = await world.candidate()
    for kind, owner, refusal in ((Kind.ANONYMOUS, None, NotLoggedIn), (Kind.CANDIDATE, candidate.id, NotAllowed)):
        with pytest.raises(refusal):
            await anext(journal.follow(world.viewer(kind, owner), hub, Bookmark(None)))
    assert hub.open_streams == 0
