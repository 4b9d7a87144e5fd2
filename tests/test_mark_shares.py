"""Marking many shares read or unread at once (V1)."""

import asyncio
from typing import Any

import pytest

from engine import database
from models.journal import EventKind, JournalEvent
from models.share import Share
from models.trail import TrailAct, TrailEntry
from models.verifier import VerifierRole
from resolvers import inboxes
from schema.ids import key_of
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.inboxes import Office
from tests.world import World, gid


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    """An office with an empty inbox."""
    return await Office.of(client, world)


def done(changed: int, not_found: list[str] | None = None, has_more: bool = False) -> dict[str, Any]:
    """What an order to mark many is answered."""
    return {"__typename": "SharesMarked", "changed": changed, "notFound": not_found or [], "hasMore": has_more}


async def unread(office: Office) -> set[str]:
    """Ids of the shares that nobody has read."""
    return await office.found(status="UNREAD")


async def test_named_shares_are_marked_and_the_others_stay(office: Office, clock: ControlledClock) -> None:
    """V1, S6: the first reading is kept."""
    sent = await office.receive(4)
    assert await office.mark(shareIds=sent[:3], isRead=True) == done(3)
    assert await unread(office) == set(sent[3:])
    first = clock()
    clock.forward(minutes=5)
    assert await office.mark(shareIds=sent[1:], isRead=False) == done(2)
    assert await unread(office) == set(sent[1:])
    assert {share.opened_at for share in await Share.filter(opened_at__isnull=False)} == {first}


async def test_marking_again_changes_nothing(office: Office) -> None:
    """V1: neither shares nor journal nor trail."""
    sent = await office.receive(2)
    await office.mark(shareIds=sent, isRead=True)
    before = [await JournalEvent.all().count(), await TrailEntry.all().count()]
    assert await office.mark(shareIds=sent, isRead=True) == done(0)
    assert await office.mark(filter={}, isRead=True) == done(0)
    assert await office.mark(shareIds=[], isRead=True) == done(0)
    assert [await JournalEvent.all().count(), await TrailEntry.all().count()] == before


async def test_each_share_has_its_event_and_all_of_them_one_entry_in_the_trail(office: Office) -> None:
    """V1, G1."""
    sent = await office.receive(3)
    for is_read, kind in ((True, EventKind.SHARE_READ), (False, EventKind.SHARE_UNREAD)):
        entries = await TrailEntry.filter(act=TrailAct.CHANGED, viewer_kind="verifier").count()
        assert await office.mark(shareIds=sent, isRead=is_read) == done(3)
        events = await JournalEvent.filter(kind=kind)
        assert {gid(Share(id=event.share_id)) for event in events} == set(sent)
        assert {event.result_version for event in events} == {1}
        assert await TrailEntry.filter(act=TrailAct.CHANGED, viewer_kind="verifier").count() == entries + 1
        [entry] = await TrailEntry.filter(act=TrailAct.CHANGED, viewer_kind="verifier").order_by("-id").limit(1)
        assert len(entry.results) == len(entry.candidates) == 3


async def test_what_is_not_the_institution_s_is_not_found_and_not_marked(
    office: Office, client: Client, world: World
) -> None:
    """U3, S10: another's share, one that was withdrawn, an id of another kind, one that nobody has, each once."""
    other = await Office.of(client, world)
    [theirs], [mine, gone] = await other.receive(1), await office.receive(2)
    await Share.filter(id=key_of(gone, "Share")).update(withdrawn_at=world.clock())
    nothing = [theirs, gone, gid(office.institution), "nonsense"]
    assert await office.mark(shareIds=[*nothing, mine, mine, theirs], isRead=True) == done(1, nothing)
    assert await unread(other) == {theirs}
    assert not (await Share.get(id=key_of(gone, "Share"))).is_read


async def test_a_filter_marks_all_that_it_finds_and_no_other_s(office: Office, client: Client, world: World) -> None:
    """V1, U3."""
    other = await Office.of(client, world)
    theirs, mine = await other.receive(2), await office.receive(2)
    found = await office.of_person("Hanako", "Suzuki")
    assert await office.mark(filter={"name": "suzuki"}, isRead=True) == done(1)
    assert await unread(office) == set(mine)
    assert await office.mark(filter={"status": "UNREAD"}, isRead=False) == done(0)
    assert await office.mark(filter={"status": "READ"}, isRead=False) == done(1)
    assert await unread(office) == {found, *mine}
    assert await office.mark(filter={}, isRead=True) == done(3)
    assert await unread(other) == set(theirs)


async def test_what_came_since_the_list_was_shown_is_kept_out_by_its_moment(
    office: Office, clock: ControlledClock
) -> None:
    """V1: nobody has seen it yet."""
    await office.receive(2)
    shown = clock()
    clock.forward(seconds=1)
    late = await office.receive(1)
    assert await office.mark(filter={"sentTo": shown.isoformat()}, isRead=True) == done(2)
    assert await unread(office) == set(late)


async def test_more_than_one_order_marks_take_several(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """V1: both sides of the edges, of a batch and of an order."""
    monkeypatch.setattr(inboxes, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(inboxes, "MOST_IN_AN_ORDER", 4)
    sent = await office.receive(5)
    assert await office.mark(filter={}, isRead=True) == done(4, has_more=True)
    assert await unread(office) == set(sent[:1])
    assert await office.mark(filter={}, isRead=True) == done(1)
    assert await office.mark(filter={"name": "tanaka", "status": "READ"}, isRead=False) == done(4, has_more=True)
    assert await office.mark(filter={"name": "tanaka"}, isRead=False) == done(1)
    await office.mark(shareIds=sent[:1], isRead=True)
    assert await office.mark(filter={}, isRead=True) == done(4)


async def test_at_most_five_hundred_are_named_and_either_names_or_a_filter_are_given(office: Office) -> None:
    """V1: both sides of the edge."""
    [mine] = await office.receive(1)
    ids = [mine, *(f"nobody{number}" for number in range(499))]
    assert (await office.mark(shareIds=ids, isRead=True))["changed"] == 1
    for wrong, path in (
        ({"shareIds": [*ids, "nobody500"]}, "shareIds"),
        ({"shareIds": ids, "filter": {}}, "filter"),
        ({}, "filter"),
    ):
        refused = await office.mark(**wrong, isRead=False)
        assert (refused["__typename"], [one["path"] for one in refused["problems"]]) == ("InvalidInput", [path])
    assert await unread(office) == set()


async def test_only_officers_and_the_primary_user_mark(client: Client, world: World) -> None:
    """U2: readers open shares, and mark none by hand; nobody else marks at all."""
    office = await Office.of(client, world, role=VerifierRole.READER)
    [share] = await office.receive(1)
    primary = await world.verifier(office.institution, role=VerifierRole.READER, is_primary=True)
    people = {
        "NotAllowed": [office.client, client.as_(await world.token(await world.candidate()))],
        "NotLoggedIn": [client],
        "SharesMarked": [
            client.as_(await world.token(primary)),
            client.as_(await world.token(await world.verifier(office.institution))),
        ],
    }
    orders: list[dict[str, Any]] = [{"shareIds": [share]}, {"filter": {}}]
    for expected, clients in people.items():
        for asking in clients:
            for which in orders:
                assert (await asking.order("markShares", "", **which, isRead=True))["__typename"] == expected
    assert (await office.client.order("markShare", "", shareId=share, isRead=False))["__typename"] == "NotAllowed"
    assert (await office.client.order("openShare", "", shareId=share))["__typename"] == "ShareOpened"


async def test_marking_a_batch_takes_as_many_statements_for_one_share_as_for_twenty(
    office: Office, statements: Statements
) -> None:
    """V1: the session; BEGIN; the shares, kept for this; their mark, their events, the trail; COMMIT."""
    for count in (1, 20):
        sent = await office.receive(count)
        with statements.counted():
            assert await office.mark(shareIds=sent, isRead=True) == done(count)
        assert len(statements) == 7, statements.sent


async def test_two_that_mark_the_same_shares_at_once_change_each_once(office: Office) -> None:
    """V1: nobody waits for the other for ever, and the journal tells of each once."""
    sent = await office.receive(6)
    orders = [office.mark(shareIds=ids, isRead=True) for ids in (sent, sent[::-1], sent[3:] + sent[:3])]
    orders.append(office.mark(filter={}, isRead=True))
    answers = await asyncio.gather(*orders)
    assert sum(answer["changed"] for answer in answers) == 6
    read = "SELECT count(*) FROM journal WHERE kind = 'SHARE_READ'"
    assert await database.value(read) == 6
