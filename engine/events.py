"""Live events: one listening connection per process, one reader per topic, a bounded queue per subscriber.

What an event is and how it is read is handed in; the hub knows only that events have cursors which grow.
A notification is a wake-up and carries nothing but the topic: events are always read from the table, so a lost
notification or a lost connection delays them and loses none.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import asyncpg
import structlog

from errors import SlowSubscriber, StreamEnded, Unavailable

Cursor = tuple[int, int]
START: Cursor = (0, 0)
QUEUE = 256
CHECK_SECONDS = 0.5
WAIT_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)

log = structlog.get_logger()


class Event(Protocol):
    """Anything with a cursor."""

    @property
    def cursor(self) -> Cursor:
        """Grows in the order in which events are told."""


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Batch(Generic[E]):
    """Events in order; `more` when later ones are there already that cannot be told yet (an older writer is open)."""

    events: list[E]
    position: Cursor
    more: bool = False


@dataclass(slots=True)
class Bookmark:
    """How far a stream has come: its last event that was told, or where it begins; None is from now on."""

    cursor: Cursor | None
    is_old: bool = False  # the stream was interrupted, and its session may have ended meanwhile


Read = Callable[[UUID, Cursor | None], Awaitable[Batch[E]]]
StillValid = Callable[[Iterable[UUID]], Awaitable[set[UUID]]]


@dataclass(eq=False, slots=True)
class Subscriber(Generic[E]):
    """One open stream: where it began, what waits for it, and why it ended."""

    session_id: UUID
    since: Cursor = START
    size: int = QUEUE
    waiting: deque[tuple[float, E]] = field(default_factory=deque)
    ended: Exception | None = None
    too_slow: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, events: list[E]) -> None:
        """Queue events; a stream that has no room any more gets what is queued, and is then told to resume."""
        if self.too_slow:
            return
        self.too_slow = len(self.waiting) + len(events) > self.size
        if not self.too_slow:
            now = asyncio.get_running_loop().time()
            self.waiting.extend((now, event) for event in events)
        self._changed.set()

    def end(self, reason: Exception) -> None:
        """Stop at once; nothing that is still queued is told."""
        self.waiting.clear()
        self.ended = reason
        self._changed.set()

    def check(self) -> None:
        """Raises the reason if the stream has ended."""
        if self.ended is not None:
            raise self.ended

    async def next(self, last: Cursor) -> tuple[float, E]:
        """The loop's time when the next event was queued, and the event.

        Raises why the stream ended, or SlowSubscriber with `last` as the place to resume.
        """
        while True:
            self.check()
            if self.waiting:
                return self.waiting.popleft()
            if self.too_slow:
                raise SlowSubscriber(f"{last[0]}.{last[1]}")
            self._changed.clear()
            await self._changed.wait()


@dataclass(eq=False, slots=True)
class Topic(Generic[E]):
    """The subscribers of one topic, and how far it has been read for them."""

    id: UUID
    position: Cursor
    subscribers: set[Subscriber[E]] = field(default_factory=set)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None


class Hub(Generic[E]):
    """All live streams of this process."""

    def __init__(self, url: str, channel: str, read: Read[E], still_valid: StillValid) -> None:
        self.url = url
        self.channel = channel
        self.read = read
        self.still_valid = still_valid
        self.connected = False
        self._topics: dict[UUID, Topic[E]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Hub[E]":
        listening = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._listen(listening), name="hub-listen"),
            asyncio.create_task(self._check(), name="hub-check"),
        ]
        await listening.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        readers = [topic.reader for topic in self._topics.values() if topic.reader]
        for task in (*self._tasks, *readers):
            task.cancel()
        await asyncio.gather(*self._tasks, *readers, return_exceptions=True)

    async def join(self, topic_id: UUID, session_id: UUID) -> Subscriber[E]:
        """Start queueing the topic's events for a new stream; events told from now on are not missed."""
        if topic_id not in self._topics:
            position = (await self.read(topic_id, None)).position
            # another stream may have opened the topic during that read
            self._topics.setdefault(topic_id, Topic(topic_id, position))
        topic = self._topics[topic_id]
        subscriber: Subscriber[E] = Subscriber(session_id, topic.position)
        topic.subscribers.add(subscriber)
        if topic.reader is None:
            topic.reader = asyncio.create_task(self._tell(topic), name=f"hub-topic-{topic_id}")
            topic.stirred.set()
        return subscriber

    async def check(self, subscriber: Subscriber[E]) -> None:
        """Raises StreamEnded if the session of a stream has ended."""
        await self._end_invalid([subscriber])
        subscriber.check()

    def leave(self, topic_id: UUID, subscriber: Subscriber[E]) -> None:
        """Forget a stream; the last one to leave closes the topic."""
        topic = self._topics.get(topic_id)
        if topic is None:
            return
        topic.subscribers.discard(subscriber)
        if not topic.subscribers:
            del self._topics[topic_id]
            if topic.reader:
                topic.reader.cancel()

    @property
    def open_streams(self) -> int:
        """How many streams are open in this process."""
        return sum(len(topic.subscribers) for topic in self._topics.values())

    def stir(self, topic_id: UUID | None = None) -> None:
        """Wake the reader of one topic, or of all."""
        topics = self._topics.values() if topic_id is None else filter(None, [self._topics.get(topic_id)])
        for topic in topics:
            topic.stirred.set()

    async def _tell(self, topic: Topic[E]) -> None:
        """Read the topic whenever it is stirred, and queue what is new for every subscriber."""
        while True:
            await topic.stirred.wait()
            topic.stirred.clear()
            try:
                await self._catch_up(topic)
            except Unavailable:
                await asyncio.sleep(WAIT_SECONDS[-1])
                topic.stirred.set()
            except Exception:
                log.exception("events.reader_failed")
                self._give_up(topic)
                return

    def _give_up(self, topic: Topic[E]) -> None:
        """A stream without its reader would be silent for ever: end it, so that its client comes back."""
        if self._topics.get(topic.id) is topic:
            del self._topics[topic.id]
        for subscriber in topic.subscribers:
            subscriber.end(Unavailable())

    async def _catch_up(self, topic: Topic[E]) -> None:
        patience = iter(WAIT_SECONDS)
        while True:
            batch = await self.read(topic.id, topic.position)
            if batch.events:
                await self._end_invalid(list(topic.subscribers))
                for subscriber in topic.subscribers:
                    subscriber.offer(batch.events)
                patience = iter(WAIT_SECONDS)
            topic.position = batch.position
            if not batch.more:
                return
            if not batch.events:
                await asyncio.sleep(next(patience, WAIT_SECONDS[-1]))

    async def _end_invalid(self, subscribers: list[Subscriber[E]]) -> None:
        """End the streams whose session has ended, by one statement for all of them."""
        if not subscribers:
            return
        valid = await self.still_valid({subscriber.session_id for subscriber in subscribers})
        for subscriber in subscribers:
            if subscriber.session_id not in valid:
                subscriber.end(StreamEnded())

    async def _check(self) -> None:
        """Twice a second: a session that was ended anywhere ends its streams here."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            everybody = [subscriber for topic in self._topics.values() for subscriber in topic.subscribers]
            try:
                await self._end_invalid(everybody)
            except Unavailable:
                pass
            except Exception:
                log.exception("events.check_failed")  # and go on: nobody else ends these streams

    async def _listen(self, listening: asyncio.Event) -> None:
        """Keep one connection listening; after every new connection all topics catch up."""
        delay = 0.05
        while True:
            try:
                await self._listen_once(listening)
                delay = 0.05
            except Exception as error:
                log.warning("events.listener_away", error=type(error).__name__)
            self.connected = False
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.0)

    async def _listen_once(self, listening: asyncio.Event) -> None:
        connection = await asyncpg.connect(self.url, timeout=5, command_timeout=5)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(self.channel, self._heard)
            self.connected = True
            listening.set()
            self.stir()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), 5)
                if not lost.is_set():
                    await connection.execute("SELECT 1")  # a half-open connection must not look alive
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self.stir(UUID(str(payload)))
