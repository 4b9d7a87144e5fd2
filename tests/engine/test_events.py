"""The hub of live events: what wakes it, who is told, and what happens when a part of it fails (N6, O3, A10)."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from uuid import UUID, uuid4

import asyncpg
import pytest

from engine import database
from engine.events import CHECK_SECONDS, QUEUE, START, Batch, Cursor, Hub, Subscriber
from errors import SlowSubscriber, StreamEnded, Unavailable
from models.institution import Institution
from models.journal import EventKind
from models.viewer import Kind, Viewer
from resolvers import journal
from resolvers.journal import JournalEvent
from settings import Settings
from tests.conftest import START as NOW
from tests.served import until
from tests.world import World


class Sessions:
    """Which sessions are valid; and what goes wrong when they or the journal are asked."""

    def __init__(self) -> None:
        self.ended: set[UUID] = set()
        self.check_fails = False
        self.read_fails: Exception | None = None
        self.reads: list[UUID] = []

    async def still_valid(self, ids: Iterable[UUID]) -> set[UUID]:
        if self.check_fails:
            raise ZeroDivisionError
        return set(ids) - self.ended

    async def read(self, topic: UUID, after: Cursor | None) -> Batch[JournalEvent]:
        self.reads.append(topic)
        if self.read_fails:
            raise self.read_fails
        return await journal.read(Viewer(Kind.VERIFIER, NOW, institution_id=topic), after)


@pytest.fixture
def around() -> Sessions:
    return Sessions()


@pytest.fixture
async def hub(open_database: None, settings: Settings, around: Sessions) -> AsyncIterator[Hub[JournalEvent]]:
    """A hub of its own on the journal."""
    assert settings.database_url is not None
    async with Hub(settings.database_url, journal.CHANNEL, around.read, around.still_valid) as hub:
        yield hub


@pytest.fixture
async def topic(open_database: None, world: World) -> UUID:
    """The institution whose events are followed."""
    return await new_topic(world)


async def new_topic(world: World) -> UUID:
    institution: Institution = await world.institution()
    return institution.id


async def write(topic: UUID) -> UUID:
    event = uuid4()
    await journal.write(EventKind.SHARE_SENT, topic, event, uuid4(), NOW)
    return event


async def told(subscriber: Subscriber[JournalEvent], seconds: float = 1) -> Cursor:
    async with asyncio.timeout(seconds):
        return (await subscriber.next(START))[1].cursor


async def cursors(topic: UUID) -> list[Cursor]:
    """The cursors of all events of a topic, in order."""
    return [
        event.cursor for event in (await journal.read(Viewer(Kind.VERIFIER, NOW, institution_id=topic), START)).events
    ]


async def test_event_reaches_every_stream_of_its_topic_and_no_other(
    hub: Hub[JournalEvent], topic: UUID, world: World, around: Sessions
) -> None:
    other = await new_topic(world)
    mine = [await hub.join(topic, uuid4()) for _ in range(3)]
    theirs = await hub.join(other, uuid4())
    await until(lambda: set(around.reads) == {topic, other})
    await asyncio.sleep(0.05)
    around.reads.clear()
    await write(topic)
    assert [await told(one) for one in mine] == await cursors(topic) * 3
    await asyncio.sleep(0.05)
    assert not theirs.waiting
    assert set(around.reads) == {topic}  # read once for all its streams, and nothing for others


async def test_event_that_was_undone_is_not_told(hub: Hub[JournalEvent], topic: UUID) -> None:
    subscriber = await hub.join(topic, uuid4())
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await write(topic)
            raise ZeroDivisionError
    await write(topic)
    assert [await told(subscriber)] == await cursors(topic)


async def test_many_events_of_one_transaction_wake_the_reader_once(
    hub: Hub[JournalEvent], topic: UUID, another: asyncpg.Connection
) -> None:
    """A NOTIFY takes a lock of the whole database at commit; equal ones of a transaction are one."""
    heard: list[object] = []
    await another.add_listener(journal.CHANNEL, lambda *notice: heard.append(notice[-1]))
    async with database.transaction():
        for _ in range(5):
            await write(topic)
    await until(lambda: heard)
    await asyncio.sleep(0.05)
    await another.reset()
    assert heard == [str(topic)]


@pytest.fixture
async def another(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection of nobody's pool."""
    connection = await asyncpg.connect(settings.database_url)
    yield connection
    await connection.close()


async def test_killed_listener_comes_back_and_tells_what_it_missed(
    hub: Hub[JournalEvent], topic: UUID, another: asyncpg.Connection
) -> None:
    subscriber = await hub.join(topic, uuid4())
    for _ in range(3):
        async with another.transaction():  # commits as soon as the listener is gone: nobody hears of it
            await another.execute(
                """INSERT INTO journal (institution_id, kind, share_id, happened_at)
                   VALUES ($1, 'SHARE_SENT', gen_random_uuid(), now())""",
                topic,
            )
            await another.execute("SELECT pg_notify('journal', $1)", str(topic))
            assert await another.fetchval(
                """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'"""
            )
        await until(lambda: not hub.connected)
        assert await told(subscriber, seconds=2) == (await cursors(topic))[-1]
        await until(lambda: hub.connected)


async def test_last_stream_to_leave_closes_its_topic(hub: Hub[JournalEvent], topic: UUID) -> None:
    one, two = await hub.join(topic, uuid4()), await hub.join(topic, uuid4())
    reader = hub._topics[topic].reader
    assert reader is not None
    hub.leave(topic, one)
    await write(topic)
    await told(two)
    assert not reader.done()
    hub.leave(topic, two)
    hub.leave(topic, two)
    await until(reader.done)
    assert (hub.open_streams, hub._topics) == (0, {})
    again = await hub.join(topic, uuid4())
    await write(topic)
    assert await told(again) == (await cursors(topic))[-1]


async def test_streams_that_join_at_one_moment_share_one_topic(hub: Hub[JournalEvent], topic: UUID) -> None:
    everybody = await asyncio.gather(*[hub.join(topic, uuid4()) for _ in range(10)])
    assert len(hub._topics) == 1
    await write(topic)
    assert [await told(one) for one in everybody] == await cursors(topic) * 10


async def test_session_that_ended_ends_its_streams_within_a_second_and_no_others(
    hub: Hub[JournalEvent], topic: UUID, around: Sessions
) -> None:
    """A10, O3."""
    ending, staying = uuid4(), uuid4()
    ended, stays = await hub.join(topic, ending), await hub.join(topic, staying)
    await write(topic)
    await until(lambda: ended.waiting and stays.waiting)
    around.ended.add(ending)
    await until(lambda: ended.ended, seconds=1)
    with pytest.raises(StreamEnded):
        await told(ended)  # what was queued before is not told either
    assert await told(stays)


async def test_event_that_comes_before_the_next_check_is_not_told_to_an_ended_session(
    hub: Hub[JournalEvent], topic: UUID, around: Sessions
) -> None:
    """O3: at once means before the next event, not at the next tick."""
    session = uuid4()
    subscriber = await hub.join(topic, session)
    await asyncio.sleep(CHECK_SECONDS / 2)
    around.ended.add(session)
    await write(topic)
    with pytest.raises(StreamEnded):
        await told(subscriber)


async def test_sessions_are_checked_on_when_a_check_failed(
    hub: Hub[JournalEvent], topic: UUID, around: Sessions
) -> None:
    session = uuid4()
    subscriber = await hub.join(topic, session)
    around.check_fails = True
    await asyncio.sleep(CHECK_SECONDS * 1.5)
    around.check_fails = False
    around.ended.add(session)
    await until(lambda: subscriber.ended, seconds=1)


async def test_reader_that_fails_ends_its_streams_instead_of_leaving_them_silent(
    hub: Hub[JournalEvent], topic: UUID, around: Sessions
) -> None:
    subscriber = await hub.join(topic, uuid4())
    around.read_fails = ZeroDivisionError()
    await write(topic)
    with pytest.raises(Unavailable):
        await told(subscriber)
    around.read_fails = None
    hub.leave(topic, subscriber)
    again = await hub.join(topic, uuid4())
    await write(topic)
    assert await told(again) == (await cursors(topic))[-1]


async def test_reader_goes_on_when_the_database_was_away(hub: Hub[JournalEvent], topic: UUID, around: Sessions) -> None:
    subscriber = await hub.join(topic, uuid4())
    around.read_fails = Unavailable()
    await write(topic)
    await asyncio.sleep(0.3)
    around.read_fails = None
    assert [await told(subscriber)] == await cursors(topic)


async def test_stream_that_nobody_reads_keeps_a_bounded_queue_and_disturbs_no_other(
    hub: Hub[JournalEvent], topic: UUID
) -> None:
    idle, busy = await hub.join(topic, uuid4()), await hub.join(topic, uuid4())
    seen: list[Cursor] = []
    for _ in range(QUEUE + 50):
        await write(topic)
        seen.append(await told(busy))
    assert len(idle.waiting) == QUEUE
    position: Cursor = START
    for _ in range(QUEUE):
        position = await told(idle)
    with pytest.raises(SlowSubscriber) as ended:
        await idle.next(position)
    assert ended.value.cursor == journal.cursor_text(seen[QUEUE - 1])
    assert seen == sorted(set(seen))


async def test_hub_leaves_no_task_behind(
    open_database: None, settings: Settings, topic: UUID, around: Sessions
) -> None:
    before = asyncio.all_tasks()
    assert settings.database_url is not None
    async with Hub(settings.database_url, journal.CHANNEL, around.read, around.still_valid) as hub:
        await hub.join(topic, uuid4())
        assert asyncio.all_tasks() - before
    await until(lambda: not asyncio.all_tasks() - before)
