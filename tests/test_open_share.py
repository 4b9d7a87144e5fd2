"""Opening a share, marking it, and what both sides see of it then (V1, V2, S6)."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.institution import Institution
from models.journal import EventKind, JournalEvent
from models.share import Share
from schema.ids import global_id
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import World, gid

OPENED = """... on ShareOpened { share { id status sentAt openedAt
    candidate { name familyName givenName nativeName dateOfBirth email language wantsUpdates entries { id } }
    result { qualification headline overallScoreShown scale cefr skillScores { skill score } statementNumber version
             examDate centre { name } status }
    institution { shownAs } consent { text } } }"""
MARKED = "... on ShareMarked { share { id status openedAt } }"
OWN = "query ($id: ID!) { share(id: $id) { status openedAt } me { shares { edges { node { id status openedAt } } } } }"


@dataclass
class Case:
    """A share, the verifier it went to, and the candidate who sent it."""

    share: Share
    verifier: Client
    candidate: Client
    institution: Institution

    async def open(self, **input: Any) -> Any:
        """The payload of opening the share."""
        return await self.verifier.order("openShare", OPENED, **{"shareId": gid(self.share)} | input)

    async def mark(self, is_read: bool) -> Any:
        """The payload of marking the share by hand."""
        return await self.verifier.order("markShare", MARKED, shareId=gid(self.share), isRead=is_read)

    async def seen_by_candidate(self) -> tuple[str, str | None]:
        """Status and first opening, as the candidate sees them; both paths tell the same."""
        answer = await self.candidate.ask(OWN, id=gid(self.share))
        listed = {edge["node"].pop("id"): edge["node"] for edge in answer["me"]["shares"]["edges"]}
        assert answer["share"] == listed[gid(self.share)]
        return answer["share"]["status"], answer["share"]["openedAt"]


@pytest.fixture
async def case(client: Client, world: World) -> Case:
    """C1 Advanced 168 of Hana Tanaka, sent and not opened yet."""
    candidate = await world.candidate(
        family_name="Tanaka", given_name="Hana", native_name="𠮷田 花", date_of_birth=date(2001, 2, 3)
    )
    result = await world.result(await world.entry(candidate), statement_number="S260000168")
    institution = await world.institution("Aoba Gakuin University")
    share = await Share.get(id=await world.share(result, institution))
    verifier = client.as_(await world.token(await world.verifier(institution)))
    return Case(share, verifier, client.as_(await world.token(candidate)), institution)


async def kinds_of_events() -> list[str]:
    """What happened so far, in order."""
    return [event.kind.value for event in await JournalEvent.all().order_by("id")]


async def test_an_opened_share_shows_everything(case: Case, clock: ControlledClock) -> None:
    """V2."""
    clock.forward(minutes=5)
    share = (await case.open())["share"]
    assert (share["status"], share["openedAt"]) == ("READ", clock().isoformat())
    assert share["candidate"]["name"] == "Hana Tanaka"
    assert share["candidate"]["nativeName"] == "𠮷田 花"
    assert share["candidate"]["dateOfBirth"] == "2001-02-03"
    assert share["result"] == {
        "qualification": "C1 Advanced",
        "headline": "Council of Europe Level B2",
        "overallScoreShown": "168",
        "scale": "CES",
        "cefr": "B2",
        "skillScores": [
            {"skill": "READING", "score": 168},
            {"skill": "USE_OF_ENGLISH", "score": 160},
            {"skill": "WRITING", "score": 176},
            {"skill": "LISTENING", "score": 170},
            {"skill": "SPEAKING", "score": 166},
        ],
        "statementNumber": "S260000168",
        "version": 1,
        "examDate": "2026-09-20",
        "centre": {"name": "Shiokaze Examination Centre"},
        "status": "RELEASED",
    }
    assert share["institution"]["shownAs"] == "Aoba Gakuin University"
    assert "is sent to Aoba Gakuin University" in share["consent"]["text"]


async def test_an_opened_share_shows_nothing_of_the_candidate_s_account(case: Case) -> None:
    """V2, A3: ID Numbers are log-in names, and an e-mail address is no part of a result."""
    candidate = (await case.open())["share"]["candidate"]
    assert [candidate[field] for field in ("email", "language", "wantsUpdates", "entries")] == [None] * 4


async def test_the_candidate_sees_that_it_was_read_and_when(case: Case, clock: ControlledClock) -> None:
    """S6."""
    assert await case.seen_by_candidate() == ("UNREAD", None)
    clock.forward(minutes=5)
    await case.open()
    opened_at = clock().isoformat()
    clock.forward(minutes=5)
    assert await case.seen_by_candidate() == ("READ", opened_at)


async def test_the_time_of_the_first_opening_stays(case: Case, clock: ControlledClock) -> None:
    """V1, V2, S6: through opening again, and through marking unread and read."""
    clock.forward(minutes=1)
    opened_at = (await case.open())["share"]["openedAt"]
    for is_read in (False, True):
        clock.forward(minutes=1)
        share = (await case.mark(is_read))["share"]
        assert (share["status"], share["openedAt"]) == ("READ" if is_read else "UNREAD", opened_at)
        assert await case.seen_by_candidate() == (share["status"], opened_at)
    clock.forward(minutes=1)
    assert (await case.open())["share"]["openedAt"] == opened_at


async def test_marking_read_by_hand_counts_as_the_first_opening(case: Case, clock: ControlledClock) -> None:
    """V2, S6."""
    clock.forward(minutes=1)
    share = (await case.mark(True))["share"]
    assert (share["status"], share["openedAt"]) == ("READ", clock().isoformat())


async def test_marking_an_unread_share_unread_changes_nothing(case: Case) -> None:
    """V2."""
    share = (await case.mark(False))["share"]
    assert (share["status"], share["openedAt"]) == ("UNREAD", None)
    assert await kinds_of_events() == ["SHARE_SENT"]


async def test_only_what_changes_is_written_down(case: Case) -> None:
    """V2: the journal tells institutions what happened, not what was clicked."""
    await case.open()
    await case.open()
    await case.mark(True)
    assert await kinds_of_events() == ["SHARE_SENT", "SHARE_READ"]
    await case.mark(False)
    await case.mark(False)
    await case.open()
    assert await kinds_of_events() == ["SHARE_SENT", "SHARE_READ", "SHARE_UNREAD", "SHARE_READ"]


async def test_colleagues_who_open_it_at_once_read_it_once(case: Case, client: Client, world: World) -> None:
    """V1, V2: all of them see it, with one time of opening and one event."""
    colleague = client.as_(await world.token(await world.verifier(case.institution)))
    both = [case, Case(case.share, colleague, case.candidate, case.institution)]
    payloads = await asyncio.gather(*(one.open() for one in both * 20))
    assert {payload["__typename"] for payload in payloads} == {"ShareOpened"}
    assert len({payload["share"]["openedAt"] for payload in payloads}) == 1
    assert (await kinds_of_events()).count(EventKind.SHARE_READ.value) == 1


# ---- what is not there any more, or never was

EVERY_PATH = """query ($share: ID!, $result: ID!, $candidate: ID!, $number: String!) {
    inbox { totalCount unreadCount edges { node { id } } }
    share(id: $share) { id }
    result(id: $result) { id }
    ofShare: node(id: $share) { id }
    ofResult: node(id: $result) { id }
    ofCandidate: node(id: $candidate) { id }
    _entities(representations: [
      { __typename: "Share", id: $share }
      { __typename: "Result", id: $result }
      { __typename: "Result", statementNumber: $number }
      { __typename: "Candidate", id: $candidate }
    ]) { __typename } }"""


async def seen_on_every_path(case: Case, verifier: Client) -> set[bool]:
    """Whether a verifier sees the share, its result and its candidate; one value if all paths agree."""
    share = await Share.get(id=case.share.id).prefetch_related("result", "candidate")
    answer = await verifier.ask(
        EVERY_PATH,
        share=gid(share),
        result=gid(share.result),
        candidate=gid(share.candidate),
        number=share.result.statement_number,
    )
    inbox, entities = answer.pop("inbox"), answer.pop("_entities")
    counts = [inbox["totalCount"], inbox["unreadCount"], inbox["edges"]]
    return {bool(one) for one in [*counts, *entities, *answer.values()]}


async def refusals(case: Case, verifier: Client) -> set[str]:
    """How opening and marking are answered."""
    there = Case(case.share, verifier, case.candidate, case.institution)
    return {payload["__typename"] for payload in [await there.open(), await there.mark(True), await there.mark(False)]}


async def test_a_withdrawn_share_is_gone_for_the_institution(case: Case, clock: ControlledClock) -> None:
    """S10, S6: on every path; its candidate goes on seeing it, and what became of it."""
    assert await seen_on_every_path(case, case.verifier) == {True}
    await Share.filter(id=case.share.id).update(withdrawn_at=clock())
    assert await seen_on_every_path(case, case.verifier) == {False}
    assert await refusals(case, case.verifier) == {"ShareNotFound"}
    assert await case.seen_by_candidate() == ("WITHDRAWN", None)


async def test_a_share_expires_at_the_moment_its_candidate_chose(case: Case, clock: ControlledClock) -> None:
    """S9, S6: seen until one second before it, gone at it."""
    await Share.filter(id=case.share.id).update(expires_at=clock() + timedelta(seconds=1))
    assert await seen_on_every_path(case, case.verifier) == {True}
    assert await case.seen_by_candidate() == ("UNREAD", None)
    clock.forward(seconds=1)
    assert await seen_on_every_path(case, case.verifier) == {False}
    assert await refusals(case, case.verifier) == {"ShareNotFound"}
    assert await case.seen_by_candidate() == ("EXPIRED", None)


async def test_another_institution_finds_no_such_share(case: Case, client: Client, world: World) -> None:
    """U3: not even a department of the same institution, and nothing is changed."""
    department = await world.institution(
        "Aoba Gakuin University", department="Faculty of Letters", parent_id=case.institution.id
    )
    for institution in (department, await world.institution()):
        stranger = client.as_(await world.token(await world.verifier(institution)))
        assert await seen_on_every_path(case, stranger) == {False}
        assert await refusals(case, stranger) == {"ShareNotFound"}
    assert await case.seen_by_candidate() == ("UNREAD", None)
    assert await kinds_of_events() == ["SHARE_SENT"]


async def test_a_share_of_one_result_opens_no_other_result(case: Case, world: World) -> None:
    """U3: the candidate's other results stay unseen."""
    other = await world.result(await world.entry(await case.share.candidate))
    query = """query ($other: ID!, $share: ID!) {
        result(id: $other) { id } share(id: $share) { candidate { results { statementNumber } } } }"""
    answer = await case.verifier.ask(query, other=gid(other), share=gid(case.share))
    assert answer["result"] is None
    assert answer["share"]["candidate"]["results"] == [{"statementNumber": "S260000168"}]


async def test_a_candidate_s_other_shares_are_not_shown_to_an_institution(case: Case, world: World) -> None:
    """U3, S6: "Shared with" is for the candidate."""
    await world.share(await case.share.result, await world.institution())
    query = """query ($id: ID!) { share(id: $id) {
        result { shares { edges { node { id } } } } candidate { shares { edges { node { id } } } } } }"""
    share = (await case.verifier.ask(query, id=gid(case.share)))["share"]
    for listed in (share["result"]["shares"], share["candidate"]["shares"]):
        assert [edge["node"]["id"] for edge in listed["edges"]] == [gid(case.share)]


async def test_shared_with_lists_every_institution_newest_first(
    case: Case, world: World, clock: ControlledClock
) -> None:
    """S6: with what became of each."""
    result = await case.share.result
    for name in ("Kobe College", "Ministry of Ports", "Lantern Trading"):
        clock.forward(minutes=1)
        await world.share(result, await world.institution(name))
    await Share.filter(institution_name_shown="Kobe College").update(withdrawn_at=clock())
    await Share.filter(institution_name_shown="Ministry of Ports").update(expires_at=clock())
    await case.open()
    query = "{ me { results { shares { edges { node { status sentAt institution { name } } } } } } }"
    [one] = (await case.candidate.ask(query))["me"]["results"]
    listed = [edge["node"] for edge in one["shares"]["edges"]]
    assert [(share["institution"]["name"], share["status"]) for share in listed] == [
        ("Lantern Trading", "UNREAD"),
        ("Ministry of Ports", "EXPIRED"),
        ("Kobe College", "WITHDRAWN"),
        ("Aoba Gakuin University", "READ"),
    ]
    assert listed == sorted(listed, key=lambda share: str(share["sentAt"]), reverse=True)


async def test_the_candidate_goes_on_seeing_an_institution_that_was_suspended(case: Case, world: World) -> None:
    """S6, O3: while its verifier's session has ended at once."""
    await world.suspend(case.institution)
    query = "query ($id: ID!) { share(id: $id) { institution { name } } }"
    assert (await case.candidate.ask(query, id=gid(case.share)))["share"]["institution"] == {
        "name": "Aoba Gakuin University"
    }
    assert await refusals(case, case.verifier) == {"NotLoggedIn"}


async def test_only_verifiers_open_shares(case: Case, client: Client, world: World) -> None:
    """V2: neither its candidate nor staff, who see it, nor anybody else."""
    assert await refusals(case, case.candidate) == {"NotAllowed"}
    assert await refusals(case, client.as_(await world.token(await world.staff()))) == {"NotAllowed"}
    assert await refusals(case, client) == {"NotLoggedIn"}
    assert await case.seen_by_candidate() == ("UNREAD", None)


async def test_ids_that_this_service_did_not_make_name_no_share(case: Case) -> None:
    """V2."""
    result = await case.share.result
    for id in ("", "x", "😀", "U2hhcmU6", global_id("Share", uuid4()), gid(result), gid(case.institution)):
        assert (await case.open(shareId=id))["__typename"] == "ShareNotFound", id


async def test_what_is_revoked_after_sending_is_shown_to_the_institution_as_revoked(
    case: Case, clock: ControlledClock
) -> None:
    """V2, R11: without the award."""
    result = await case.share.result
    result.revoked_at = clock()
    await result.save()
    shown = (await case.open())["share"]["result"]
    assert (shown["status"], shown["headline"], shown["overallScoreShown"], shown["skillScores"]) == (
        "REVOKED",
        None,
        None,
        [],
    )
