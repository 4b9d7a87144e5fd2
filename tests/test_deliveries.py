"""Messages to webhooks: each event is told, signed, until it is taken, whatever receivers and workers do (N7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import standardwebhooks.webhooks
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from engine import database, outbound
from engine.clock import system_clock
from models import webhook_messages as texts
from models.institution import Institution
from models.journal import EventKind
from models.letter import Letter
from models.viewer import Kind
from models.webhook import DeliveryFailure, DeliveryStatus, PauseReason, Webhook, WebhookDelivery
from resolvers import corrections, deliveries, journal, mergers, purges, shares, withdrawals
from resolvers.corrections import Order
from resolvers.webhook_sender import Sender
from schema.ids import global_id
from tests.conftest import ControlledClock, Statements
from tests.hooks import Hook, hooked
from tests.receiver import Received, Reply, always, receiving
from tests.rows import board
from tests.served import until
from tests.world import World, gid, settled

DAY = timedelta(hours=24)
MOST_HELD = timedelta(minutes=5)


@pytest.fixture
async def hook(world: World, clock: ControlledClock, open_database: None) -> AsyncIterator[Hook]:
    """A webhook that is told of everything."""
    async with hooked(world, clock) as hook:
        await world.verifier(hook.institution)
        yield hook


def answers(hook: Hook, *statuses: int) -> None:
    """Let the receiver answer with these, one after the other; the last one stays."""
    left = list(statuses)
    hook.receiver.answer = lambda _: Reply(left.pop(0) if len(left) > 1 else left[0])


# ---- what is told


async def test_every_event_is_one_message_with_ids_and_nothing_of_a_person(hook: Hook) -> None:
    """N7: in the order of the journal where nothing fails."""
    [share] = await hook.happens()
    await shares.open_share(hook.world.viewer(Kind.VERIFIER, share.id, institution_id=hook.institution.id), share.id)
    await corrections.withhold(board(hook.world), Order(share.result_id, 1, "A doubt."))
    await withdrawals.withdraw(hook.world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)
    assert await hook.look() == 4
    events = await database.rows("SELECT xid::text::bigint AS xid, id FROM journal ORDER BY xid, id")
    ids = {"shareId": gid(share), "resultId": str(global_id("Result", share.result_id))}
    types = [("share.sent", 1), ("share.read", 1), ("result.withheld", 2), ("share.withdrawn", 2)]
    wanted: list[Any] = [
        {
            "type": name,
            "timestamp": "2026-11-22T09:00:00+00:00",
            "data": ids | {"resultVersion": version, "cursor": journal.cursor_text((event["xid"], event["id"]))},
        }
        for (name, version), event in zip(types, events, strict=True)
    ]
    assert sorted(hook.told(), key=lambda one: one["data"]["cursor"]) == sorted(
        wanted, key=lambda one: one["data"]["cursor"]
    )
    assert await hook.states() == [("DELIVERED", 1)] * 4


def test_every_kind_of_event_has_a_type_of_its_own() -> None:
    assert {texts.type_of(kind) for kind in EventKind} == {
        "share.sent", "share.read", "share.unread", "share.expired", "share.withdrawn",
        "result.amended", "result.withheld", "result.released_again", "result.revoked",
    }  # fmt: skip


def test_the_failures_that_are_kept_are_those_that_sending_knows() -> None:
    assert {one.value for one in DeliveryFailure} == {one.value for one in outbound.Failure} | {"REFUSED"}


async def test_only_the_kinds_that_are_wanted_are_told(hook: Hook) -> None:
    await Webhook.filter(id=hook.webhook.id).update(kinds=["SHARE_WITHDRAWN"])
    first, _ = await hook.happens(2)
    await withdrawals.withdraw(hook.world.viewer(Kind.CANDIDATE, first.candidate_id), first.id)
    await hook.look()
    assert [one["type"] for one in hook.told()] == ["share.withdrawn"]


async def test_nothing_from_before_and_nothing_of_others_is_told(hook: Hook) -> None:
    """U3: a second webhook of the institution is told of the same from its own beginning."""
    await hook.happens()
    await hook.look()
    other = await hook.world.institution()
    await hook.world.share(await hook.world.result(), other)
    second = await hook.world.webhook(hook.institution, url=hook.receiver.url)
    await hook.happens()
    await hook.look()
    assert len(await hook.messages()) == 2
    assert len(await hook.messages(second.id)) == 1
    assert len(hook.receiver.received) == 3


async def test_many_events_are_told_page_by_page(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "PAGE", 3)
    await hook.happens(7)
    await hook.look()
    assert len({one.id for one in hook.receiver.received}) == 7
    assert await hook.states() == [("DELIVERED", 1)] * 7


async def test_an_event_waits_for_older_transactions_and_is_not_skipped(hook: Hook) -> None:
    """P2: the cursor of a webhook moves as all others do."""
    [share] = await hook.happens()
    await settled()
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def older() -> None:
        async with database.transaction():
            await journal.write(EventKind.SHARE_UNREAD, hook.institution.id, share.id, share.result_id, hook.clock())
            has_begun.set()
            await may_end.wait()

    writing = asyncio.create_task(older())
    try:
        await has_begun.wait()
        await journal.write(EventKind.SHARE_READ, hook.institution.id, share.id, share.result_id, hook.clock())
        while await deliveries.tell(hook.webhook.id, hook.clock()):
            pass
        assert [one.kind for one in await hook.messages()] == ["SHARE_SENT"]
    finally:
        may_end.set()
        await writing
    await hook.look()
    assert [one.kind for one in await hook.messages()] == ["SHARE_SENT", "SHARE_UNREAD", "SHARE_READ"]


# ---- signatures


class Frozen(datetime):
    """The verifying library's idea of now."""

    at: datetime

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """The controlled moment."""
        return cls.at


def verify(hook: Hook, request: Received, secret: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the library of Standard Webhooks says of a message."""
    monkeypatch.setattr(Frozen, "at", hook.clock(), raising=False)
    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Frozen)
    return Verifier(secret).verify(request.body, request.headers)


async def test_messages_are_signed_as_standard_webhooks_has_it(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """N7: by the webhook's own secret, for their own body, id and moment."""
    await hook.happens()
    await hook.look()
    [request] = hook.receiver.received
    secret = texts.secret(hook.webhook.id, 1)
    assert verify(hook, request, secret, monkeypatch) == request.message
    [message] = await hook.messages()
    assert request.id == global_id("WebhookDelivery", message.id)
    for changed in (
        Received(request.target, request.headers, request.body + b" "),
        Received(request.target, request.headers | {"webhook-id": "other"}, request.body),
        Received(request.target, request.headers | {"webhook-timestamp": "1795338001"}, request.body),
    ):
        with pytest.raises(WebhookVerificationError):
            verify(hook, changed, secret, monkeypatch)
    with pytest.raises(WebhookVerificationError):
        verify(hook, request, texts.secret((await hook.world.webhook()).id, 1), monkeypatch)


async def test_two_secrets_sign_while_they_overlap(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """N7: both sides of the edge."""
    until_then = hook.clock() + DAY
    await Webhook.filter(id=hook.webhook.id).update(secret_number=2, previous_until=until_then)
    hook.clock.now = until_then - timedelta(microseconds=1)
    await hook.happens()
    await hook.look()
    hook.clock.now = until_then
    await hook.happens()
    await hook.look()
    both, one = hook.receiver.received
    assert [len(request.headers["webhook-signature"].split()) for request in (both, one)] == [2, 1]
    hook.clock.now = until_then - timedelta(microseconds=1)
    for number in (1, 2):
        verify(hook, both, texts.secret(hook.webhook.id, number), monkeypatch)
    verify(hook, one, texts.secret(hook.webhook.id, 2), monkeypatch)
    with pytest.raises(WebhookVerificationError):
        verify(hook, one, texts.secret(hook.webhook.id, 1), monkeypatch)


# ---- trying again


async def tries_at(hook: Hook) -> list[timedelta]:
    """After how long each further try of the only message comes, until there is none."""
    began, waits = hook.clock(), []
    while (message := (await hook.messages())[0]).next_try_at is not None:
        hook.clock.now = message.next_try_at - timedelta(microseconds=1)
        assert await hook.look() == 0
        hook.clock.now = message.next_try_at
        waits.append(hook.clock() - began)
        await hook.look()
    return waits


async def test_a_message_is_tried_for_24_hours_after_growing_waits_with_the_same_id_and_bytes(hook: Hook) -> None:
    """N7: the last try is at the end of the 24 hours, and both sides of each edge."""
    answers(hook, 500)
    await hook.happens()
    assert await hook.look() == 1
    waits = await tries_at(hook)
    assert [wait.total_seconds() > 0 for wait in waits] == [True] * 7
    nominal = [5, 305, 2105, 9305, 27305, 63305, 86400]
    assert all(0.8 * want <= wait.total_seconds() <= 1.2 * want for wait, want in zip(waits, nominal, strict=True))
    assert waits[-1] == DAY
    assert await hook.states() == [("FAILED", 8)]
    assert len({(one.id, one.body) for one in hook.receiver.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in hook.receiver.received}) == 8


async def test_what_went_wrong_is_noted(hook: Hook) -> None:
    await hook.happens()
    for reply, status, failure in (
        (Reply(500), 500, DeliveryFailure.REFUSED),
        (Reply(302, {"Location": hook.receiver.url}), 302, DeliveryFailure.REFUSED),
        (Reply(cuts=True), None, DeliveryFailure.BROKEN_OFF),
        (Reply(204), 204, None),
    ):
        hook.receiver.answer = always(reply)
        await hook.look()
        [message] = await hook.messages()
        assert (message.last_status, message.last_failure) == (status, failure)
        assert message.last_milliseconds is not None
        hook.clock.now = message.next_try_at or hook.clock()
    assert message.status is DeliveryStatus.DELIVERED


async def test_a_fault_of_ours_in_one_message_stops_no_other(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    post, [first, _] = outbound.Outbound.post, await hook.happens(2)

    async def fails(self: Any, url: str, headers: Any, body: bytes) -> Any:
        if gid(first) in body.decode():
            raise RuntimeError("made up")
        return await post(self, url, headers, body)

    monkeypatch.setattr(outbound.Outbound, "post", fails)
    await hook.look()
    assert sorted(await hook.states()) == [("DELIVERED", 1), ("WAITING", 1)]
    assert {one.last_failure for one in await hook.messages()} == {DeliveryFailure.BROKEN_OFF, None}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_status_from_200_to_299_is_success(hook: Hook, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.receiver.HTTPStatus", lambda _: type("Status", (), {"phrase": ""}))
    answers(hook, status)
    await hook.happens()
    await hook.look()
    assert await hook.states() == [("DELIVERED", 1)]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_receiver_is_left_alone_for_as_long_as_it_asks(hook: Hook, status: int) -> None:
    """N7: in seconds or until a moment, with all of its messages; both sides of the edge."""
    asked = format_datetime(hook.clock() + timedelta(seconds=1000), usegmt=True)
    for retry_after, seconds in (("600", 600), (asked, 400)):
        hook.receiver.answer = always(Reply(status, {"Retry-After": retry_after}))
        await hook.happens()
        assert await hook.look() >= 1
        await hook.happens()
        assert await hook.look() == 0
        hook.clock.forward(seconds=seconds - 1)
        assert await hook.look() == 0
        hook.clock.forward(seconds=1)
    answers(hook, 200)
    await hook.look()
    assert {status for status, _ in await hook.states()} == {"DELIVERED"}


def test_nobody_can_ask_us_to_wait_for_longer_than_two_hours() -> None:
    now = datetime.fromisoformat("2026-11-22T09:00:00+00:00")
    for asked in ("7200", "7201", "999999999999999999999", format_datetime(now + timedelta(days=400), usegmt=True)):
        assert texts.asked_wait(503, asked, now) == timedelta(hours=2)
    assert texts.asked_wait(503, format_datetime(now - timedelta(days=1), usegmt=True), now) == timedelta(0)
    for nothing in ("", "-1", "soon", "٣", "1.5", None):
        assert texts.asked_wait(503, nothing, now) is None
    assert texts.asked_wait(500, "600", now) is None


async def test_after_some_failures_one_message_at_a_time_is_tried_and_the_first_success_frees_all(hook: Hook) -> None:
    """A receiver that is away is not asked a thousand times, and is not waited for once it is back."""
    answers(hook, 503)
    await hook.happens(3)
    assert await hook.look() == 3
    await hook.happens(30)
    assert await hook.look() == 0
    for wait in (5, 30, 300, 300):
        hook.clock.forward(seconds=wait - 1)
        assert await hook.look() == 0
        hook.clock.forward(seconds=1)
        assert await hook.look() == 1
    answers(hook, 200)
    hook.clock.forward(seconds=300)
    assert await hook.look() == 33
    assert {status for status, _ in await hook.states()} == {"DELIVERED"}
    webhook = await hook.again()
    assert (webhook.failures, webhook.failing_since, webhook.held_until) == (0, None, None)


async def test_after_an_outage_messages_that_were_to_wait_for_long_are_tried_at_once(hook: Hook) -> None:
    answers(hook, 503)
    await hook.happens(3)
    await hook.look()
    while max(one.next_try_at or hook.clock() for one in await hook.messages()) < hook.clock() + 3 * MOST_HELD:
        hook.clock.forward(minutes=5)
        await hook.look()
    answers(hook, 200)
    await hook.happens()
    hook.clock.now += MOST_HELD
    assert await hook.look() == 4
    assert {status for status, _ in await hook.states()} == {"DELIVERED"}


async def test_one_message_that_is_never_taken_does_not_hold_others_up(hook: Hook) -> None:
    poison, *_ = await hook.happens(2)
    hook.receiver.answer = lambda request: Reply(500 if gid(poison) in request.body.decode() else 204)
    for _ in range(6):
        await hook.look()
        await hook.happens()
        await hook.look()
        hook.clock.forward(hours=1)
    statuses = [status for status, _ in await hook.states()]
    assert (statuses[0], set(statuses[1:])) == ("WAITING", {"DELIVERED"})


# ---- giving up


async def letters_of(hook: Hook) -> list[tuple[str, Any]]:
    """The letters to the Primary User, oldest first."""
    return [(one.kind, one.facts) for one in await Letter.all().order_by("written_at", "id")]


async def test_the_primary_user_is_mailed_once_when_messages_fail(hook: Hook) -> None:
    """N7: of the address the host alone, and when it began; what waits for as long fails with it."""
    answers(hook, 500)
    await hook.happens(5)
    began = hook.clock()
    await hook.look()
    hook.clock.now = began + DAY
    while await hook.look():
        hook.clock.forward(minutes=5)
    assert {status for status, _ in await hook.states()} == {"FAILED"}
    facts = {"institution": hook.institution.name, "host": "127.0.0.1", "since": began.isoformat()}
    assert await letters_of(hook) == [("webhook_failing", facts)]


async def test_a_webhook_that_takes_nothing_for_five_days_is_paused_and_the_primary_user_mailed(hook: Hook) -> None:
    """N7: both sides of the edge; what happens meanwhile is told once somebody resumes it."""
    answers(hook, 500)
    await hook.happens()
    began = hook.clock()
    await hook.look()
    hook.clock.now = began + timedelta(days=5, microseconds=-1)
    await hook.happens()
    assert await hook.look() == 2
    assert (await hook.again()).paused_at is None
    hook.clock.forward(minutes=5)
    assert await hook.look() == 1
    webhook = await hook.again()
    assert (webhook.paused_at, webhook.pause_reason) == (hook.clock(), PauseReason.FAILING)
    hook.clock.forward(days=1)
    assert await hook.look() == 0
    kinds = [kind for kind, _ in await letters_of(hook)]
    assert kinds.count("webhook_paused") == 1


async def test_a_receiver_that_is_gone_pauses_its_webhook_at_once(hook: Hook) -> None:
    """N7: 410; its messages wait for whoever resumes it."""
    answers(hook, 410)
    await hook.happens()
    await hook.look()
    webhook = await hook.again()
    assert (webhook.paused_at, webhook.pause_reason) == (hook.clock(), PauseReason.GONE)
    await hook.happens()
    hook.clock.forward(days=3)
    assert await hook.look() == 0
    assert [status for status, _ in await hook.states()] == ["WAITING"]
    assert [(kind, facts["reason"]) for kind, facts in await letters_of(hook)] == [("webhook_paused", "GONE")]


# ---- whoever may not be told any more


async def test_suspending_an_institution_stops_its_messages_and_reinstating_it_sends_them(hook: Hook) -> None:
    """O3: what had been made stays, what happened meanwhile is made then."""
    answers(hook, 500)
    [share] = await hook.happens()
    await hook.look()
    answers(hook, 204)
    await hook.world.suspend(hook.institution)
    await withdrawals.withdraw(hook.world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)
    hook.clock.forward(days=2)
    assert await hook.look() == 0
    assert await deliveries.tell(hook.webhook.id, hook.clock()) == 0
    await Institution.filter(id=hook.institution.id).update(status="APPROVED", suspended_at=None)
    assert await hook.look() == 2
    assert await hook.states() == [("DELIVERED", 2), ("DELIVERED", 1)]


@pytest.mark.parametrize("change", ["deleted_at", "paused_at"])
async def test_nothing_is_sent_to_a_webhook_that_is_deleted_or_paused(hook: Hook, change: str) -> None:
    await hook.happens()
    await settled()
    await deliveries.tell(hook.webhook.id, hook.clock())
    facts = {change: hook.clock()} | ({"pause_reason": PauseReason.BY_HAND} if change == "paused_at" else {})
    await Webhook.filter(id=hook.webhook.id).update(**facts)
    await hook.happens()
    assert await hook.look() == 0
    async with outbound.opened() as client:
        assert await deliveries.deliver_all(hook.webhook.id, client, hook.clock) == 0
    assert await deliveries.tell(hook.webhook.id, hook.clock()) == 0
    assert hook.receiver.received == []


async def test_the_webhooks_of_an_account_that_was_merged_are_told_of_the_rest_and_of_the_kept_one(hook: Hook) -> None:
    """O4: nothing that was not told yet is missed."""
    kept = await hook.world.institution()
    share, left = await hook.happens(2)
    await hook.look()
    hook.receiver.received.clear()
    await withdrawals.withdraw(hook.world.viewer(Kind.CANDIDATE, left.candidate_id), left.id)
    await mergers.merge(board(hook.world), hook.institution.id, kept.id, "The same.")
    await hook.look()
    told = [(one["type"], one["data"]["shareId"]) for one in hook.told()]
    assert sorted(told) == [("share.sent", gid(share)), ("share.withdrawn", gid(left))]
    assert (await hook.again()).institution_id == kept.id


# ---- several senders, slow receivers, deaths


async def test_senders_side_by_side_send_each_message_once(hook: Hook) -> None:
    await hook.happens(12)
    await asyncio.gather(*(hook.look() for _ in range(3)))
    assert len(hook.receiver.received) == len({one.id for one in hook.receiver.received}) == 12


async def test_a_message_whose_sender_died_is_sent_again_under_its_id_once_its_lease_is_over(hook: Hook) -> None:
    """N7: at least once; both sides of the edge."""
    await hook.happens()
    await settled()
    await deliveries.tell(hook.webhook.id, hook.clock())
    [died_with] = await deliveries.claim(hook.webhook.id, hook.clock())
    hook.clock.forward(seconds=59.999)
    assert await hook.look() == 0
    hook.clock.forward(seconds=0.001)
    assert await hook.look() == 1
    assert [one.id for one in hook.receiver.received] == [global_id("WebhookDelivery", died_with["id"])]
    assert await hook.states() == [("DELIVERED", 2)]


async def test_a_slow_receiver_holds_nobody_up(hook: Hook) -> None:
    """N7: while one takes its time with all that it may be sent at once, others are told."""
    never = asyncio.Event()

    async def waits(_: Received) -> Reply:
        await never.wait()
        return Reply()

    hook.receiver.answer = waits
    other = await hook.world.institution()
    async with receiving() as quick:
        await hook.world.webhook(other, url=quick.url)
        await hook.happens(deliveries.AT_ONCE + 2)
        async with Sender(hook.clock).running() as sender:
            await until(lambda: len(hook.receiver.received) == deliveries.AT_ONCE)
            await hook.world.share(await hook.world.result(), other)
            await until(lambda: len(quick.received) == 1)
            assert len(hook.receiver.received) == deliveries.AT_ONCE
            assert hook.webhook.id in sender.turns
            never.set()
            await until(lambda: len(hook.receiver.received) == deliveries.AT_ONCE + 2)


async def test_sender_that_is_stopped_leaves_what_takes_long_to_the_next(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.webhook_sender.LONGEST_DRAIN_SECONDS", 0.05)
    never = asyncio.Event()

    async def waits(_: Received) -> Reply:
        await never.wait()
        return Reply()

    hook.receiver.answer = waits
    await hook.happens()
    async with Sender(hook.clock).running():
        await until(lambda: len(hook.receiver.received) == 1)
    assert await hook.states() == [("WAITING", 1)]
    answers(hook, 204)
    hook.clock.forward(seconds=60)
    await hook.look()
    assert await hook.states() == [("DELIVERED", 2)]


# ---- cost


async def test_a_message_costs_the_same_few_statements_however_many_there_are(
    hook: Hook, statements: Statements
) -> None:
    """Making a page of them: four and BEGIN, COMMIT; sending: one for all that are claimed, and one for each."""
    counts = []
    for number in (1, 8):
        await hook.happens(number)
        await settled()
        with statements.counted():
            await deliveries.tell(hook.webhook.id, hook.clock())
        made = len(statements)
        with statements.counted():
            async with outbound.opened() as client:
                assert await deliveries.deliver_all(hook.webhook.id, client, hook.clock) == number
        counts.append((made, len(statements) - number))
        assert counts[0] == (6, 1), statements.sent
    assert counts[0] == counts[1]


async def test_a_look_without_anything_to_do_is_one_statement_that_writes_nothing(
    hook: Hook, statements: Statements
) -> None:
    await hook.happens()
    await hook.look()
    with statements.counted():
        assert await deliveries.stirred(hook.clock()) == []
    assert len(statements) == 1
    assert statements.sent[0].lstrip().startswith("SELECT")


# ---- what is kept


async def test_messages_are_kept_for_30_days_after_their_end(hook: Hook) -> None:
    """Both sides of the edge; what waits stays, and deleted webhooks go with all of theirs."""
    await hook.happens()
    await hook.look()
    await Webhook.filter(id=hook.webhook.id).update(paused_at=hook.clock(), pause_reason=PauseReason.BY_HAND)
    gone = await hook.world.webhook(deleted_at=hook.clock())
    hook.clock.forward(days=30)
    await purges.purge(hook.clock())
    assert len(await hook.messages()) == 1
    assert await Webhook.filter(id=gone.id).exists()
    hook.clock.forward(microseconds=1)
    await purges.purge(hook.clock())
    assert await hook.messages() == []
    assert not await Webhook.filter(id=gone.id).exists()
    assert await Webhook.filter(id=hook.webhook.id).exists()


def test_the_clock_of_the_service_is_that_of_signatures() -> None:
    """The library allows five minutes: a message that is signed now is taken now."""
    now, id = system_clock(), WebhookDelivery().id
    headers = texts.headers(id, b"{}", ["whsec_" + 43 * "A" + "="], now)
    assert Verifier("whsec_" + 43 * "A" + "=").verify(b"{}", headers) == {}
