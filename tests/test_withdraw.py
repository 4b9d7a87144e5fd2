"""Withdrawing a share: at once, on every path, once, and whatever else happens at that moment (S10)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette

from engine import database
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.journal import EventKind, JournalEvent
from models.result import Result
from models.share import Share
from resolvers import shares
from schema.ids import global_id
from tests.client import Client
from tests.conftest import ControlledClock
from tests.events import EventStream, events
from tests.locks import holding, lined_up, queued
from tests.scene import OFFICE, Asker, everything_told, scene_of
from tests.world import World, gid

WITHDRAWN = """... on ShareWithdrawn { wasAlreadyWithdrawn en: notice ja: notice(language: "ja")
    share { id status withdrawnAt openedAt result { headline } institution { shownAs } } }
  ... on ShareExpired { expiredAt }"""
LISTED = """query ($first: Int! = 50, $after: String) { withdrawnShares(first: $first, after: $after) {
    edges { cursor node { shareId withdrawnAt } } pageInfo { hasNextPage endCursor } } }"""
NEW_SHARES = 'subscription { newShares(after: "0.0") { share { id } } }'


@dataclass
class Desk:
    """A candidate with one share, and the office that has it."""

    world: World
    owner: Candidate
    result: Result
    institution: Institution
    share: str
    candidate: Client
    verifier: Client

    async def withdraw(self, **input: Any) -> Any:
        """The payload of withdrawing the share."""
        return await self.candidate.order("withdrawShare", WITHDRAWN, **{"shareId": self.share} | input)

    async def send(self) -> Any:
        """The payload of sending the result once more."""
        wanted = {"resultId": gid(self.result), "institutionId": gid(self.institution)}
        selection = "... on ResultSent { wasAlreadySent share { id status } }"
        return await self.candidate.order("sendResult", selection, **wanted, consentVersion=CONSENT_VERSION)

    async def open(self) -> Any:
        """The payload of opening the share."""
        return await self.verifier.order("openShare", "... on ShareOpened { share { status } }", shareId=self.share)

    async def mark(self) -> Any:
        """The payload of marking the share read."""
        selection = "... on ShareMarked { share { status } }"
        return await self.verifier.order("markShare", selection, shareId=self.share, isRead=True)

    async def listed(self, **wanted: Any) -> list[tuple[str, str]]:
        """What the institution is told was withdrawn."""
        answer = await self.verifier.ask(LISTED, **wanted)
        return [tuple(edge["node"].values()) for edge in answer["withdrawnShares"]["edges"]]


@pytest.fixture
async def desk(client: Client, world: World) -> Desk:
    """C1 Advanced 168 at Aoba Gakuin University, sent and not opened yet."""
    owner = await world.candidate()
    result = await world.result(await world.entry(owner))
    institution = await world.institution("Aoba Gakuin University")
    share = global_id("Share", await world.share(result, institution))
    tokens = [await world.token(who) for who in (owner, await world.verifier(institution))]
    return Desk(world, owner, result, institution, share, *(client.as_(token) for token in tokens))


async def kinds() -> list[str]:
    """What happened so far, in order."""
    return [event.kind.value for event in await JournalEvent.all().order_by("id")]


# ---- what withdrawing does


async def test_a_withdrawn_share_says_so_to_its_candidate_and_that_copies_stay(
    desk: Desk, clock: ControlledClock
) -> None:
    """S10, S6: in both languages (A12)."""
    clock.forward(minutes=5)
    withdrawn = await desk.withdraw()
    assert withdrawn["wasAlreadyWithdrawn"] is False
    assert withdrawn["share"] == {
        "id": desk.share,
        "status": "WITHDRAWN",
        "withdrawnAt": clock().isoformat(),
        "openedAt": None,
        "result": {"headline": "Council of Europe Level B2"},
        "institution": {"shownAs": "Aoba Gakuin University"},
    }
    assert "Copies that it has already downloaded stay" in withdrawn["en"]
    assert "すでにダウンロードされた写しは機関に残ります" in withdrawn["ja"]


async def test_there_is_no_third_language_for_what_is_said(desk: Desk) -> None:
    query = """mutation ($id: ID!) { withdrawShare(input: {shareId: $id}) {
        ... on ShareWithdrawn { notice(language: "fr") } } }"""
    assert [one["extensions"]["code"] for one in await desk.candidate.errors(query, id=desk.share)] == [
        "BAD_USER_INPUT"
    ]


async def test_the_institution_finds_nothing_of_it_by_any_way(
    app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """S10: beside its own rows and the other candidate, whose share stays."""
    scene = await scene_of(world)
    asker = Asker(scene.tokens["home user"])
    before = await everything_told(scene, app, client, asker)
    assert set().union(*(scene.among(told) for told in before.values())) >= {"candidate", "result 1", "award 1"}
    owner = client.as_(scene.tokens["candidate"])
    await owner.order("withdrawShare", "", shareId=gid(scene.rows["share with home"]))
    after = await everything_told(scene, app, client, asker)
    own = {*OFFICE, "other candidate"}
    seen = {name: scene.among(told) - own for name, told in after.items()}
    assert {name: found for name, found in seen.items() if found} == {}
    listed = (await client.as_(asker.token).post(LISTED)).text
    told = {text for some in scene.texts.values() for text in some if isinstance(text, str) and text in listed}
    assert told == {gid(scene.rows["share with home"])}


async def test_what_was_read_can_be_withdrawn_and_the_candidate_still_sees_when_it_was_opened(
    desk: Desk, clock: ControlledClock
) -> None:
    """S10, S11."""
    await desk.open()
    opened_at = clock().isoformat()
    clock.forward(minutes=1)
    share = (await desk.withdraw())["share"]
    assert (share["status"], share["openedAt"]) == ("WITHDRAWN", opened_at)
    assert (await desk.open())["__typename"] == "ShareNotFound"
    assert (await desk.mark())["__typename"] == "ShareNotFound"
    assert await kinds() == ["SHARE_SENT", "SHARE_READ", "SHARE_WITHDRAWN"]


async def test_withdrawing_again_changes_nothing(desk: Desk, clock: ControlledClock) -> None:
    """S10."""
    first = await desk.withdraw()
    clock.forward(minutes=1)
    again = await desk.withdraw()
    assert (first["wasAlreadyWithdrawn"], again["wasAlreadyWithdrawn"]) == (False, True)
    assert first["share"] == again["share"]
    assert await kinds() == ["SHARE_SENT", "SHARE_WITHDRAWN"]


async def test_the_journal_of_the_institution_tells_of_it(desk: Desk, clock: ControlledClock) -> None:
    """S10."""
    clock.forward(minutes=1)
    await desk.withdraw()
    event, share = await JournalEvent.get(kind=EventKind.SHARE_WITHDRAWN), await Share.get()
    assert (event.institution_id, event.share_id, event.result_id, event.happened_at) == (
        desk.institution.id,
        share.id,
        desk.result.id,
        clock(),
    )


async def test_streams_carry_no_withdrawn_share_and_go_on(app: Starlette, desk: Desk) -> None:
    """S10, N6: one that was open, and one that resumes from before it was sent."""
    async with events(app, NEW_SHARES, {}, desk.verifier.token) as before:
        assert await told_by(before) == desk.share
        await desk.withdraw()
        next_one = gid(await Share.get(id=await desk.world.share(await desk.world.result(), desk.institution)))
        assert await told_by(before) == next_one
    async with events(app, NEW_SHARES, {}, desk.verifier.token) as resumed:
        assert await told_by(resumed) == next_one


async def told_by(stream: EventStream) -> str:
    """The id of the next share that a stream tells."""
    event = await stream.next()
    assert event is not None
    share_id: str = event["data"]["newShares"]["share"]["id"]
    return share_id


async def test_only_the_share_that_was_named_is_withdrawn(desk: Desk) -> None:
    """S10: not the same result's with somebody else."""
    elsewhere = await desk.world.institution()
    other = await desk.world.share(desk.result, elsewhere)
    await desk.withdraw()
    assert (await Share.get(id=other)).withdrawn_at is None


async def test_the_share_of_a_revoked_result_can_be_withdrawn(desk: Desk, clock: ControlledClock) -> None:
    """S10: at any time."""
    await Result.filter(id=desk.result.id).update(revoked_at=clock())
    assert (await desk.withdraw())["share"]["status"] == "WITHDRAWN"


async def test_a_share_can_be_withdrawn_until_its_day_and_not_from_then_on(desk: Desk, clock: ControlledClock) -> None:
    """S9, S10: the refusal says since when it is over."""
    expires_at = clock() + timedelta(seconds=1)
    await Share.all().update(expires_at=expires_at)
    clock.forward(seconds=1)
    refused = await desk.withdraw()
    assert (refused["__typename"], refused["expiredAt"]) == ("ShareExpired", expires_at.isoformat())
    clock.forward(seconds=-1)
    assert (await desk.withdraw())["__typename"] == "ShareWithdrawn"
    clock.forward(seconds=1)
    again = await desk.withdraw()
    assert (again["wasAlreadyWithdrawn"], again["share"]["status"]) == (True, "WITHDRAWN")


async def test_a_machine_whose_clock_lags_can_open_and_withdraw_what_another_has_sent(
    desk: Desk, clock: ControlledClock
) -> None:
    """S10: nothing is opened or withdrawn before it was sent."""
    sent_at = clock().isoformat()
    clock.forward(seconds=-1)
    await desk.open()
    share = (await desk.withdraw())["share"]
    assert (share["openedAt"], share["withdrawnAt"]) == (sent_at, sent_at)


# ---- who


async def test_only_its_candidate_withdraws_a_share(desk: Desk) -> None:
    """S10: somebody else's answers as one that does not exist."""
    unknown = await desk.withdraw(shareId=global_id("Share", uuid4()))
    assert unknown["__typename"] == "ShareNotFound"
    for id in ("", "x", gid(desk.result), gid(desk.institution)):
        assert await desk.withdraw(shareId=id) == unknown
    own = desk.candidate.token
    desk.candidate = desk.candidate.as_(await desk.world.token(await desk.world.candidate()))
    assert await desk.withdraw() == unknown
    for who in (await desk.world.verifier(desk.institution, is_primary=True), await desk.world.staff()):
        desk.candidate = desk.candidate.as_(await desk.world.token(who))
        assert (await desk.withdraw())["__typename"] == "NotAllowed"
    desk.candidate = desk.candidate.as_(None)
    assert (await desk.withdraw())["__typename"] == "NotLoggedIn"
    assert (await Share.get()).withdrawn_at is None
    desk.candidate = desk.candidate.as_(own)
    assert (await desk.withdraw())["__typename"] == "ShareWithdrawn"


# ---- what the institution is told


async def test_the_institution_is_told_the_id_and_the_moment_of_every_withdrawal_latest_first(
    desk: Desk, clock: ControlledClock
) -> None:
    """S10: by pages; one that was sent again and withdrawn again is told twice."""
    wanted: list[tuple[str, str]] = []
    for _ in range(5):
        clock.forward(minutes=1)
        await desk.withdraw()
        wanted.insert(0, (desk.share, clock().isoformat()))
        desk.share = (await desk.send())["share"]["id"]
    assert await desk.listed() == wanted
    paged, after = [], None
    while True:
        page = (await desk.verifier.ask(LISTED, first=2, after=after))["withdrawnShares"]
        paged += [tuple(edge["node"].values()) for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert paged == wanted
    assert (await desk.verifier.ask("{ inbox { totalCount unreadCount } }"))["inbox"] == {
        "totalCount": 1,
        "unreadCount": 1,
    }


async def test_nobody_else_is_told_of_a_withdrawal(desk: Desk, clock: ControlledClock) -> None:
    """S10, U3; and of a result that is not released nobody is (R3)."""
    await desk.withdraw()
    stranger = await desk.world.verifier(await desk.world.institution())
    own = desk.verifier
    desk.verifier = own.as_(await desk.world.token(stranger))
    assert await desk.listed() == []
    for who in (desk.owner, await desk.world.staff()):
        asking = own.as_(await desk.world.token(who))
        assert await asking.ask(LISTED) == {"withdrawnShares": None}
    assert await own.as_(None).ask(LISTED) == {"withdrawnShares": None}
    desk.verifier = own
    assert len(await desk.listed()) == 1
    await Result.filter(id=desk.result.id).update(released_at=clock() + timedelta(seconds=1))
    assert await desk.listed() == []
    await Result.filter(id=desk.result.id).update(released_at=clock())
    await desk.world.suspend(desk.institution)
    assert await own.ask(LISTED) == {"withdrawnShares": None}


# ---- at the same moment


async def is_consistent() -> None:
    """What the journal tells of each share is what became of it, and nothing happened to it after its end."""
    told: dict[Any, list[str]] = {}
    for event in await JournalEvent.all().order_by("id"):
        told.setdefault(event.share_id, []).append(event.kind.value)
    live: dict[Any, int] = {}
    for share in await Share.all():
        first, *rest = told.pop(share.id)
        assert first == "SHARE_SENT"
        ends = [kind for kind in rest if kind in ("SHARE_WITHDRAWN", "SHARE_EXPIRED")]
        assert ends == rest[len(rest) - len(ends) :], rest
        assert ends == ["SHARE_WITHDRAWN"] * bool(share.withdrawn_at) + ["SHARE_EXPIRED"] * bool(share.expiry_told_at)
        assert len(ends) <= 1
        assert share.is_read == ("SHARE_READ" in rest)
        live[share.result_id] = live.get(share.result_id, 0) + (not ends)
    assert told == {}
    assert max(live.values()) <= 1


async def test_two_hundred_clicks_withdraw_once(desk: Desk) -> None:
    """S10: by fifties, as many as one viewer may have under way."""
    payloads = [one for _ in range(4) for one in await asyncio.gather(*(desk.withdraw() for _ in range(50)))]
    assert sorted(payload["wasAlreadyWithdrawn"] for payload in payloads) == [False] + [True] * 199
    assert await kinds() == ["SHARE_SENT", "SHARE_WITHDRAWN"]


@pytest.mark.parametrize("withdraws_first", [True, False])
async def test_withdrawing_while_it_is_sent_again_ends_in_one_of_the_two_orders(
    withdraws_first: bool, desk: Desk, database_url: str
) -> None:
    """S4, S10: sent after it there is a new share; sent before it, it is the old one that was withdrawn."""
    orders = [desk.withdraw, desk.send] if withdraws_first else [desk.send, desk.withdraw]
    answers = await lined_up(database_url, "result", *orders)
    withdrawn, sent = answers if withdraws_first else reversed(answers)
    assert (withdrawn["__typename"], withdrawn["wasAlreadyWithdrawn"]) == ("ShareWithdrawn", False)
    assert sent["__typename"] == "ResultSent"
    assert (sent["share"]["id"] == desk.share) is sent["wasAlreadySent"]
    assert await Share.filter(withdrawn_at=None).count() == (0 if sent["wasAlreadySent"] else 1)
    assert (await Share.get(id=(await Share.all().order_by("id"))[0].id)).withdrawn_at is not None
    await is_consistent()


@pytest.mark.parametrize("how", ["open", "mark"])
@pytest.mark.parametrize("withdraws_first", [True, False])
async def test_withdrawing_while_it_is_opened_ends_in_one_of_the_two_orders(
    withdraws_first: bool, how: str, desk: Desk, database_url: str
) -> None:
    """S10: who comes too late finds no share, and has changed nothing."""
    reads = getattr(desk, how)
    orders = [desk.withdraw, reads] if withdraws_first else [reads, desk.withdraw]
    answers = await lined_up(database_url, "share", *orders)
    withdrawn, read = answers if withdraws_first else reversed(answers)
    assert withdrawn["share"]["status"] == "WITHDRAWN"
    assert (withdrawn["share"]["openedAt"] is None) is (read["__typename"] == "ShareNotFound")
    assert read["__typename"] == (
        "ShareNotFound" if withdraws_first else {"open": "ShareOpened", "mark": "ShareMarked"}[how]
    )
    await is_consistent()


async def test_withdrawing_while_a_worker_tells_that_it_has_expired_ends_in_one_of_the_two(
    desk: Desk, database_url: str, clock: ControlledClock
) -> None:
    """S9, S10: the worker's clock is a little ahead."""
    later = clock() + timedelta(seconds=1)
    await Share.all().update(expires_at=later)

    async def expire() -> int:
        return await shares.tell_expired(later)

    # The worker has marked it, and its event waits for the institution; withdrawing waits for the worker.
    told, refused = await lined_up(database_url, "institution", expire, desk.withdraw)
    assert (told, refused["__typename"]) == (1, "ShareExpired")
    await is_consistent()
    desk.share = (await desk.send())["share"]["id"]
    await Share.filter(expiry_told_at=None).update(expires_at=later)
    # It is being withdrawn, and its event waits; the worker leaves it alone.
    async with holding(database_url, "SELECT 1 FROM institution FOR UPDATE"):
        withdrawing = asyncio.ensure_future(desk.withdraw())
        await queued(1)
        assert await expire() == 0
    assert (await withdrawing)["share"]["status"] == "WITHDRAWN"
    assert await expire() == 0
    await is_consistent()


async def test_withdrawing_that_is_cut_off_changes_nothing_and_can_be_done_again(desk: Desk, database_url: str) -> None:
    """S10: its connection is lost after the share was marked and before the institution is told."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with holding(database_url, "SELECT 1 FROM institution FOR UPDATE"):
        withdrawing = asyncio.ensure_future(
            desk.candidate.post(
                "mutation ($id: ID!) { withdrawShare(input: {shareId: $id}) { __typename } }", id=desk.share
            )
        )
        await queued(1)
        assert (await Share.get()).withdrawn_at is None
        await database.rows(f"{end} AND datname = current_database()")
        answer = await withdrawing
    assert [one["extensions"]["code"] for one in answer.json()["errors"]] == ["SERVICE_UNAVAILABLE"]
    assert (await Share.get()).withdrawn_at is None
    assert await kinds() == ["SHARE_SENT"]
    assert (await desk.withdraw())["wasAlreadyWithdrawn"] is False
    await is_consistent()


async def test_whatever_happens_at_once_each_share_has_one_end_and_each_result_one_live_share(
    desk: Desk, clock: ControlledClock
) -> None:
    """S4, S9, S10: sent, withdrawn, opened, marked and expired, over and over, and never half-done."""
    expected = {"ResultSent", "ShareWithdrawn", "ShareExpired", "ShareOpened", "ShareMarked", "ShareNotFound"}
    for number in range(12):
        later = clock() + timedelta(seconds=1)
        if number % 2:
            await Share.filter(withdrawn_at=None, expiry_told_at=None).update(expires_at=later)
        orders = [desk.withdraw, desk.open, desk.send, desk.mark, desk.send, desk.withdraw, desk.open]
        begun = [asyncio.ensure_future(order()) for order in orders[number % 7 :] + orders[: number % 7]]
        told = asyncio.ensure_future(shares.tell_expired(later))
        assert {one["__typename"] for one in await asyncio.gather(*begun)} <= expected
        await told
        clock.forward(seconds=1)
        await is_consistent()
        desk.share = (await desk.send())["share"]["id"]
    assert set(await kinds()) >= {"SHARE_SENT", "SHARE_WITHDRAWN", "SHARE_EXPIRED", "SHARE_READ"}
