"""The inbox of an institution (V1)."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from models.consent import CONSENT_VERSION
from models.result import Result
from models.share import Share
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer
from resolvers import inboxes
from resolvers.pages import EPOCH, cursor_of, place_after
from tests.client import Client
from tests.conftest import ControlledClock
from tests.inboxes import PAGE, Office
from tests.world import World, gid


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    """An office with an empty inbox."""
    return await Office.of(client, world)


async def test_an_empty_inbox_has_an_empty_page(office: Office) -> None:
    """V1."""
    page = await office.page()
    assert (page["edges"], page["totalCount"], page["unreadCount"]) == ([], 0, 0)
    nothing = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page["pageInfo"] == nothing


async def test_newest_shares_come_first(office: Office, clock: ControlledClock) -> None:
    """V1."""
    sent = []
    for _ in range(4):
        sent += await office.receive()
        clock.forward(minutes=1)
    assert await office.ids() == sent[::-1]


async def test_an_inbox_holds_its_own_institution_s_shares_only(office: Office, world: World) -> None:
    """V1, U3."""
    await world.share(await world.result(), await world.institution())
    mine = await office.receive()
    assert await office.ids() == mine
    assert (await office.page())["totalCount"] == 1


async def test_pages_follow_one_another_by_cursor(office: Office, clock: ControlledClock) -> None:
    """V1."""
    sent = []
    for _ in range(5):
        sent += await office.receive()
        clock.forward(seconds=1)
    first = await office.page(first=2)
    second = await office.page(first=2, after=first["pageInfo"]["endCursor"])
    third = await office.page(first=2, after=second["pageInfo"]["endCursor"])
    pages = [[edge["node"]["id"] for edge in page["edges"]] for page in (first, second, third)]
    assert pages == [[sent[4], sent[3]], [sent[2], sent[1]], [sent[0]]]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, second, third)] == [True, True, False]
    assert first["pageInfo"]["startCursor"] == first["edges"][0]["cursor"]
    assert first["pageInfo"]["endCursor"] == first["edges"][-1]["cursor"]


async def test_a_page_that_is_just_full_has_no_next_one(office: Office) -> None:
    """V1: both sides of the edge."""
    await office.receive(3)
    assert [(await office.page(first=first))["pageInfo"]["hasNextPage"] for first in (2, 3, 4)] == [True, False, False]


async def test_the_inbox_shows_read_or_unread_ones_alone(office: Office, clock: ControlledClock) -> None:
    """V1."""
    sent = await office.receive(4)
    for id in sent[:3]:
        await office.client.order("openShare", "", shareId=id)
    assert set(await office.ids(filter={"status": "READ"})) == set(sent[:3])
    assert await office.ids(filter={"status": "UNREAD"}) == sent[3:]
    for everything in ({}, {"status": None}, None):
        assert set(await office.ids(filter=everything)) == set(sent)
    page = await office.page(filter={"status": "READ"}, first=2)
    rest = await office.page(filter={"status": "READ"}, first=2, after=page["pageInfo"]["endCursor"])
    assert (page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert {edge["node"]["id"] for edge in page["edges"] + rest["edges"]} == set(sent[:3])


async def test_counts_tell_all_and_unread_shares_whatever_the_page_holds(office: Office) -> None:
    """V1."""
    sent = await office.receive(5)
    for id in sent[:2]:
        await office.client.order("openShare", "", shareId=id)
    for variables in ({}, {"first": 1}, {"filter": {"status": "READ"}}):
        page = await office.page(**variables)
        assert (page["totalCount"], page["unreadCount"]) == (5, 3)
    await office.client.order("markShare", "", shareId=sent[0], isRead=False)
    assert (await office.page())["unreadCount"] == 4


async def test_a_share_is_read_for_the_whole_institution(office: Office, world: World) -> None:
    """V1: new ones are bold until one of the users opens them."""
    [id] = await office.receive()
    await office.client.order("openShare", "", shareId=id)
    colleague = office.client.as_(await world.token(await world.verifier(office.institution)))
    [edge] = (await colleague.ask(PAGE))["inbox"]["edges"]
    assert edge["node"]["status"] == "READ"


async def test_looking_at_the_inbox_or_at_a_share_does_not_open_it(office: Office) -> None:
    """V1, S6."""
    [id] = await office.receive()
    await office.ids()
    query = "query ($id: ID!) { share(id: $id) { status openedAt result { headline } } node(id: $id) { id } }"
    share = (await office.client.ask(query, id=id))["share"]
    assert (share["status"], share["openedAt"]) == ("UNREAD", None)
    assert (await office.page())["unreadCount"] == 1


async def test_only_verifiers_have_an_inbox(client: Client, world: World) -> None:
    """V1, U3."""
    for who in (None, await world.candidate(), await world.staff()):
        asking = client.as_(await world.token(who) if who else None)
        assert (await asking.ask("{ inbox { totalCount } }"))["inbox"] is None


async def test_a_page_has_from_one_to_a_hundred_shares(office: Office) -> None:
    """V1: both sides of both edges."""
    await office.receive(2)
    for first, count in ((1, 1), (100, 2)):
        assert len(await office.ids(first=first)) == count
    for first in (0, 101, -1):
        errors = await office.client.errors(PAGE, first=first)
        assert [one["extensions"]["code"] for one in errors] == ["BAD_USER_INPUT"], first
        assert "`first`" in errors[0]["message"]


def raw(octets: bytes) -> str:
    """Bytes as a cursor is written."""
    return base64.urlsafe_b64encode(octets).decode()


BROKEN = {
    "empty": "",
    "no base64": "!!!",
    "bad padding": "AAA",
    "not ASCII": "あ",
    "too short": raw(b"x" * 23),
    "too long": raw(b"x" * 25),
    "after the last year": raw((2**62).to_bytes(8, "big") + b"x" * 16),
    "before the first year": raw((-(2**62)).to_bytes(8, "big", signed=True) + b"x" * 16),
    "of another list": "1.2",
    "an id": gid(Share(id=UUID(int=1))),
}


async def test_a_cursor_that_this_service_did_not_make_is_the_client_s_fault(office: Office) -> None:
    """V1."""
    await office.receive()
    for why, cursor in BROKEN.items():
        errors = await office.client.errors(PAGE, after=cursor)
        assert [one["extensions"]["code"] for one in errors] == ["BAD_USER_INPUT"], why
        assert errors[0]["message"] == "`after` is not a cursor of this service."


@given(moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), id=st.uuids())  # noqa: DTZ001
def test_a_cursor_names_its_place_to_the_microsecond(moment: datetime, id: UUID) -> None:
    """V1: a rounded moment would skip or repeat rows of the same second."""
    moment = moment.replace(tzinfo=EPOCH.tzinfo)
    place = place_after(cursor_of(moment, id), 10)
    assert (place.moment, place.id, place.first) == (moment, id, 10)


Seen = tuple[datetime, UUID]
# What happens between two pages: so many shares arrive, so much later (seconds; 0: at the same moment).
ARRIVALS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 1])), max_size=12)


@given(before=st.lists(st.sampled_from([0, 0, 0, 1]), max_size=12), first=st.integers(1, 5), arrivals=ARRIVALS)
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_paging_neither_skips_nor_repeats_while_shares_arrive(
    open_database: None, world: World, clock: ControlledClock, before: list[int], first: int,
    arrivals: list[tuple[int, int]],
) -> None:  # fmt: skip
    """V1: every share of the beginning comes once, in order; one that arrives meanwhile comes at most once."""
    flow = await Flow.empty(world, clock)
    for seconds in before:
        await flow.arrive(1, seconds)
    there = await flow.page(100)
    paged = await flow.page(first)
    for count, seconds in arrivals:
        await flow.arrive(count, seconds)
        paged += await flow.page_behind(paged, first)
    while more := await flow.page_behind(paged, first):
        paged += more
    keys = [key for _, key in paged]
    assert [place for place in paged if place in there] == there
    assert len(set(keys)) == len(keys)
    assert paged == sorted(paged, reverse=True)


class Flow:
    """Shares that flow into one inbox; results are used again by each example."""

    def __init__(self, viewer: Viewer, results: list[Result], clock: ControlledClock) -> None:
        self.viewer = viewer
        self.unsent = results
        self.clock = clock

    @classmethod
    async def empty(cls, world: World, clock: ControlledClock) -> "Flow":
        """An inbox without shares, and as many results as an example can need."""
        await Share.all().delete()
        user = await VerifierUser.first() or await world.verifier()
        entry = await world.entry() if not await Result.exists() else None
        while entry is not None and await Result.all().count() < 50:
            await world.result(await world.entry(await entry.candidate), skills={})
        viewer = world.viewer(Kind.VERIFIER, user.id, institution_id=user.institution_id)
        return cls(viewer, await Result.all().prefetch_related("entry"), clock)

    async def arrive(self, count: int, seconds: int) -> None:
        """So many new shares, so much later."""
        self.clock.forward(seconds=seconds)
        for result in [self.unsent.pop() for _ in range(count)]:
            await Share.create(
                result_id=result.id,
                institution_id=self.viewer.institution_id,
                candidate_id=result.entry.candidate_id,
                sent_at=self.clock(),
                consent_text="Yes.",
                consent_version=CONSENT_VERSION,
                consent_language="en",
                institution_name_shown="Somewhere",
            )

    async def page_behind(self, paged: list[Seen], first: int) -> list[Seen]:
        """What comes behind what was paged; nothing behind an empty inbox."""
        return await self.page(first, paged[-1]) if paged else []

    async def page(self, first: int, last: Seen | None = None) -> list[Seen]:
        """Moments and keys of a page, from the newest on, or from behind the last one seen."""
        place = place_after(cursor_of(*last) if last else None, first)
        inbox = await inboxes.page(replace(self.viewer, at=self.clock() + timedelta(days=1)), place)
        return [(row["sent_at"], row["share_id"]) for row in inbox.page.rows]
