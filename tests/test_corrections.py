"""Correcting results: amend, withhold, release again, revoke; old versions, and who is told (R11, N1, S8)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from engine import database
from errors import ResultChangedMeanwhile, ResultNotSendable, StateForbids, Unavailable
from models.candidate import Candidate
from models.institution import Institution
from models.letter import Letter
from models.notify import Notify
from models.result import Outcome, Result, SkillScore
from models.share import Share
from models.trail import BOARD_CHAIN, TrailAct
from models.verifier import StaffUser, VerifierUser
from models.version import Change, HolderNotice, ResultVersion
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import corrections, news, trail
from resolvers.corrections import Corrected, Facts, Order
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import CES_SKILLS, World, gid, settled

GRADED = {"outcome": Outcome.GRADE, "headline": "C", "grade": "C", "cefr": "C1", "overall_score": 185}
C1_182 = {"READING": 180, "USE_OF_ENGLISH": 181, "WRITING": 182, "LISTENING": 183, "SPEAKING": 184}
NOTHING = dict.fromkeys(("headline", "grade", "cefr", "overall_score"))
VERSIONS = """{ version endedBy endedAt reason outcome headline grade cefr overallScore certificateNumber
    skillScores { skill score } }"""
RESULT = f"""{{ version status outcome headline overallScore certificateNumber skillScores {{ score }}
    versions {VERSIONS} told {{ version change toldAt institution {{ name }} }} }}"""
CORRECTED = f"""... on ResultCorrected {{ result {RESULT} told {{ institution {{ name }} version }} }}
    ... on InvalidInput {{ problems {{ path message }} }} ... on ResultChangedMeanwhile {{ version }}
    ... on StateForbids {{ status }}"""
Orders = dict[str, Callable[[Viewer, Order], Awaitable[Corrected]]]


async def _amend(viewer: Viewer, order: Order) -> Corrected:
    return await corrections.amend(viewer, order, Facts(overall_score=182, skill_scores=C1_182))


ORDERS: Orders = {
    "amendResult": _amend,
    "withholdResult": corrections.withhold,
    "releaseResultAgain": corrections.release_again,
    "revokeResult": corrections.revoke,
}
AMENDED: dict[str, Any] = {
    "overallScore": 182,
    "skillScores": [{"skill": skill, "score": score} for skill, score in C1_182.items()],
}

BEFORE: dict[str, Any] = {
    "overallScore": 168,
    "skillScores": [{"skill": skill, "score": score} for skill, score in CES_SKILLS.items()],
}
EXTRA = {"skill": "READING_AND_WRITING", "score": 180}


@dataclass
class Case:
    """A released result, C1 Advanced 168, that its candidate has sent to `home`, and the staff who correct it."""

    world: World
    clock: ControlledClock
    candidate: Candidate
    result: Result
    home: Institution
    staff: StaffUser

    @property
    def viewer(self) -> Viewer:
        """The member of staff, at this moment."""
        return self.world.viewer(Kind.STAFF, self.staff.id, is_board=True)

    async def order(self, name: str, version: int | None = None, reason: str = "Clerical error.") -> Corrected:
        """Give one order, expecting the version that stands unless told otherwise."""
        expected = version or (await self.now()).version
        return await ORDERS[name](self.viewer, Order(self.result.id, expected, reason))

    async def now(self) -> Result:
        """The result as it stands."""
        return await Result.get(id=self.result.id)

    async def holds(self, institution: Institution, version: int = 1, act: TrailAct = TrailAct.READ) -> None:
        """Leave in the trail that the institution was shown a version."""
        viewer = self.world.viewer(Kind.VERIFIER, uuid4(), institution_id=institution.id)
        await trail.note(viewer, act, [About(self.candidate.id, self.result.id, version)])

    async def told(self) -> set[tuple[str, int, Change]]:
        """Which institutions were told of the end of which version, and what ended it."""
        notices = await HolderNotice.all().prefetch_related("institution")
        return {(notice.institution.name, notice.version, notice.change) for notice in notices}

    async def told_in_trail(self) -> list[tuple[str, UUID, int]]:
        """Who told which institution of the end of which version, by the trail."""
        found = await database.rows("SELECT * FROM trail WHERE act = 'TOLD'")
        return sorted((one["viewer_kind"], one["institution_id"], *one["versions"]) for one in found)

    async def events(self) -> list[tuple[UUID, str, UUID | None, int]]:
        """The journal's events about results, in order."""
        found = await database.rows("SELECT * FROM journal WHERE kind LIKE 'RESULT%' ORDER BY id")
        return [(one["institution_id"], one["kind"], one["share_id"], one["result_version"]) for one in found]


@pytest.fixture
async def case(world: World, clock: ControlledClock, open_database: None) -> Case:
    """A result that is shared with one institution; nobody has read it yet."""
    return await case_of(world, clock)


async def case_of(world: World, clock: ControlledClock, shared: bool = True, **facts: Any) -> Case:
    candidate = await world.candidate()
    number = f"C26{await Result.all().count():06}"
    result = await world.result(await world.entry(candidate), certificate_number=number, **facts)
    home = await world.institution("Home University")
    if shared:
        await world.share(result, home)
    return Case(world, clock, candidate, result, home, await world.staff())


# ---- what holds afterwards


async def test_an_amended_result_holds_what_follows_from_the_new_scores(case: Case) -> None:
    """R11, R5: grade, level and certificate by the bands in force on its date; the number stays its own."""
    await case.order("amendResult")
    now = await case.now()
    facts: Any = (now.version, now.outcome, now.headline, now.grade, now.cefr)
    assert facts == (2, Outcome.GRADE, "C", "C", "C1")
    assert (now.overall_score, now.certificate_number) == (182, "C26000000")
    assert dict(await SkillScore.filter(result_id=now.id).values_list("skill", "score")) == C1_182
    [old] = await ResultVersion.all()
    facts = (old.version, old.outcome, old.headline, old.grade, old.cefr)
    assert facts == (
        1, Outcome.LEVEL, "Council of Europe Level B2", None, "B2",
    )  # fmt: skip
    assert (old.overall_score, old.skill_scores, old.certificate_number) == (168, CES_SKILLS, "C26000000")
    assert (old.ended_by, old.ended_at, old.reason) == (Change.AMENDED, case.clock(), "Clerical error.")
    assert old.staff_id == case.staff.id


async def test_a_result_that_loses_its_right_to_a_certificate_loses_its_number(case: Case) -> None:
    """R11; who gains the right gets a new one."""
    await corrections.amend(case.viewer, Order(case.result.id, 1, "Fail."), Facts(overall_score=150))
    assert (await case.now()).certificate_number is None
    await corrections.amend(case.viewer, Order(case.result.id, 2, "No."), Facts(overall_score=190))
    number = (await case.now()).certificate_number
    assert number is not None
    assert number.startswith("C26")


async def test_what_was_pending_is_decided_by_amending_it(world: World, clock: ControlledClock, case: Case) -> None:
    """R6, R11; and so is what was withheld when it was loaded."""
    for outcome in (Outcome.PENDING, Outcome.WITHHELD):
        result = await world.result(
            outcome=outcome, skills={}, **{"headline": None, "cefr": None, "overall_score": None}
        )
        await corrections.amend(case.viewer, Order(result.id, 1, "Decided."), Facts(overall_score=200))
        assert (await Result.get(id=result.id)).headline == "A"


async def test_withholding_hides_the_award_and_releasing_again_shows_it(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R11, S8: the share stays, with where the result stands and nothing of what was awarded."""
    case = await case_of(world, clock)
    staff = client.as_(await world.token(case.staff))
    asking = [client.as_(await world.token(one)) for one in (case.candidate, await world.verifier(case.home))]
    before = [await shown(one, case) for one in asking]
    assert [one["status"] for one in before] == ["RELEASED"] * 2
    done = await order(staff, "withholdResult", case, 1)
    assert done["__typename"] == "ResultCorrected"
    for one in asking:
        result = await shown(one, case)
        assert (result["status"], result["outcome"], result["version"]) == ("WITHHELD", "WITHHELD", 2)
        assert (result["headline"], result["overallScore"], result["certificateNumber"]) == (None, None, None)
        assert result["skillScores"] == []
    await order(staff, "releaseResultAgain", case, 2)
    after = [await shown(one, case) for one in asking]
    hidden = {"version", "versions", "told"}
    assert [without(one, hidden) for one in after] == [without(one, hidden) for one in before]


def without(answer: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


async def shown(asking: Client, case: Case) -> dict[str, Any]:
    """The result as one asker is shown it."""
    result: dict[str, Any] = (
        await asking.ask(f"query ($id: ID!) {{ result(id: $id) {RESULT} }}", id=gid(case.result))
    )["result"]
    return result


async def order(staff: Client, name: str, case: Case, version: int, **facts: Any) -> dict[str, Any]:
    """Give one order through the door."""
    given = {"resultId": gid(case.result), "expectedVersion": version, "reason": "Clerical error."} | facts
    if name == "amendResult":
        given = AMENDED | given
    answer: dict[str, Any] = await staff.order(name, CORRECTED, **given)
    return answer


async def test_each_asker_sees_of_old_versions_what_is_theirs(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R11: staff all of it; the candidate why, and who was told; the institution since when it is superseded."""
    case = await case_of(world, clock)
    other = await world.institution("Other University")
    await world.share(case.result, other)
    for one in (case.home, other):
        await case.holds(one)
    staff = client.as_(await world.token(case.staff))
    await order(staff, "amendResult", case, 1)
    verifier = client.as_(await world.token(await world.verifier(case.home)))
    candidate = client.as_(await world.token(case.candidate))
    version = {"version": 1, "endedBy": "AMENDED", "endedAt": clock().isoformat()}
    facts: dict[str, Any] = {
        "outcome": None, "headline": None, "grade": None, "cefr": None, "overallScore": None, "certificateNumber": None,
        "skillScores": [],
    }  # fmt: skip
    told = [
        {"version": 1, "change": "AMENDED", "toldAt": clock().isoformat(), "institution": {"name": name}}
        for name in ("Home University", "Other University")
    ]
    by_verifier, by_candidate, by_staff = [await shown(one, case) for one in (verifier, candidate, staff)]
    assert (by_verifier["version"], by_verifier["headline"], by_verifier["overallScore"]) == (2, "C", 182)
    assert (by_verifier["versions"], by_verifier["told"]) == ([version | facts | {"reason": None}], told[:1])
    assert (by_candidate["versions"], by_candidate["told"]) == (
        [version | facts | {"reason": "Clerical error."}], told,
    )  # fmt: skip
    [old] = by_staff["versions"]
    assert (old["headline"], old["overallScore"], old["reason"]) == (
        "Council of Europe Level B2",
        168,
        "Clerical error.",
    )
    assert old["skillScores"] == [{"skill": skill, "score": score} for skill, score in CES_SKILLS.items()]
    assert by_staff["told"] == told


# ---- what is refused

STANDS: dict[str, dict[str, Any]] = {
    "LOADED": {"released_at": None},
    "PENDING": {"outcome": Outcome.PENDING, **NOTHING},
    "RELEASED": {},
    "WITHHELD": {"withheld_at": True},
    "WITHHELD when loaded": {"outcome": Outcome.WITHHELD, **NOTHING},
    "REVOKED": {"revoked_at": True},
}
ALLOWED = {
    "amendResult": {"PENDING", "RELEASED", "WITHHELD", "WITHHELD when loaded"},
    "withholdResult": {"RELEASED"},
    "releaseResultAgain": {"WITHHELD"},
    "revokeResult": {"PENDING", "RELEASED", "WITHHELD", "WITHHELD when loaded"},
}


@pytest.mark.parametrize("stands", STANDS)
@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_that_the_state_does_not_allow_is_refused_with_the_state(
    name: str, stands: str, case: Case
) -> None:
    """R11, states of a result: and changes nothing."""
    facts = {key: case.clock() if value is True else value for key, value in STANDS[stands].items()}
    await Result.filter(id=case.result.id).update(**facts)
    before = await everything()
    if stands in ALLOWED[name]:
        await case.order(name)
        assert (await case.now()).version == 2
        return
    with pytest.raises(StateForbids) as refused:
        await case.order(name)
    assert refused.value.status == stands.partition(" ")[0]
    assert await everything() == before


async def everything() -> list[Any]:
    """All that a correction changes."""
    tables = ("result", "skill_score", "result_version", "holder_notice", "journal", "letter", "trail")
    return [
        [tuple(row.values()) for row in await database.rows(f"SELECT * FROM {table} ORDER BY 1")] for table in tables
    ]


@pytest.mark.parametrize("name", ORDERS)
async def test_the_same_order_twice_is_done_once(name: str, case: Case) -> None:
    """R11: a double click, or a retry after a lost answer, finds another version than it expects."""
    if name == "releaseResultAgain":
        await case.order("withholdResult")
    version = (await case.now()).version
    await case.order(name)
    before = await everything()
    with pytest.raises(ResultChangedMeanwhile) as refused:
        await case.order(name, version)
    assert refused.value.version == version + 1
    assert await everything() == before


@pytest.mark.parametrize(
    ("facts", "paths"),
    [
        ({"overallScore": 231, "skillScores": []}, {"overallScore"}),
        ({"overallScore": 79, "skillScores": []}, {"overallScore"}),
        ({"overallScore": None}, {"overallScore"}),
        ({"overallScore": 183}, {"overallScore"}),  # the skills say 182
        ({"skillScores": AMENDED["skillScores"][1:]}, {"reading"}),
        ({"skillScores": [*AMENDED["skillScores"], EXTRA]}, {"readingAndWriting"}),
        (BEFORE, {"overallScore"}),
        ({"outcome": "ABSENT_FROM_ALL", "skillScores": []}, {"overallScore"}),
        ({"grade": "A"}, {"grade"}),
        ({"certificateNumber": "C26000009"}, {"certificateNumber"}),
        ({"reason": " "}, {"reason"}),
        ({"reason": "x" * 1001}, {"reason"}),
        ({"reason": "a\0b"}, {"reason"}),
    ],
)  # fmt: skip
async def test_facts_that_do_not_fit_the_exam_are_refused_as_when_loading(
    facts: dict[str, Any], paths: set[str], client: Client, world: World, clock: ControlledClock
) -> None:
    """R2, R11: and nothing is changed."""
    case = await case_of(world, clock)
    await world.result(certificate_number="C26000009")
    before = await everything()
    refused = await order(client.as_(await world.token(case.staff)), "amendResult", case, 1, **facts)
    assert refused["__typename"] == "InvalidInput"
    assert {problem["path"] for problem in refused["problems"]} == paths
    assert await everything() == before


@pytest.mark.parametrize("who", ["nobody", "candidate", "verifier", "centre staff"])
@pytest.mark.parametrize("name", ORDERS)
async def test_only_the_boards_staff_correct_results(
    name: str, who: str, client: Client, world: World, clock: ControlledClock
) -> None:
    """R11."""
    case = await case_of(world, clock)
    owners: dict[str, Callable[[], Awaitable[Any]]] = {
        "candidate": lambda: _that(case.candidate),
        "verifier": lambda: world.verifier(case.home),
        "centre staff": lambda: _centre_staff(world),
    }
    asking = client.as_(await world.token(await owners[who]())) if who in owners else client
    before = await everything()
    refused = await order(asking, name, case, 1)
    assert refused["__typename"] == ("NotLoggedIn" if who == "nobody" else "NotAllowed")
    assert await everything() == before


async def _that(candidate: Candidate) -> Candidate:
    return candidate


async def _centre_staff(world: World) -> StaffUser:
    return await world.staff(centre=await world.centre())


async def test_a_result_that_is_not_there_is_not_found(client: Client, world: World, clock: ControlledClock) -> None:
    case = await case_of(world, clock)
    staff = client.as_(await world.token(case.staff))
    for id in ("", "x", gid(case.home), gid(case.candidate)):
        for name in ORDERS:
            assert (await order(staff, name, case, 1, resultId=id))["__typename"] == "ResultNotFound"


# ---- who is told


@pytest.mark.parametrize("act", [act for act in TrailAct if act not in (TrailAct.TOLD, TrailAct.CHANGED)])
async def test_whoever_read_opened_looked_up_downloaded_or_pulled_the_version_is_told(
    act: TrailAct, case: Case
) -> None:
    """R11: by the order itself; who was shown another version, or nothing, is not."""
    holder, earlier = await case.world.institution("Holder"), await case.world.institution("Earlier")
    await case.world.institution("Nobody")
    await case.holds(holder, act=act)
    await case.holds(earlier, version=7, act=act)
    done = await case.order("amendResult")
    assert await case.told() == {("Holder", 1, Change.AMENDED)}
    assert [row["institution_name"] for row in done.told] == ["Holder"]


async def test_journal_tells_each_live_share_and_each_holder_without_one(case: Case) -> None:
    """R11, N6: unread shares too, because dashboards show them; not those that were withdrawn or have expired."""
    world, clock = case.world, case.clock
    institutions = [await world.institution(name) for name in ("withdrawn", "expired", "looked up")]
    for institution, change in zip(institutions, ("withdrawn_at", "expires_at"), strict=False):
        share_id = await world.share(case.result, institution)
        await Share.filter(id=share_id).update(**{change: clock()})
    await case.holds(institutions[0])
    await case.holds(institutions[2], act=TrailAct.LOOKED_UP)
    await case.order("withholdResult")
    home = await Share.get(institution_id=case.home.id)
    expected: list[Any] = [(case.home.id, "RESULT_WITHHELD", home.id, 2)]
    expected += [(one.id, "RESULT_WITHHELD", None, 2) for one in (institutions[0], institutions[2])]
    assert sorted(await case.events(), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("name", ORDERS)
async def test_the_candidate_gets_one_letter_for_each_change(name: str, case: Case) -> None:
    """N1: nobody who has no account, or has closed it."""
    if name == "releaseResultAgain":
        await case.order("withholdResult")
        await Letter.all().delete()
    await case.order(name)
    [letter] = await Letter.all()
    assert (letter.kind, letter.candidate_id, letter.facts) == (corrections.KIND, case.candidate.id, {})
    await Candidate.filter(id=case.candidate.id).update(closed_at=case.clock())
    if name != "revokeResult":
        await case.order("revokeResult")
    assert await Letter.all().count() == 1


async def test_users_of_institutions_that_read_it_are_told_as_they_chose(case: Case) -> None:
    """N2, R11: with a number and nothing else; who only got it, unread, learns it from the inbox."""
    world = case.world
    reader = await world.institution("Reader University")
    await news.look(case.clock())
    users = {
        (institution.name, notify): await world.verifier(institution, notify=notify)
        for institution in (reader, case.home)
        for notify in Notify
    }
    await case.holds(reader)
    await case.order("amendResult")
    await settled()
    await news.look(case.clock())
    assert await corrected(users) == {("Reader University", Notify.AT_ONCE): [1]}
    case.clock.forward(days=8)
    await database.rows("UPDATE letter SET sent_at = now()")
    await news.look(case.clock())
    expected = [("Reader University", notify) for notify in (Notify.AT_ONCE, Notify.DAILY, Notify.WEEKLY)]
    assert await corrected(users) == {who: [1] for who in expected}
    [letter] = await Letter.filter(verifier_id=users[expected[0]].id)
    assert letter.facts == {
        "verifier_id": str(users[expected[0]].id), "institution": "Reader University", "period": "AT_ONCE", "count": 1,
    }  # fmt: skip


async def test_a_correction_of_a_version_that_an_institution_never_had_is_not_mailed_to_it(case: Case) -> None:
    """R11: it was told when the version that it had ended, and has not looked since."""
    user = await case.world.verifier(case.home, notify=Notify.AT_ONCE)
    users = {("Home University", Notify.AT_ONCE): user}
    await case.holds(case.home)
    for name in ("amendResult", "withholdResult"):
        await case.order(name)
        await settled()
        await news.look(case.clock())
        await database.rows("UPDATE letter SET sent_at = now()")
        case.clock.forward(minutes=2)
    await news.look(case.clock())
    assert await corrected(users) == {("Home University", Notify.AT_ONCE): [1]}


async def corrected(users: dict[tuple[str, Notify], VerifierUser]) -> dict[tuple[str, Notify], list[int]]:
    """How many corrections each user was told of, mail by mail; users without a mail are left out."""
    told = {
        who: [letter.facts["count"] for letter in await Letter.filter(verifier_id=user.id, kind=news.CORRECTED)]
        for who, user in users.items()
    }
    return {who: counts for who, counts in told.items() if counts}


async def test_a_reader_who_was_under_way_while_the_version_ended_is_told_later_and_once(case: Case) -> None:
    """R11: their entry in the trail came after the correction had asked for holders."""
    await case.order("amendResult")
    await case.holds(case.home, version=1)
    assert await case.told() == set()
    assert await corrections.tell_late_holders(case.clock() + timedelta(minutes=1)) == 1
    assert await corrections.tell_late_holders(case.clock() + timedelta(minutes=2)) == 0
    assert await case.told() == {("Home University", 1, Change.AMENDED)}
    assert await case.told_in_trail() == [("worker", case.home.id, 1)]


async def test_a_late_holder_who_had_the_event_gets_no_second_one_and_is_mailed_all_the_same(case: Case) -> None:
    """R11, N2: the event of the live share had gone by before the notice came."""
    user = await case.world.verifier(case.home, notify=Notify.AT_ONCE)
    await case.order("amendResult")
    await settled()
    await news.look(case.clock())
    assert await Letter.filter(verifier_id=user.id, kind=news.CORRECTED).count() == 0
    await case.holds(case.home, version=1)
    case.clock.forward(minutes=1)
    await corrections.tell_late_holders(case.clock())
    for _ in range(2):
        await settled()
        await news.look(case.clock())
        await database.rows("UPDATE letter SET sent_at = now()")
        case.clock.forward(minutes=2)
    users = {("Home University", Notify.AT_ONCE): user}
    assert await corrected(users) == {("Home University", Notify.AT_ONCE): [1]}
    assert [(event[0], event[3]) for event in await case.events()] == [(case.home.id, 2)]


async def test_a_late_holder_is_told_of_the_end_of_the_version_that_it_had(case: Case) -> None:
    """R11: not of the version that stands by now."""
    elsewhere = await case.world.institution("Elsewhere")
    for name in ("amendResult", "withholdResult"):
        await case.order(name)
    await case.holds(elsewhere, version=1)
    assert await corrections.tell_late_holders(case.clock()) == 1
    assert [event for event in await case.events() if event[0] == elsewhere.id] == [
        (elsewhere.id, "RESULT_AMENDED", None, 2)
    ]
    assert await case.told_in_trail() == [("worker", elsewhere.id, 1)]


async def test_each_late_holder_is_told_once_however_many_workers_look_at_the_same_moment(case: Case) -> None:
    """R11: notice, event and trail; some have a live share, and so had the event already."""
    late = [await case.world.institution() for _ in range(12)]
    for institution in late[:6]:
        await case.world.share(case.result, institution)
    for name in ("amendResult", "withholdResult"):
        await case.order(name)
    for institution in late:
        await case.holds(institution, version=1)
        await case.holds(institution, version=2)
    told = await asyncio.gather(*[corrections.tell_late_holders(case.clock()) for _ in range(8)])
    assert sum(told) == 24
    assert await HolderNotice.all().count() == 24
    once = sorted((one.id, version) for one in late for version in (1, 2))
    assert sorted((id, version) for _, id, version in await case.told_in_trail()) == once
    shown = sorted((id, version - 1) for id, _, _, version in await case.events() if id != case.home.id)
    assert shown == once


@pytest.mark.parametrize("name", ORDERS)
async def test_who_was_told_stands_in_the_trail_once_for_each_institution(name: str, case: Case) -> None:
    """R11, G1: those who hold the version that ended, by the one who corrected it; others with a share are not told."""
    other = await case.world.institution("Reader")
    await case.world.share(case.result, await case.world.institution("Has not looked"))
    for institution in (case.home, other):
        await case.holds(institution)
    if name == "releaseResultAgain":
        await Result.filter(id=case.result.id).update(withheld_at=case.clock())
    await case.order(name)
    assert await case.told_in_trail() == sorted([("staff", case.home.id, 1), ("staff", other.id, 1)])
    entries = await database.rows("SELECT * FROM trail WHERE act = 'TOLD'")
    assert {(*one["candidates"], *one["results"], one["chain"]) for one in entries} == {
        (case.candidate.id, case.result.id, BOARD_CHAIN)
    }


async def test_the_candidate_reads_in_the_access_log_who_was_told_and_when(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """R11, S11: a line for each of them, beside what they had read."""
    case = await case_of(world, clock)
    await case.holds(case.home)
    clock.forward(minutes=5)
    await case.order("amendResult")
    own = client.as_(await world.token(case.candidate))
    query = "{ me { accessLog { edges { node { act by at version times institution { name } result { id } } } } } }"
    log = (await own.ask(query))["me"]["accessLog"]["edges"]
    (told,) = [edge["node"] for edge in log if edge["node"]["act"] == "TOLD"]
    assert told == {
        "act": "TOLD", "by": "Home University", "at": "2026-11-22T09:05:00+00:00", "version": 1, "times": 1,
        "institution": {"name": "Home University"}, "result": {"id": gid(case.result)},
    }  # fmt: skip


# ---- at once, and killed


async def test_of_two_corrections_at_once_one_is_refused(case: Case) -> None:
    """R11: whichever they are."""
    for first in ORDERS:
        for second in ORDERS:
            stands = "withheld_at" if "releaseResultAgain" in (first, second) else ""
            moments = {"withheld_at": case.clock() if stands else None, "revoked_at": None}
            await database.rows("UPDATE result SET overall_score = 168")
            await Result.filter(id=case.result.id).update(**moments)
            version = (await case.now()).version
            told = await asyncio.gather(case.order(first, version), case.order(second, version), return_exceptions=True)
            done = [one for one in told if isinstance(one, Corrected)]
            refused = [one for one in told if isinstance(one, ResultChangedMeanwhile | StateForbids)]
            assert len(done) <= 1, (first, second)
            assert len(done) + len(refused) == 2, (first, second)
            assert (await case.now()).version == version + len(done)
            assert await ResultVersion.filter(version=version).count() == len(done)


async def test_a_result_is_never_sent_in_the_version_before_without_its_receiver_being_told(case: Case) -> None:
    """R11, S8: sent before the revocation and told of it, or not sent at all; thirty at once."""
    institutions = [await case.world.institution() for _ in range(30)]
    sending = [case.world.share(case.result, one) for one in institutions]
    sent, _ = await asyncio.gather(asyncio.gather(*sending, return_exceptions=True), case.order("revokeResult"))
    assert all(isinstance(one, UUID | ResultNotSendable) for one in sent)
    told = {institution_id for institution_id, _, _, _ in await case.events()}
    there = {one.id for one, answer in zip(institutions, sent, strict=True) if isinstance(answer, UUID)}
    assert told == there | {case.home.id}


@pytest.mark.parametrize("name", ["amendResult", "withholdResult", "revokeResult"])
async def test_a_correction_that_dies_at_any_statement_has_changed_nothing(
    name: str, case: Case, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: its connection is cut before each of its statements in turn, as by a power cut."""
    await case.holds(case.home)
    before = await everything()
    cut = Cut(database_url)
    original = asyncpg.Connection.fetch

    async def fetch(self: Any, *values: Any, **options: Any) -> Any:
        await cut.count(self)
        return await original(self, *values, **options)

    monkeypatch.setattr(asyncpg.Connection, "fetch", fetch)
    for at in range(1, 100):
        cut.start(at)
        try:
            await case.order(name, version=1)
        except (Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError):
            cut.stop()
            assert await everything() == before, at
        else:
            break
    cut.stop()
    assert at > 8
    assert (await case.now()).version == 2
    assert await case.told() == {
        ("Home University", 1, {"a": Change.AMENDED, "w": Change.WITHHELD}.get(name[0], Change.REVOKED))
    }


class Cut:
    """Ends a connection from outside, when it is about to send the statement of a certain number."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.left = 0

    def start(self, at: int) -> None:
        """Count from now on, and cut at this one."""
        self.left = at

    def stop(self) -> None:
        """Cut nothing any more."""
        self.left = 0

    async def count(self, connection: Any) -> None:
        """One statement is about to be sent; reads outside a transaction are tried once more, and do not count."""
        if self.left == 0 or not connection.is_in_transaction():
            return
        self.left -= 1
        if self.left == 0:
            other = await asyncpg.connect(self.url)
            await other.execute("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
            await other.close()
