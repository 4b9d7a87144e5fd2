"""How many shares an inbox has, and how many are unread (V1): exactly, at any time, without counting them."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from engine import database
from errors import ResultNotFound, ShareExpired, ShareNotFound
from models.consent import CONSENT_VERSION
from models.inbox import InboxCount
from models.result import Result
from models.share import Share
from models.terms import Terms
from models.viewer import Kind, Viewer
from models.visit import Visit
from resolvers import inboxes, shares, withdrawals
from resolvers.inboxes import Counts
from resolvers.jobs import SCHEDULES
from tests.client import Client
from tests.conftest import ControlledClock
from tests.inboxes import Office
from tests.world import PASSWORD, World

OFFICES = 2
RESULTS = 6


class Life:
    """Institutions, results that can be sent to them, and all that can happen to a share."""

    def __init__(self, world: World, clock: ControlledClock) -> None:
        self.world = world
        self.clock = clock
        self.verifiers: list[Viewer] = []
        self.results: list[Result] = []

    @classmethod
    async def begun(cls, world: World, clock: ControlledClock) -> "Life":
        """Two institutions without shares, and six results of three candidates; used again by each example."""
        life = cls(world, clock)
        await database.rows("DELETE FROM share")
        for _ in range(OFFICES):
            user = await world.verifier()
            life.verifiers.append(world.viewer(Kind.VERIFIER, user.id, institution_id=user.institution_id))
        if not await Result.exists():
            candidates = [await world.candidate() for _ in range(RESULTS // 2)]
            for number in range(RESULTS):
                await world.result(await world.entry(candidates[number // 2]), skills={})
        life.results = await Result.all().order_by("id").prefetch_related("entry")
        await Result.all().update(released_at=clock() - timedelta(days=1))
        return life

    def verifier(self, which: int) -> Viewer:
        """One of the verifiers, at this moment."""
        return replace(self.verifiers[which % OFFICES], at=self.clock(), visit=Visit())

    async def happen(self, event: str, which: int) -> None:
        """Let one thing happen; which one, by its number; nothing, where it cannot."""
        what: dict[str, Callable[[int], Awaitable[object]]] = {
            "send": self._send, "mark": self._mark, "mark many": self._mark_many, "withdraw": self._withdraw,
            "wait": self._wait, "tell": self._tell, "hold back": self._hold_back, "release": self._release,
            "merge": self._merge, "move": self._move, "delete": self._delete, "sum up": self._sum_up,
        }  # fmt: skip
        await what[event](which)

    async def _send(self, which: int) -> None:
        result = self.results[which % RESULTS]
        institution_id = self.verifier(which // RESULTS).institution_id
        expires_at = self.clock() + timedelta(seconds=which % 5 + 1) if which % 3 == 0 else None
        sender = self.world.viewer(Kind.CANDIDATE, result.entry.candidate_id)
        consent, terms = shares.Consent(CONSENT_VERSION, "en"), Terms(expires_at=expires_at)
        assert institution_id is not None
        with contextlib.suppress(ResultNotFound):  # it is held back
            await shares.send(sender, result.id, institution_id, consent, terms)

    async def _one(self, which: int) -> Share | None:
        found = await Share.all().order_by("id")
        return found[which % len(found)] if found else None

    async def _mark(self, which: int) -> None:
        if share := await self._one(which):
            viewer = next(self.verifier(n) for n in range(OFFICES) if self._owns(n, share))
            with contextlib.suppress(ShareNotFound):
                await shares.mark(viewer, share.id, is_read=which % 2 == 0)

    def _owns(self, which: int, share: Share) -> bool:
        return self.verifier(which).institution_id == share.institution_id

    async def _mark_many(self, which: int) -> None:
        await inboxes.mark(self.verifier(which), which % 3 > 0, None, inboxes.ALL)

    async def _withdraw(self, which: int) -> None:
        if share := await self._one(which):
            with contextlib.suppress(ShareNotFound, ShareExpired):
                await withdrawals.withdraw(self.world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)

    async def _wait(self, which: int) -> None:
        self.clock.forward(seconds=which % 4)

    async def _tell(self, _: int) -> None:
        await shares.tell_expired(self.clock())

    async def _hold_back(self, which: int) -> None:
        moment = self.clock() + timedelta(seconds=which % 4)
        await Result.filter(id=self.results[which % RESULTS].id).update(released_at=moment)

    async def _release(self, which: int) -> None:
        await Result.all().update(released_at=self.clock() - timedelta(hours=1))

    async def _merge(self, which: int) -> None:
        """One share stands for another, as when two accounts of an institution are merged."""
        found = await Share.all().order_by("id").limit(2)
        if len(found) == 2:
            await database.rows(
                "UPDATE share SET merged_into_id = :other WHERE id = :id AND merged_into_id IS NULL",
                id=found[which % 2].id,
                other=found[1 - which % 2].id,
            )

    async def _move(self, which: int) -> None:
        """Shares of one institution become another's, as far as it has none of the same results."""
        await database.rows(
            """UPDATE share SET institution_id = :to WHERE institution_id = :from_id
               AND NOT EXISTS (SELECT 1 FROM share AS there
                               WHERE there.institution_id = :to AND there.result_id = share.result_id)""",
            from_id=self.verifier(which).institution_id,
            to=self.verifier(which + 1).institution_id,
        )

    async def _delete(self, which: int) -> None:
        if share := await self._one(which):
            await database.rows("DELETE FROM share WHERE id = :id OR merged_into_id = :id", id=share.id)

    async def _sum_up(self, _: int) -> None:
        await inboxes.sum_up(self.clock())

    async def check(self) -> None:
        """What is told is what there is, of both."""
        for which in range(OFFICES):
            viewer = self.verifier(which)
            assert viewer.institution_id is not None
            told = await inboxes.counts_of(viewer, [viewer.institution_id])
            visible = Share.visible_to(viewer)
            there = await database.rows(f"SELECT is_read FROM share WHERE {visible}", **visible.named)
            expected = Counts(len(there), sum(not share["is_read"] for share in there))
            assert told == {viewer.institution_id: expected}


EVENTS = (
    "send", "send", "send", "mark", "mark many", "withdraw", "wait", "tell", "hold back", "release", "merge", "move",
    "delete", "sum up",
)  # fmt: skip


@given(events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 23)), max_size=20))
@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_counts_are_what_there_is_whatever_happens_in_whatever_order(
    open_database: None, world: World, clock: ControlledClock, events: list[tuple[str, int]]
) -> None:
    """V1, S9, S10, R3: after every step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inboxes, "MOST_ROWS_OF_COUNTS", 3)
        life = await Life.begun(world, clock)
        await life.check()
        for event, which in events:
            await life.happen(event, which)
            await life.check()


async def test_counts_are_what_there_is_after_many_at_once(
    open_database: None, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1: nobody's change is lost while others change the same inbox, and while its rows are summed up."""
    monkeypatch.setattr(inboxes, "MOST_ROWS_OF_COUNTS", 3)
    life = await Life.begun(world, clock)
    at_once = ("send", "send", "send", "mark", "mark many", "withdraw", "tell", "sum up")
    for _ in range(3):
        await asyncio.gather(*(life.happen(at_once[number % 8], number) for number in range(48)))
        clock.forward(seconds=2)
    await life.check()
    assert await Share.all().count() > RESULTS


async def test_sending_does_not_wait_for_another_who_sends_to_the_same_institution(
    open_database: None, world: World
) -> None:
    """V1: counts are added to, never written over."""
    institution = await world.institution()
    first, second = await world.result(), await world.result()
    async with database.transaction():
        await world.share(first, institution)
        async with asyncio.timeout(30):
            await asyncio.create_task(world.share(second, institution), context=contextvars.Context())
    counts = await InboxCount.filter(institution_id=institution.id)
    assert [(one.total, one.unread) for one in counts] == [(1, 1)] * 2


async def test_a_closed_account_s_shares_are_counted_no_more(client: Client, world: World) -> None:
    """G2."""
    office = await Office.of(client, world)
    entry = await world.entry()
    await office.send(entry=entry)
    await office.receive(1)
    owner = client.as_(await world.token(await entry.candidate))
    await owner.order("closeMyAccount", "", password=PASSWORD, confirm=True)
    page = await office.page()
    assert (page["totalCount"], page["unreadCount"], len(page["edges"])) == (1, 1, 1)


async def test_the_worker_sums_up_what_counts_have_become(
    open_database: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1: or counts would be read from as many rows as there were orders; both sides of the edge."""
    monkeypatch.setattr(inboxes, "MOST_ROWS_OF_COUNTS", 2)
    institution, other = await world.institution(), await world.institution()
    await world.share(await world.result(), other)
    for rows, summed in ((1, 0), (2, 0), (1, 1)):
        await world.share(await world.result(), institution)
        assert await InboxCount.filter(institution_id=institution.id).count() == (3 if summed else rows)
        assert await inboxes.sum_up(world.clock()) == summed
    assert [(one.total, one.unread) for one in await InboxCount.filter(institution_id=institution.id)] == [(3, 3)]
    assert inboxes.sum_up in [schedule.work for schedule in SCHEDULES]
