"""The access log: a candidate sees who opened, read, looked up or fetched their results, and when (S11, V3)."""

from datetime import timedelta
from typing import Any

import pytest

from engine import database
from models.candidate import Candidate
from models.institution import Institution
from models.result import Result
from models.session import EmailChange, PasswordReset, email_change_token, reset_token
from models.share import Share
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import trail
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.world import PASSWORD, SECRET, World, gid

LINE = "act by at lastAt times version purpose institution { name } result { id }"
LOG = f"""query ($first: Int, $after: String) {{ me {{ accessLog(first: $first, after: $after) {{
    edges {{ cursor node {{ {LINE} }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""
OPEN = "mutation ($input: OpenShareInput!) { openShare(input: $input) { __typename } }"


@pytest.fixture
async def candidate(client: Client, world: World) -> Candidate:
    return await world.candidate()


@pytest.fixture
async def own(client: Client, world: World, candidate: Candidate) -> Client:
    return client.as_(await world.token(candidate))


@pytest.fixture
async def result(world: World, candidate: Candidate) -> Result:
    return await world.result(await world.entry(candidate))


@pytest.fixture
async def institution(client: Client, world: World) -> Institution:
    return await world.institution("Keio University")


async def lines(own: Client) -> list[dict[str, Any]]:
    """The log, at most a hundred lines of it."""
    log = (await own.ask(LOG, first=100))["me"]["accessLog"]
    return [edge["node"] for edge in log["edges"]]


def office(world: World, institution: Institution) -> Viewer:
    """Any user of an institution, at this moment."""
    return world.viewer(Kind.VERIFIER, institution.id, institution_id=institution.id)


async def test_a_result_that_was_opened_is_told_with_when_and_by_whom(
    own: Client, client: Client, world: World, result: Result, institution: Institution, clock: ControlledClock
) -> None:
    """Also that it was read in a list before."""
    share = await Share.get(id=await world.share(result, institution))
    clock.forward(minutes=1)
    verifier = client.as_(await world.token(await world.verifier(institution, name="Mr Nameless")))
    await verifier.ask("{ inbox { edges { node { result { headline } } } } }")
    clock.forward(minutes=1)
    await verifier.ask(OPEN, input={"shareId": gid(share)})
    shared = {"by": "Keio University", "times": 1, "version": 1, "purpose": None}
    led_to = {"institution": {"name": "Keio University"}, "result": {"id": gid(result)}}
    opened, read, sent = await lines(own)
    assert (sent["act"], sent["by"], sent["version"]) == ("CHANGED", "You", 1)
    assert opened == shared | led_to | {"act": "OPENED", "at": opened["lastAt"], "lastAt": "2026-11-22T09:02:00+00:00"}
    assert read == shared | led_to | {"act": "READ", "at": read["lastAt"], "lastAt": "2026-11-22T09:01:00+00:00"}


async def test_every_act_has_its_word_and_a_look_up_tells_its_purpose(
    own: Client, world: World, candidate: Candidate, result: Result, institution: Institution, clock: ControlledClock
) -> None:
    """V3: who looked up a result without a share had to say why."""
    for act in TrailAct:
        clock.forward(seconds=1)
        purpose = "Admission in April" if act is TrailAct.LOOKED_UP else None
        await trail.note(office(world, institution), act, [About(candidate.id, result.id, 1)], purpose)
    told = await lines(own)
    assert [line["act"] for line in reversed(told)] == [act.value for act in TrailAct]
    assert {line["purpose"] for line in told if line["act"] == "LOOKED_UP"} == {"Admission in April"}


async def test_reads_of_one_day_by_one_institution_are_one_line(
    client: Client, world: World, candidate: Candidate, result: Result, institution: Institution, clock: ControlledClock
) -> None:
    """By any of its users; another version, another day (UTC) or another institution is another line."""
    other = await world.institution("Ozu College")

    async def read(version: int = 1, by: Institution = institution) -> None:
        await trail.note(office(world, by), TrailAct.READ, [About(candidate.id, result.id, version)])

    await read()
    clock.forward(hours=14, minutes=59, seconds=59)  # the last second of the day
    await read()
    await read(version=2)
    await read(by=other)
    clock.forward(seconds=1)
    await read()
    found = await lines(client.as_(await world.token(candidate)))
    told = [(line["at"][:19], line["lastAt"][:19], line["by"], line["version"], line["times"]) for line in found]
    assert sorted(told) == [
        ("2026-11-22T09:00:00", "2026-11-22T23:59:59", "Keio University", 1, 2),
        ("2026-11-22T23:59:59", "2026-11-22T23:59:59", "Keio University", 2, 1),
        ("2026-11-22T23:59:59", "2026-11-22T23:59:59", "Ozu College", 1, 1),
        ("2026-11-23T00:00:00", "2026-11-23T00:00:00", "Keio University", 1, 1),
    ]
    assert [line[0] for line in told] == sorted((line[0] for line in told), reverse=True)


async def test_downloads_are_told_one_by_one(
    own: Client, world: World, candidate: Candidate, result: Result, institution: Institution
) -> None:
    for _ in range(3):
        await trail.note(office(world, institution), TrailAct.DOWNLOADED, [About(candidate.id, result.id, 1)])
    assert [(line["act"], line["times"]) for line in await lines(own)] == [("DOWNLOADED", 1)] * 3


@pytest.mark.parametrize(("is_board", "by"), [(True, "Staff of the exam board"), (False, "Staff of an exam centre")])
async def test_staff_are_told_by_whose_they_are_and_not_by_name(
    own: Client, world: World, candidate: Candidate, is_board: bool, by: str
) -> None:
    viewer = world.viewer(Kind.STAFF, candidate.id, is_board=is_board)
    await trail.note(viewer, TrailAct.CHANGED, [About(candidate.id)])
    (line,) = await lines(own)
    assert (line["by"], line["institution"], line["result"], line["version"]) == (by, None, None, None)


async def test_what_candidates_did_themselves_is_told_as_theirs(
    own: Client, world: World, candidate: Candidate, institution: Institution
) -> None:
    """S11: nobody is frightened by a stranger who is none, or takes an institution for the one who did it."""
    for institution_id in (None, institution.id):
        viewer = world.viewer(Kind.CANDIDATE, candidate.id, institution_id=institution_id)
        await trail.note(viewer, TrailAct.CHANGED, [About(candidate.id)])
    assert [line["by"] for line in await lines(own)] == ["You", "You"]


async def test_nobody_reads_of_other_candidates(
    own: Client, world: World, candidate: Candidate, result: Result, institution: Institution
) -> None:
    """Of an entry about many, only one's own results; of others' entries nothing."""
    strangers = [await world.result() for _ in range(3)]
    about = [About((await (await one.entry).candidate).id, one.id, 1) for one in strangers]
    await trail.note(office(world, institution), TrailAct.READ, [*about, About(candidate.id, result.id, 1)])
    await trail.note(office(world, institution), TrailAct.OPENED, about)
    (line,) = await lines(own)
    assert (line["act"], line["result"]) == ("READ", {"id": gid(result)})


async def test_only_the_candidate_sees_it(
    client: Client, world: World, candidate: Candidate, result: Result, institution: Institution
) -> None:
    """Not staff, nor institutions, who would see one another."""
    await world.share(result, institution)
    query = "query ($id: ID!) { node(id: $id) { ... on Candidate { name accessLog { edges { node { by } } } } } }"
    for user in (await world.verifier(institution), await world.staff()):
        asking = client.as_(await world.token(user))
        node = (await asking.ask(query, id=gid(candidate)))["node"]
        assert node["name"]
        assert node["accessLog"] is None


async def test_it_tells_nothing_of_a_result_before_its_release(
    own: Client, world: World, candidate: Candidate, clock: ControlledClock
) -> None:
    """R3: staff who loaded it left their trail; both sides of the moment."""
    released_at = clock() + timedelta(minutes=20)
    result = await world.result(await world.entry(candidate), released_at=released_at)
    await trail.note(world.viewer(Kind.STAFF, is_board=True), TrailAct.CHANGED, [About(candidate.id, result.id, 1)])
    clock.now = released_at - timedelta(microseconds=1)
    assert await lines(own) == []
    clock.now = released_at
    assert [line["result"] for line in await lines(own)] == [{"id": gid(result)}]


async def test_it_tells_nothing_of_a_result_whose_release_nobody_has_set(
    own: Client, world: World, candidate: Candidate
) -> None:
    """R3: no moment is no moment that has come; not even that a version is there is told."""
    result = await world.result(await world.entry(candidate), released_at=None)
    await trail.note(world.viewer(Kind.STAFF, is_board=True), TrailAct.CHANGED, [About(candidate.id, result.id, 1)])
    assert await lines(own) == []


async def test_pages_hold_every_line_once_while_more_is_read(
    own: Client, world: World, candidate: Candidate, result: Result, clock: ControlledClock
) -> None:
    """Newest first; also several lines of one moment, and a line that grows meanwhile."""
    institutions = [await world.institution(f"College {number}") for number in range(7)]
    about = [About(candidate.id, result.id, 1)]
    for number, institution in enumerate(institutions):
        clock.forward(seconds=number % 2)
        await trail.note(office(world, institution), TrailAct.READ, about)
        await trail.note(office(world, institution), TrailAct.PULLED, about)
    told: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await own.ask(LOG, first=3, after=after))["me"]["accessLog"]
        told += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        clock.forward(seconds=1)
        await trail.note(office(world, institutions[0]), TrailAct.READ, about)
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert sorted((line["by"], line["act"]) for line in told) == sorted(
        (institution.name, act) for institution in institutions for act in ("READ", "PULLED")
    )
    assert [line["at"] for line in told] == sorted((line["at"] for line in told), reverse=True)


async def test_an_empty_log_is_a_page_without_lines(own: Client) -> None:
    assert (await own.ask(LOG, first=1))["me"]["accessLog"]["edges"] == []
    errors = await own.errors(LOG, first=1, after="nothing")
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


async def test_a_log_of_fifty_lines_takes_as_many_statements_as_one_of_five(
    own: Client, world: World, candidate: Candidate, result: Result, statements: Statements
) -> None:
    """The session, the candidate, the lines; institutions and results by one each."""
    about = [About(candidate.id, result.id, 1)]
    counts = []
    for more, shown in ((5, 5), (45, 50)):
        for _ in range(more):
            await trail.note(office(world, await world.institution()), TrailAct.READ, about)
        with statements.counted():
            assert len((await own.ask(LOG, first=50))["me"]["accessLog"]["edges"]) == shown
        counts.append(len(statements))
    assert counts == [5, 5]


async def test_it_is_read_by_the_index_among_very_many_entries(
    own: Client, world: World, candidate: Candidate, result: Result, institution: Institution
) -> None:
    """50,000 entries of others; the plan is asked for, because time depends on the machine."""
    await database.rows(
        """INSERT INTO trail (chain, act, at, viewer_kind, institution_id, candidates, results, versions, path,
                              address, request_id)
           SELECT :id, 'READ', now(), 'verifier', :id, ARRAY[gen_random_uuid()], '{}', '{}', '', '', ''
           FROM generate_series(1, 50000)""",
        id=institution.id,
    )
    await trail.note(office(world, institution), TrailAct.OPENED, [About(candidate.id, result.id, 1)])
    await database.rows("ANALYZE trail")
    plan = await database.rows(
        "EXPLAIN SELECT * FROM trail WHERE trail.candidates @> ARRAY[:id::uuid]", id=candidate.id
    )
    assert "trail_candidates" in "\n".join(row["QUERY PLAN"] for row in plan)
    assert len(await lines(own)) == 1


async def test_what_candidates_change_of_their_account_stands_in_it_too(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """G1: so that they see what somebody else did in their name; by a mailed link as well, where nobody logs in."""
    entry = await world.entry(await world.candidate(registered=False))
    form = {"idNumber": entry.id_number, "secretNumber": SECRET, "acceptsTerms": True}
    form |= dict.fromkeys(("email", "emailAgain"), "aoi@mail.example")
    await client.order("register", "", **form, **dict.fromkeys(("password", "passwordAgain"), PASSWORD))
    own = client.as_(await world.token(await Candidate.get(id=entry.candidate_id)))
    clock.forward(minutes=1)
    await own.order("changeMyDetails", "", language="ja")
    new = dict.fromkeys(("password", "passwordAgain"), "another horse 43")
    await own.order("changePassword", "", oldPassword=PASSWORD, **new)
    clock.forward(minutes=1)
    reset = await PasswordReset.create(candidate_id=entry.candidate_id, asked_at=clock())
    newer = dict.fromkeys(("password", "passwordAgain"), "a third horse 44")
    await client.order("resetPassword", "", token=reset_token(reset.id), **newer)
    change = await EmailChange.create(candidate_id=entry.candidate_id, new_email="b@mail.example", asked_at=clock())
    await client.order("confirmEmail", "", token=email_change_token(change.id))
    found = await lines(client.as_(await world.token(await Candidate.get(id=entry.candidate_id))))
    assert [(line["act"], line["by"], line["result"]) for line in found] == [("CHANGED", "You", None)] * 5
