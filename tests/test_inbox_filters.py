"""What an inbox can be searched for (V1): names in any order and script, exams, levels, dates, numbers."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tortoise.connection import get_connections

from demo.load import load
from engine import database
from models import person_names
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.result import Outcome, Result
from models.share import Share
from models.terms import Terms
from models.viewer import Kind, Viewer
from resolvers import claims, entering, inboxes, shares, withdrawals
from resolvers.inbox_filters import Filter
from resolvers.inboxes import FEW, NEAR
from resolvers.pages import cursor_of, place_after
from resolvers.rows import Given
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.inboxes import Office
from tests.world import SECRET, World


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    """An office with an empty inbox."""
    return await Office.of(client, world)


AOI = ("Aoi", "Tanaka", "田中 葵")
FOUND_BY = {
    AOI: [
        "Tanaka", "tanaka aoi", "AOI tanaka", "oi ana", "ta", "a t", "tanaka a", "田中葵", "田中", "葵", "葵 田中",
        "田中　葵", "aoi 田中", "ｔａｎａｋａ", "中葵", "Tanaka, Aoi",
    ],
    ("Jörg", "Muller", None): ["müller", "MULLER", "jorg"],
    ("Hana", "Nomura", "たなか はな"): ["タナカ", "ﾀﾅｶ", "たなかはな"],
    ("Hiro", "Nomura", "ﾀﾅｶ ヒロ"): ["たなか", "タナカヒロ"],
    ("Aoife", "O’Brien", None): ["obrien", "o'brien", "Ｏ’BRIEN"],
    ("Anne-Marie", "Łódź", None): ["anne marie", "marie-anne", "lodz"],
    ("Minjun", "Kim", "김민준"): ["김민준", "민준", "kim 민"],
    ("Ivan", "Petrov", "Иван Петров"): ["иван", "И П", "ПЕТРОВ"],
    ("", "Prince", None): ["prince", "p prince"],
}  # fmt: skip
NOT_FOUND_BY = [
    "t", "%", "_", "-", "tanaka x", "i a", "tanakaaoi", "葵田", "タナカ", "tanan", "anana", "aoi tanaka suzuki", "\\",
]  # fmt: skip


async def test_a_name_is_found_however_it_is_typed(office: Office) -> None:
    """V1: words in any order, of any part and script; case, width, accents, kana and blanks do not count."""
    other = await office.of_person("Xaver", "Zyx", "犬")
    for names, searches in FOUND_BY.items():
        share = await office.of_person(*names)
        for search in searches:
            found = await office.found(name=search)
            assert (search, share in found, other in found) == (search, True, False)
    assert len(await office.found(name="  ")) == len(FOUND_BY) + 1


async def test_a_name_is_not_found_by_what_it_does_not_hold_nor_by_less_than_two_letters(office: Office) -> None:
    """V1."""
    await office.of_person(*AOI)
    assert [search for search in NOT_FOUND_BY if await office.found(name=search)] == []


async def test_a_name_is_found_in_the_institution_s_own_shares_only(office: Office, world: World) -> None:
    """V1, U3."""
    mine, other = await office.of_person(*AOI), await world.institution()
    entry = await world.entry(await world.candidate(given_name="Aoi", family_name="Tanaka"))
    await world.share(await world.result(entry), other)
    assert await office.found(name="tanaka") == {mine}


async def test_whoever_is_entered_is_found_by_name(open_database: None, world: World) -> None:
    """V1, R1: what names are found by is written with them."""
    centre, staff = await world.centre(), await world.staff()
    row = {
        "centre": centre.number, "examCode": "C1_ADVANCED", "examDate": "2026-09-20", "candidateNumber": "0001",
        "familyName": "Łódź", "givenName": "Aoi", "nativeName": "田中 葵", "dateOfBirth": "2001-02-03",
    }  # fmt: skip
    viewer = world.viewer(Kind.STAFF, staff.id, is_board=True)
    rows = [Given(2, row), Given(3, row | {"candidateNumber": "0002", "nativeName": ""})]
    assert [len(done.new) async for done in entering.enter(viewer, rows)] == [2]
    await have_what_they_are_found_by(2)


async def test_the_demo_s_people_are_found_by_name(open_database: None, clock: ControlledClock) -> None:
    """V1."""
    await load(clock())
    await have_what_they_are_found_by(300)


async def test_names_of_before_are_filled_in_so_many_at_a_time(
    open_database: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1: by the migration; those that have theirs stay."""
    migration = import_module("migrations.0024_inboxes")
    monkeypatch.setattr(migration, "AT_ONCE", 2)
    for number in range(5):
        await world.candidate(family_name=f"Łódź{number}")
    await Candidate.filter(family_name__not="Łódź3").update(searched="", grams=[])
    await migration.fill_names(None, SimpleNamespace(client=get_connections().get("default")))
    await have_what_they_are_found_by(5)


async def have_what_they_are_found_by(count: int) -> None:
    """There are so many candidates, and each has what belongs to their names."""
    people = await Candidate.all()
    assert len(people) == count
    for one in people:
        searched = person_names.searched(one.given_name, one.family_name, one.native_name)
        assert (one.searched, one.grams) == (searched, person_names.grams(searched))
        assert searched


async def test_exams_levels_dates_and_numbers_are_found_on_both_sides_of_every_edge(
    office: Office, world: World, clock: ControlledClock
) -> None:
    """V1."""
    sent_at = clock()
    b2 = await office.send(
        Terms(reference="Ａpp-42 x"), await world.entry(exam="B2_FIRST", exam_date=date(2024, 2, 29)), cefr="B2"
    )
    clock.forward(seconds=10)
    c1 = await office.send(entry=await world.entry(exam_date=date(2026, 9, 20)), cefr="C1", statement_number="S26ABC")
    none = await office.send(
        entry=await world.entry(exam_date=date(2015, 12, 31)),
        outcome=Outcome.ABSENT_FROM_ALL, headline=None, cefr=None, overall_score=None,
    )  # fmt: skip
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"exams": ["B2_FIRST"]}, {b2}),
        ({"exams": ["B2_FIRST", "C1_ADVANCED"]}, {b2, c1, none}),
        ({"exams": ["B2_FIRS"]}, set()),
        ({"exams": []}, {b2, c1, none}),
        ({"cefr": ["C1", "A1"]}, {c1}),
        ({"cefr": ["c1"]}, {c1}),
        ({"cefr": [""]}, set()),
        ({"cefr": None, "exams": None, "name": None}, {b2, c1, none}),
        ({"examDateFrom": "2024-02-29", "examDateTo": "2024-02-29"}, {b2}),
        ({"examDateFrom": "2024-03-01"}, {c1}),
        ({"examDateFrom": "2024-02-29"}, {b2, c1}),
        ({"examDateTo": "2024-02-28"}, {none}),
        ({"examDateTo": "2024-02-29"}, {b2, none}),
        ({"examDateTo": "2015-12-30"}, set()),
        ({"examDateFrom": "2015-12-31", "examDateTo": "2026-09-20"}, {b2, c1, none}),
        ({"examDateFrom": "2016-01-01", "examDateTo": "2026-09-19"}, {b2}),
        ({"examDateFrom": "2026-09-21", "examDateTo": "2026-09-01"}, set()),
        ({"examDateFrom": "0001-01-01", "examDateTo": "9999-12-31"}, {b2, c1, none}),
        ({"examDateFrom": "2027-01-01"}, set()),
        ({"sentFrom": sent_at.isoformat(), "sentTo": sent_at.isoformat()}, {b2}),
        ({"sentFrom": (sent_at + timedelta(microseconds=1)).isoformat()}, {c1, none}),
        ({"sentTo": (sent_at - timedelta(microseconds=1)).isoformat()}, set()),
        ({"statementNumber": " s26abc "}, {c1}),
        ({"statementNumber": "S26AB"}, set()),
        ({"reference": "app-42 X"}, {b2}),
        ({"reference": "app-42"}, set()),
        ({"reference": " ", "statementNumber": ""}, {b2, c1, none}),
        ({"statementNumber": "S26ABC", "cefr": ["B2"]}, set()),
        ({"name": "aoi", "cefr": ["B2", "C1"], "exams": ["C1_ADVANCED"], "status": "UNREAD"}, {c1}),
    ]
    found = [await office.found(**filter) for filter, _ in cases]
    assert [(cases[place][0], ids) for place, ids in enumerate(found)] == cases


async def test_read_and_unread_ones_are_found_beside_other_filters(office: Office) -> None:
    """V1."""
    one, other = await office.of_person(*AOI), await office.of_person("Aoi", "Suzuki")
    await office.client.order("openShare", "", shareId=one)
    assert await office.found(name="aoi", status="READ") == {one}
    assert await office.found(name="aoi", status="UNREAD") == {other}


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ({"exams": ["C1_ADVANCED"] * 101}, "`exams` has at most 100 values."),
        ({"cefr": ["B2"] * 101}, "`cefr` has at most 100 values."),
        ({"sentFrom": "2026-11-22T12:00:00"}, "`sentFrom` needs its time zone, such as the Z of 2026-11-22T12:00:00Z."),
        ({"sentTo": "0001-01-01T00:00:00+23:00"}, "`sentTo` lies outside of all times."),
    ],
)
async def test_a_filter_that_no_client_should_ask_for_is_the_client_s_fault(
    office: Office, filter: dict[str, Any], told: str
) -> None:
    """V1."""
    query = "query ($filter: InboxFilter) { inbox(filter: $filter) { liveCursor } }"
    errors = await office.client.errors(query, filter=filter)
    assert [(one["extensions"]["code"], one["message"]) for one in errors] == [("BAD_USER_INPUT", told)]


async def test_what_changes_is_found_as_it_is_now(office: Office, world: World, clock: ControlledClock) -> None:
    """V1, R11: a level that is amended, a name that the centre corrects, a share that is withdrawn or expires."""
    share = await office.send(Terms(expires_at=clock() + timedelta(minutes=9)), cefr="B2")
    await Result.all().update(cefr="C1")
    assert (await office.found(cefr=["B2"]), await office.found(cefr=["C1"])) == (set(), {share})
    searched = person_names.searched("Rin", "Sato", None)
    await Candidate.all().update(given_name="Rin", searched=searched, grams=person_names.grams(searched))
    assert (await office.found(name="aoi"), await office.found(name="sato")) == (set(), {share})
    clock.forward(minutes=9)
    assert await office.found(name="sato") == set()


async def test_a_share_is_found_by_the_name_of_the_account_that_its_entry_came_to(office: Office, world: World) -> None:
    """A11: the name that is shown is the account's."""
    account = await world.candidate(given_name="Hanako", family_name="Suzuki", native_name=None)
    entry = await world.entry(await world.candidate(registered=False))
    share = await office.send(entry=entry)
    await claims.claim(world.viewer(Kind.CANDIDATE, account.id), entry.id_number, SECRET)
    assert (await office.found(name="tanaka"), await office.found(name="hanako")) == (set(), {share})


async def test_nothing_of_an_unreleased_result_is_found(office: Office, world: World, clock: ControlledClock) -> None:
    """R3."""
    share = await office.send()
    await Result.all().update(released_at=clock() + timedelta(minutes=9))
    assert await office.found(name="tanaka") == set()
    clock.forward(minutes=9)
    assert await office.found(name="tanaka") == {share}


async def test_many_and_few_lines_are_paged_alike(
    office: Office, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1: whether the keys find few lines or the inbox is walked through, the page is the same."""
    sent: list[str] = []
    for _ in range(5):
        sent.insert(0, await office.of_person(*AOI))
        await office.of_person("Some", "Body")
        clock.forward(seconds=1)
    for near, few in ((NEAR, FEW), (NEAR, 0), (0, FEW), (0, 5), (0, 4), (0, 0), (5, 0), (6, FEW)):
        monkeypatch.setattr(inboxes, "NEAR", near)
        monkeypatch.setattr(inboxes, "FEW", few)
        first = await office.page(filter={"name": "tanaka"}, first=3)
        rest = await office.page(filter={"name": "tanaka"}, first=3, after=first["pageInfo"]["endCursor"])
        assert [edge["node"]["id"] for edge in first["edges"] + rest["edges"]] == sent
        assert [page["pageInfo"]["hasNextPage"] for page in (first, rest)] == [True, False]


async def test_matches_are_counted_up_to_a_limit(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """V1: both sides of the edge."""
    monkeypatch.setattr(inboxes, "MOST_COUNTED", 2)
    query = "query ($name: String) { inbox(filter: {name: $name}) { matches { count isAtLeast } } }"
    for expected in ((0, False), (1, False), (2, False), (2, True)):
        for name in ("tanaka", None):
            matches = (await office.client.ask(query, name=name))["inbox"]["matches"]
            assert (matches["count"], matches["isAtLeast"]) == expected
        await office.of_person(*AOI)


async def test_a_page_of_a_filter_takes_as_many_statements_as_one_without(
    office: Office, statements: Statements
) -> None:
    """V1, G1: the session, and the page, which it leaves in the trail."""
    await office.of_person(*AOI)
    filter = {"name": "aoi", "exams": ["C1_ADVANCED"], "cefr": ["B2"], "examDateFrom": "2026-01-01", "status": "UNREAD"}
    with statements.counted():
        page = await office.client.ask(
            "query ($f: InboxFilter) { inbox(filter: $f) { edges { node { id } } } }", f=filter
        )
    assert len(page["inbox"]["edges"]) == 1
    assert len(statements) == 2, statements.sent
    assert "INSERT INTO trail" in statements.sent[1]


async def test_a_cursor_of_another_institution_s_inbox_is_a_place_in_time_and_nothing_more(
    office: Office, client: Client, world: World, clock: ControlledClock
) -> None:
    """V1, U3: it shows nothing of theirs."""
    other = await Office.of(client, world)
    mine = await office.receive(1)
    clock.forward(seconds=1)
    await other.receive(2)
    cursor = (await other.page(first=1))["pageInfo"]["endCursor"]
    assert await office.ids(after=cursor) == mine
    assert await office.ids(after=cursor, filter={"name": "tanaka"}) == mine


FILTERS = {
    "none": Filter(),
    "read": Filter(is_read=True),
    "unread": Filter(is_read=False),
    "name": Filter(name="tanaka"),
    "level": Filter(cefr=("B2", "C1")),
    "exam": Filter(exams=("C1_ADVANCED",), is_read=False),
    "dates": Filter(exam_date_from=date(2026, 1, 1)),
}
EVENTS = ("arrive", "withdraw", "mark", "expire", "wait")
Place = tuple[datetime, UUID]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("near", "few"), [(0, 0), (0, FEW), (3, 1)])
@given(events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 5)), max_size=8), first=st.integers(1, 3))
@examples(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_paging_neither_skips_nor_repeats_whatever_happens_between_two_pages(
    open_database: None, world: World, clock: ControlledClock, name: str, near: int, few: int,
    events: list[tuple[str, int]], first: int,
) -> None:  # fmt: skip
    """V1: what fits the filter from the beginning to the end comes once, in order; nothing comes twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inboxes, "NEAR", near)
        patch.setattr(inboxes, "FEW", few)
        stream = await Stream.begun(world, clock, FILTERS[name])
        always, paged = set(await stream.page(100)), await stream.page(first)
        while True:
            for event, which in events:
                await stream.happen(event, which)
            always &= set(await stream.page(100))
            events = events[1:]
            more = await stream.page(first, paged[-1]) if paged else []
            if not more:
                break
            paged += more
    assert len(set(paged)) == len(paged)
    assert paged == sorted(paged, reverse=True)
    assert always <= set(paged)


class Stream:
    """An inbox into which shares flow, and to which everything happens."""

    def __init__(self, world: World, clock: ControlledClock, viewer: Viewer, filter: Filter) -> None:
        self.world = world
        self.clock = clock
        self.verifier = viewer
        self.filter = filter
        self.unsent: list[Result] = []
        self.sent: list[UUID] = []

    @classmethod
    async def begun(cls, world: World, clock: ControlledClock, filter: Filter) -> "Stream":
        """One of an institution of its own, with four shares; the results are used again by each example."""
        user = await world.verifier()
        viewer = world.viewer(Kind.VERIFIER, user.id, institution_id=user.institution_id)
        stream = cls(world, clock, viewer, filter)
        await database.rows("DELETE FROM share")
        if not await Result.exists():
            candidate = await world.candidate()
            for _ in range(20):
                await world.result(await world.entry(candidate), skills={})
        stream.unsent = await Result.all().prefetch_related("entry")
        for _ in range(4):
            await stream.happen("arrive", 1)
        return stream

    @property
    def viewer(self) -> Viewer:
        """The verifier at this moment."""
        return replace(self.verifier, at=self.clock(), visit=type(self.verifier.visit)())

    async def page(self, first: int, last: Place | None = None) -> list[Place]:
        """Moments and keys of a page, from the newest on, or from behind the last one seen."""
        place = place_after(cursor_of(*last) if last else None, first)
        found = await inboxes.page(self.viewer, place, self.filter)
        return [(row["sent_at"], row["share_id"]) for row in found.page.rows]

    async def happen(self, event: str, which: int) -> None:
        """Let one thing happen to one of the shares; nothing, where it cannot."""
        what: dict[str, Callable[[int], Awaitable[None]]] = {
            "arrive": self._arrive, "withdraw": self._withdraw, "mark": self._mark, "expire": self._expire,
            "wait": self._wait,
        }  # fmt: skip
        await what[event](which)

    async def _arrive(self, which: int) -> None:
        self.clock.forward(seconds=which % 2)
        if self.unsent:
            result = self.unsent.pop()
            terms = Terms(expires_at=self.clock() + timedelta(seconds=3)) if which > 3 else Terms()
            sender = self.world.viewer(Kind.CANDIDATE, result.entry.candidate_id)
            assert self.verifier.institution_id is not None
            consent = shares.Consent(CONSENT_VERSION, "en")
            sent = await shares.send(sender, result.id, self.verifier.institution_id, consent, terms)
            self.sent.append(sent.share["share_id"])

    async def _live(self, which: int) -> Share | None:
        found = await Share.filter(id__in=self.sent, withdrawn_at=None, expiry_told_at=None).order_by("id")
        live = [one for one in found if one.expires_at is None or one.expires_at > self.clock()]
        return live[which % len(live)] if live else None

    async def _withdraw(self, which: int) -> None:
        if share := await self._live(which):
            await withdrawals.withdraw(self.world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)

    async def _mark(self, which: int) -> None:
        if share := await self._live(which):
            await shares.mark(self.viewer, share.id, is_read=not share.is_read)

    async def _expire(self, which: int) -> None:
        self.clock.forward(seconds=2)
        if which % 2:
            await shares.tell_expired(self.clock())

    async def _wait(self, which: int) -> None:
        self.clock.forward(seconds=which)
