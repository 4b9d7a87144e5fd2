"""Keeping webhooks: who may, what addresses, secrets shown once, tests, replays and what was sent (N7)."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from starlette.applications import Starlette

from engine import database, outbound
from models import webhook_messages as texts
from models.scope import Scope
from models.verifier import VerifierRole, VerifierUser
from models.webhook import PauseReason, Webhook, WebhookDelivery
from resolvers import journal, webhooks
from schema.ids import global_id
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.dying import contents
from tests.hooks import Hook, hooked
from tests.receiver import Reply, always
from tests.world import World, gid, settled

WEBHOOK = """id url kinds createdAt toldUntil previousSecretUntil pausedAt pauseReason failingSince"""
DELIVERY = "id kind eventCursor status tries nextTryAt lastTryAt lastStatus lastFailure lastMilliseconds"
OWN = f"{{ organisation {{ webhooks {{ {WEBHOOK} deliveries(first: 5) {{ edges {{ node {{ {DELIVERY} }} }} }} }} }} }}"
URL = "https://hooks.example.com/new"
PROBLEMS = "... on InvalidInput { problems { path message } }"


@dataclass
class Keeper:
    """The Primary User of an institution with a webhook."""

    hook: Hook
    client: Client
    primary: VerifierUser

    @property
    def id(self) -> str:
        """The webhook's."""
        return gid(self.hook.webhook)

    async def order(self, mutation: str, selection: str = "", **input: Any) -> Any:
        """An order about the webhook."""
        return await self.client.order(mutation, f"{selection} {PROBLEMS if 'change' in mutation else ''}", **input)

    async def create(self, **input: Any) -> Any:
        """The answer to making one more."""
        selection = f"... on WebhookCreated {{ secret webhook {{ {WEBHOOK} }} }} {PROBLEMS}"
        return await self.client.order("createWebhook", selection, **{"url": URL} | input)

    async def change(self, **input: Any) -> Any:
        """The webhook after a change, or why there was none."""
        selection = f"... on WebhookChanged {{ webhook {{ {WEBHOOK} }} }}"
        return await self.order("changeWebhook", selection, id=self.id, **input)

    async def own(self) -> Any:
        """All that the organisation tells of its webhooks."""
        return (await self.client.ask(OWN))["organisation"]["webhooks"]


@pytest.fixture
async def keeper(app: Starlette, client: Client, world: World, clock: ControlledClock) -> AsyncIterator[Keeper]:
    """Somebody who may."""
    async with hooked(world, clock) as hook:
        primary = await world.verifier(hook.institution)
        yield Keeper(hook, client.as_(await world.token(primary)), primary)


# ---- making, changing, deleting


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once_and_stored_nowhere(keeper: Keeper) -> None:
    """N7, G3: of the form that libraries of Standard Webhooks take."""
    made = await keeper.create(kinds=["SHARE_SENT", "RESULT_REVOKED", "SHARE_SENT"])
    secret = made["secret"]
    Verifier(secret)
    assert secret.startswith("whsec_")
    assert (made["webhook"]["url"], made["webhook"]["kinds"]) == (URL, ["RESULT_REVOKED", "SHARE_SENT"])
    stored = str(await contents(["webhook", "webhook_delivery", "letter", "trail"]))
    assert URL in stored
    assert secret not in stored
    assert secret.removeprefix("whsec_") not in stored
    assert secret not in str(await keeper.own())
    other = await keeper.create()
    assert other["secret"] != secret
    assert other["webhook"]["kinds"] == []


async def test_a_new_webhook_is_told_of_what_happens_from_then_on(keeper: Keeper) -> None:
    await keeper.hook.happens()
    await settled()
    await keeper.create(url=f"{keeper.hook.receiver.url}?second")
    await keeper.hook.happens()
    await keeper.hook.look()
    targets = [one.target for one in keeper.hook.receiver.received]
    assert (targets.count("/hook"), targets.count("/hook?second")) == (2, 1)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://169.254.169.254/", "https://a:b@hooks.example.com/", "x",
            "https://hooks.example.com:25/", "https://2130706433/", "https://[::ffff:7f00:1]/"]
)  # fmt: skip
async def test_an_address_that_may_not_be_sent_to_is_refused_when_it_is_given(keeper: Keeper, url: str) -> None:
    """N7"""
    outbound.use(reaches_private=False)
    for answer in (await keeper.create(url=url), await keeper.change(url=url)):
        assert answer["__typename"] == "InvalidInput"
        assert [problem["path"] for problem in answer["problems"]] == ["url"]
    assert await Webhook.all().count() == 1


async def test_an_institution_has_at_most_twenty_webhooks(keeper: Keeper) -> None:
    """Both sides of the edge; a deleted one makes room."""
    for _ in range(webhooks.MOST - 1):
        assert (await keeper.create())["__typename"] == "WebhookCreated"
    refused = await keeper.create()
    assert refused["problems"][0]["message"] == "An institution has at most 20 webhooks: delete one first."
    assert (await keeper.order("deleteWebhook", id=keeper.id))["__typename"] == "WebhookDeleted"
    assert (await keeper.create())["__typename"] == "WebhookCreated"
    assert len(await keeper.own()) == webhooks.MOST


async def test_what_is_left_out_of_a_change_stays(keeper: Keeper) -> None:
    before = (await keeper.change())["webhook"]
    changed = (await keeper.change(kinds=["SHARE_SENT"]))["webhook"]
    assert changed == before | {"kinds": ["SHARE_SENT"]}
    assert (await keeper.change(url=URL))["webhook"] == changed | {"url": URL}
    assert (await keeper.change(kinds=[]))["webhook"] == before | {"url": URL}


async def test_a_paused_webhook_is_told_of_everything_once_it_is_resumed(keeper: Keeper) -> None:
    """N7: what waited, with its whole time before it, and what happened meanwhile."""
    hook = keeper.hook
    hook.receiver.answer = lambda _: Reply(500)
    await hook.happens()
    await hook.look()
    paused = (await keeper.change(isPaused=True))["webhook"]
    assert (paused["pauseReason"], paused["pausedAt"]) == ("BY_HAND", "2026-11-22T09:00:00+00:00")
    await hook.happens()
    hook.clock.forward(minutes=20)
    assert await hook.look() == 0
    hook.receiver.answer = lambda _: Reply()
    resumed = (await keeper.change(isPaused=False))["webhook"]
    assert (resumed["pauseReason"], resumed["pausedAt"], resumed["failingSince"]) == (None, None, None)
    assert await hook.look() == 2
    [first, _] = await hook.messages()
    assert first.give_up_at == hook.clock() + timedelta(hours=24)


async def test_pausing_by_hand_leaves_the_reason_of_a_webhook_that_was_paused_before(keeper: Keeper) -> None:
    await Webhook.all().update(paused_at=keeper.hook.clock(), pause_reason=PauseReason.GONE)
    assert (await keeper.change(isPaused=True))["webhook"]["pauseReason"] == "GONE"


async def test_another_address_is_tried_at_once_with_what_waits(keeper: Keeper) -> None:
    hook = keeper.hook
    hook.receiver.answer = lambda request: Reply(204 if request.target == "/better" else 500)
    await hook.happens(3)
    await hook.look()
    assert await hook.look() == 0
    await keeper.change(url=hook.receiver.url.replace("/hook", "/better"))
    assert await hook.look() == 3
    assert {status for status, _ in await hook.states()} == {"DELIVERED"}


async def test_a_deleted_webhook_is_told_nothing_and_shown_to_nobody(keeper: Keeper) -> None:
    await keeper.order("deleteWebhook", id=keeper.id)
    await keeper.hook.happens()
    assert await keeper.hook.look() == 0
    assert await keeper.own() == []
    assert await keeper.client.ask("query ($id: ID!) { node(id: $id) { id } }", id=keeper.id) == {"node": None}
    for mutation in ("deleteWebhook", "changeWebhook", "rotateWebhookSecret", "testWebhook"):
        assert (await keeper.order(mutation, id=keeper.id))["__typename"] == "WebhookNotFound", mutation


# ---- secrets


async def test_a_rotated_secret_overlaps_with_the_one_before_until_it_is_ended(keeper: Keeper) -> None:
    """N7: for 24 hours or until it is ended by hand; each signs as it was shown."""
    first = texts.secret(keeper.hook.webhook.id, 1)
    rotated = f"... on WebhookSecretRotated {{ secret webhook {{ {WEBHOOK} }} }}"
    second = await keeper.order("rotateWebhookSecret", rotated, id=keeper.id)
    assert second["secret"] not in ("", first)
    assert second["webhook"]["previousSecretUntil"] == "2026-11-23T09:00:00+00:00"
    third = await keeper.order("rotateWebhookSecret", rotated, id=keeper.id)
    assert await signing(keeper) == {second["secret"], third["secret"]}
    assert (await keeper.change(endPreviousSecret=True))["webhook"]["previousSecretUntil"] is None
    assert await signing(keeper) == {third["secret"]}


async def signing(keeper: Keeper) -> set[str]:
    """Which of the webhook's secrets have signed a new message."""
    await keeper.hook.happens()
    await keeper.hook.look()
    request = keeper.hook.receiver.received[-1]
    secrets = [texts.secret(keeper.hook.webhook.id, number) for number in (1, 2, 3)]
    now, text = keeper.hook.clock(), request.body.decode()
    signatures = request.headers["webhook-signature"].split()
    assert len(signatures) == len(set(signatures))
    return {one for one in secrets if Verifier(one).sign(request.id, now, text) in signatures}


# ---- tests


async def test_a_test_is_sent_at_once_and_tells_what_it_was_answered(keeper: Keeper) -> None:
    """N7: to a paused webhook too; it is tried once, and says nothing of the webhook."""
    tested = f"... on WebhookTested {{ delivery {{ {DELIVERY} }} }}"
    await keeper.change(isPaused=True)
    for reply, status, shown, failure in (
        (Reply(200), "DELIVERED", 200, None),
        (Reply(404), "FAILED", 404, "REFUSED"),
        (Reply(cuts=True), "FAILED", None, "BROKEN_OFF"),
    ):
        keeper.hook.receiver.answer = always(reply)
        told = (await keeper.order("testWebhook", tested, id=keeper.id))["delivery"]
        assert (told["status"], told["lastStatus"], told["lastFailure"], told["kind"]) == (status, shown, failure, None)
        assert keeper.hook.receiver.received[-1].id == told["id"]
        assert keeper.hook.receiver.received[-1].message["type"] == "test"
    webhook = await keeper.hook.again()
    assert (webhook.failures, webhook.failing_since) == (0, None)


async def test_tests_are_limited(keeper: Keeper) -> None:
    """Nobody's servers are to be bothered by way of us; both sides of the edge."""
    answers = [await keeper.order("testWebhook", id=keeper.id) for _ in range(webhooks.TESTS.most + 1)]
    assert [one["__typename"] for one in answers] == ["WebhookTested"] * webhooks.TESTS.most + ["TooManyTries"]
    keeper.hook.clock.now = webhooks.TESTS.ends_at(keeper.hook.clock())
    assert (await keeper.order("testWebhook", id=keeper.id))["__typename"] == "WebhookTested"


# ---- replays


async def test_a_replay_tells_again_of_everything_behind_a_cursor_under_the_same_ids(keeper: Keeper) -> None:
    """N7: and under new ones what was not told before, as of kinds that were not wanted."""
    hook = keeper.hook
    await keeper.change(kinds=["RESULT_REVOKED"])
    await hook.happens()
    await hook.look()
    await keeper.change(kinds=[])
    await hook.happens(3)
    await hook.look()
    first = [one.id for one in hook.receiver.received]
    assert len(first) == 3
    [behind_first] = [one.message["data"]["cursor"] for one in hook.receiver.received if one.id == first[0]]
    replayed = await keeper.order(
        "replayWebhook", "... on WebhookReplayed { webhook { toldUntil } }", id=keeper.id, after=behind_first
    )
    assert replayed["webhook"]["toldUntil"] == behind_first
    hook.receiver.received.clear()
    await hook.look()
    told = [one.id for one in hook.receiver.received]
    messages, begins_at = await hook.messages(), journal.cursor_from(behind_first)
    assert sorted(told) == sorted(id for id in first if message_cursor(messages, id) > begins_at)
    hook.receiver.received.clear()
    await keeper.order("replayWebhook", id=keeper.id, after="0.0")
    assert await hook.look() == 4
    assert set(first) < {one.id for one in hook.receiver.received}


def message_cursor(messages: list[WebhookDelivery], id: str) -> tuple[int, int]:
    """The cursor of the event of a message."""
    [found] = [one for one in messages if global_id("WebhookDelivery", one.id) == id]
    assert found.xid is not None
    assert found.event_id is not None
    return found.xid, found.event_id


async def test_a_replay_from_a_place_that_is_still_to_come_skips_nothing_that_is_to_come(keeper: Keeper) -> None:
    hook = keeper.hook
    await hook.happens()
    await settled()
    await keeper.order("replayWebhook", id=keeper.id, after=f"{2**63 - 1}.0")
    assert await hook.look() == 0
    await hook.happens()
    assert await hook.look() == 1


async def test_a_replay_from_what_is_no_cursor_is_refused(keeper: Keeper) -> None:
    problems = "... on InvalidInput { problems { path } }"
    answer = await keeper.order("replayWebhook", problems, id=keeper.id, after="yesterday")
    assert answer["problems"] == [{"path": "after"}]


async def test_one_message_is_sent_again_whatever_became_of_it(keeper: Keeper) -> None:
    """N7: but no test, and nobody else's."""
    hook = keeper.hook
    await hook.happens(2)
    await hook.look()
    [message, _] = await hook.messages()
    resent = f"... on DeliveryResent {{ delivery {{ {DELIVERY} }} }}"
    answer = await keeper.order("resendDelivery", resent, id=global_id("WebhookDelivery", message.id))
    assert (answer["delivery"]["status"], answer["delivery"]["tries"]) == ("WAITING", 0)
    hook.receiver.received.clear()
    assert await hook.look() == 1
    assert hook.receiver.received[0].id == answer["delivery"]["id"]
    tested = await keeper.order("testWebhook", "... on WebhookTested { delivery { id } }", id=keeper.id)
    others = await hook.world.delivery(await hook.world.webhook())
    for id in (tested["delivery"]["id"], gid(others), "x", keeper.id):
        assert (await keeper.order("resendDelivery", id=id))["__typename"] == "DeliveryNotFound"


# ---- what was sent


async def test_messages_are_listed_newest_first_page_by_page(keeper: Keeper, statements: Statements) -> None:
    """By one statement for the webhooks and one for all of their messages, however many there are."""
    hook = keeper.hook
    counts = []
    for number in (2, 5):
        for _ in range(number):
            await hook.happens()
            await hook.look()
            hook.clock.forward(seconds=1)
        with statements.counted():
            [shown] = await keeper.own()
        counts.append(len(statements))
    assert counts[0] == counts[1]
    newest = [global_id("WebhookDelivery", one.id) for one in reversed(await hook.messages())]
    assert [edge["node"]["id"] for edge in shown["deliveries"]["edges"]] == newest[:5]
    [first] = {(one["status"], one["tries"], one["lastStatus"]) for one in nodes(shown)}
    assert first == ("DELIVERED", 1, 204)
    query = """query ($after: String) { organisation { webhooks { deliveries(first: 5, after: $after) {
        pageInfo { endCursor hasNextPage } edges { node { id } } } } } }"""
    page = (await keeper.client.ask(query))["organisation"]["webhooks"][0]["deliveries"]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = (await keeper.client.ask(query, after=page["pageInfo"]["endCursor"]))["organisation"]["webhooks"][0]
    assert [edge["node"]["id"] for edge in rest["deliveries"]["edges"]] == newest[5:]


def nodes(webhook: Any) -> list[Any]:
    """The messages of a page."""
    return [edge["node"] for edge in webhook["deliveries"]["edges"]]


# ---- who may

ORDERS: dict[str, dict[str, Any]] = {
    "createWebhook": {"url": URL},
    "changeWebhook": {"isPaused": True},
    "deleteWebhook": {},
    "rotateWebhookSecret": {},
    "testWebhook": {},
    "replayWebhook": {"after": "0.0"},
    "resendDelivery": {},
}


async def tried(keeper: Keeper, client: Client) -> dict[str, str]:
    """What each order is answered for somebody."""
    message = await keeper.hook.world.delivery(keeper.hook.webhook)
    ids = {"createWebhook": {}, "resendDelivery": {"id": gid(message)}}
    answers = {
        name: await client.order(name, "", **input | ids.get(name, {"id": keeper.id}))
        for name, input in ORDERS.items()
        if name != "deleteWebhook"
    }
    answers["deleteWebhook"] = await client.order("deleteWebhook", "", id=keeper.id)
    return {name: answer["__typename"] for name, answer in answers.items()}


DONE = {"createWebhook": "WebhookCreated", "changeWebhook": "WebhookChanged", "deleteWebhook": "WebhookDeleted",
        "rotateWebhookSecret": "WebhookSecretRotated", "testWebhook": "WebhookTested",
        "replayWebhook": "WebhookReplayed", "resendDelivery": "DeliveryResent"}  # fmt: skip


async def test_the_primary_user_and_keys_that_manage_keep_webhooks(keeper: Keeper) -> None:
    assert await tried(keeper, keeper.client) == DONE
    await Webhook.filter(id=keeper.hook.webhook.id).update(deleted_at=None)
    _, token = await keeper.hook.world.key(keeper.hook.institution, Scope.MANAGE)
    key = keeper.client.as_(token)
    assert (await key.ask(OWN))["organisation"]["webhooks"] == await keeper.own() != []
    assert await tried(keeper, key) == DONE


@pytest.mark.parametrize("who", ["officer", "reader", "key", "candidate", "staff", "nobody"])
async def test_nobody_else_of_or_beside_the_institution_keeps_or_sees_them(keeper: Keeper, who: str) -> None:
    """U1, P1"""
    world, institution = keeper.hook.world, keeper.hook.institution
    tokens: dict[str, Callable[[], Any]] = {
        "officer": lambda: world.verifier(institution),
        "reader": lambda: world.verifier(institution, role=VerifierRole.READER),
        "candidate": world.candidate,
        "staff": world.staff,
    }
    token = await world.token(await tokens[who]()) if who in tokens else None
    if who == "key":
        _, token = await world.key(institution, *set(Scope) - {Scope.MANAGE})
    client = keeper.client.as_(token)
    refusal = "NotLoggedIn" if who == "nobody" else "NotAllowed"
    assert await tried(keeper, client) == dict.fromkeys(DONE, refusal)
    if who in ("officer", "reader", "key"):
        organisation = (await client.ask(OWN))["organisation"] or {"webhooks": None}
        assert organisation["webhooks"] is None
    assert await Webhook.filter(deleted_at=None, paused_at=None).count() == 1


async def test_other_institutions_see_nothing_of_them(keeper: Keeper) -> None:
    """U3: neither their Primary User nor their keys."""
    world, other = keeper.hook.world, await keeper.hook.world.institution()
    user, (_, key) = await world.verifier(other), await world.key(other, Scope.MANAGE)
    for token in (await world.token(user), key):
        client = keeper.client.as_(token)
        answers = await tried(keeper, client)
        assert answers.pop("createWebhook") == "WebhookCreated"
        assert answers.pop("resendDelivery") == "DeliveryNotFound"
        assert set(answers.values()) == {"WebhookNotFound"}
        assert keeper.id not in str(await client.ask(OWN))
    assert await database.value("SELECT count(*) FROM webhook WHERE deleted_at IS NOT NULL") == 0
