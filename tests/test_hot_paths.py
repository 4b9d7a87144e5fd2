"""How many statements the hot paths send: the same number however many rows there are.

Each request begins with one that finds the session behind the token. Once in ten seconds, and never within these
tests but the last, a second one notes that the session was used.
"""

from typing import Any

from engine import database
from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.result import Result
from models.share import Share
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.world import World, gid

PAGE = """{ inbox { edges { cursor node { id status sentAt
    candidate { name nativeName dateOfBirth }
    result { qualification headline overallScoreShown cefr statementNumber skillScores { skill score } } } }
  pageInfo { hasNextPage endCursor } %s } }"""
OWN = """{ me { name results { qualification headline overallScoreShown status skillScores { skill score }
    shares(first: 5) { edges { node { status openedAt institution { shownAs } } } } } } }"""
BY_NUMBER = """query ($wanted: [_Any!]!) { _entities(representations: $wanted) {
    ... on Result { headline overallScoreShown skillScores { skill score } exam { title } centre { name } } } }"""
SEND = """mutation ($input: SendResultInput!) { sendResult(input: $input) { ... on ResultSent { wasAlreadySent
    share { id status result { headline } candidate { name } institution { shownAs } consent { text } } } } }"""
OPEN = """mutation ($input: OpenShareInput!) { openShare(input: $input) { ... on ShareOpened {
    share { id status openedAt candidate { name } result { headline skillScores { skill score } } } } } }"""


async def counted(statements: Statements, client: Client, query: str, **variables: Any) -> tuple[int, Any]:
    """How many statements one request sent, and what it was answered."""
    with statements.counted():
        answer = await client.ask(query, **variables)
    return len(statements), answer


async def shared(world: World, count: int, institution: Institution) -> None:
    """So many results, each of a candidate of its own, sent to the institution."""
    for _ in range(count):
        await world.share(await world.result(), institution)


async def test_a_page_of_the_inbox_takes_two_statements_for_five_shares_and_for_fifty(
    client: Client, world: World, statements: Statements
) -> None:
    """V1, G1: the session; the page with candidates, results, skill scores, the place in the journal and the trail."""
    institution = await world.institution()
    verifier = client.as_(await world.token(await world.verifier(institution)))
    for more, shown in ((5, 5), (45, 50), (1, 50)):
        await shared(world, more, institution)
        sent, answer = await counted(statements, verifier, PAGE % "")
        assert len(answer["inbox"]["edges"]) == shown
        assert len(answer["inbox"]["edges"][-1]["node"]["result"]["skillScores"]) == 5
        assert sent == 2, statements.sent
        assert "INSERT INTO trail" in statements.sent[1]
    sent, _ = await counted(statements, verifier, PAGE % "totalCount unreadCount")
    assert sent == 3, statements.sent  # and one for both counts


async def test_own_results_take_four_statements_for_one_and_for_twenty(
    client: Client, world: World, statements: Statements
) -> None:
    """R4, S6: the session; the candidate; results with skill scores; the shares of all of them."""
    candidate, institution = await world.candidate(), await world.institution()
    asking = client.as_(await world.token(candidate))
    for more, shown in ((1, 1), (19, 20)):
        for _ in range(more):
            await world.share(await world.result(await world.entry(candidate)), institution)
        sent, answer = await counted(statements, asking, OWN)
        results = answer["me"]["results"]
        assert [len(one["shares"]["edges"]) for one in results] == [1] * shown
        assert [len(one["skillScores"]) for one in results] == [5] * shown
        assert sent == 4, statements.sent


async def test_a_statement_is_planned_once_and_not_each_time_that_it_is_sent(client: Client, world: World) -> None:
    """PostgreSQL by itself plans the shares of own results each time: it takes four times as long as to read them."""
    candidate, institution = await world.candidate(), await world.institution()
    await world.share(await world.result(await world.entry(candidate)), institution)
    asking = client.as_(await world.token(candidate))
    for _ in range(10):
        await asking.ask(OWN)
    planned = await database.rows("SELECT generic_plans, custom_plans FROM pg_prepared_statements")
    assert max(one["generic_plans"] for one in planned) > 1
    assert sum(one["custom_plans"] for one in planned) == 0


async def test_results_by_statement_number_take_two_statements_for_one_and_for_thirty(
    client: Client, world: World, statements: Statements
) -> None:
    """P5: the session; all the results."""
    candidate = await world.candidate()
    asking = client.as_(await world.token(candidate))
    for more, shown in ((1, 1), (29, 30)):
        for _ in range(more):
            await world.result(await world.entry(candidate))
        numbers = await Result.all().values_list("statement_number", flat=True)
        wanted = [{"__typename": "Result", "statementNumber": number} for number in numbers]
        sent, answer = await counted(statements, asking, BY_NUMBER, wanted=wanted)
        assert [len(one["skillScores"]) for one in answer["_entities"]] == [5] * shown
        assert sent == 2, statements.sent


async def test_sending_a_result_takes_nine_statements_and_again_eight(
    client: Client, world: World, statements: Statements
) -> None:
    """S3, S4, G1: the session; BEGIN; the result, kept as it is; the institution, kept approved; the share;
    its event and its entry in the trail, or, sent again, the share that is there; the share as it is answered; COMMIT.
    """
    candidate, institution = await world.candidate(), await world.institution()
    result = await world.result(await world.entry(candidate))
    asking = client.as_(await world.token(candidate))
    wanted = {"resultId": gid(result), "institutionId": gid(institution), "consentVersion": CONSENT_VERSION}
    for was_there, expected in ((False, 9), (True, 8)):
        sent, answer = await counted(statements, asking, SEND, input=wanted)
        assert answer["sendResult"]["wasAlreadySent"] is was_there
        assert sent == expected, statements.sent


async def test_opening_a_share_takes_eight_statements_and_opening_it_again_six(
    client: Client, world: World, statements: Statements
) -> None:
    """V2: the session; BEGIN; the share, kept for this; the first time its mark and its event; the share as answered;
    the trail; COMMIT.
    """
    institution = await world.institution()
    verifier = client.as_(await world.token(await world.verifier(institution)))
    await shared(world, 1, institution)
    share = await Share.get()
    for expected in (8, 6, 6):
        sent, answer = await counted(statements, verifier, OPEN, input={"shareId": gid(share)})
        assert answer["openShare"]["share"]["status"] == "READ"
        assert sent == expected, statements.sent


async def test_a_search_for_an_institution_takes_two_statements(
    client: Client, world: World, statements: Statements
) -> None:
    """S1: the session; the institutions. Nobody's session needs none."""
    for number in range(25):
        await world.institution(f"Kobe College {number}")
    candidate = client.as_(await world.token(await world.candidate()))
    query = '{ institutions(search: "kobe") { shownAs city country consent { text version } } }'
    for asking, expected in ((candidate, 2), (client, 1)):
        sent, answer = await counted(statements, asking, query)
        assert len(answer["institutions"]) == 20
        assert sent == expected, statements.sent


async def test_the_use_of_a_session_is_noted_once_in_ten_seconds(
    client: Client, world: World, statements: Statements, clock: ControlledClock
) -> None:
    """A10: both sides of the edge; more often, every read would also write."""
    asking = client.as_(await world.token(await world.candidate()))
    for seconds, expected in ((9, 2), (1, 3), (0, 2), (9, 2)):
        clock.forward(seconds=seconds)
        sent, _ = await counted(statements, asking, "{ me { name } }")
        assert sent == expected, statements.sent
