"""People ask to be added to an institution's account, and its Primary User or staff decide (O5)."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import database
from models.institution import Institution
from models.join_request import JoinRequest, JoinRequestStatus
from models.letter import Letter
from models.verifier import VerifierStatus, VerifierUser
from resolvers import join_requests, purges
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.hostile import HOSTILE
from tests.locks import lined_up
from tests.mail_server import mails_in, text_of
from tests.world import World, gid

WAITING = "joinRequests { edges { node { id name email language askedAt answerUntil institution { name } } } }"
DECIDED = """... on JoinRequestDecided { user { email status role isPrimary } } ... on PrimaryStillAsked { until }
             ... on AlreadyDecided { decision decidedAt } ... on InvalidInput { problems { path } }"""


@dataclass
class Office:
    """An institution with its Primary User, and the board's staff."""

    client: Client
    world: World
    institution: Institution
    primary: VerifierUser
    as_primary: Client
    as_board: Client

    async def ask(self, client: Client | None = None, **given: Any) -> Any:
        """The answer to somebody who asks to join."""
        form = {"institutionId": gid(self.institution), "name": "Rin Sato", "email": "rin@office.example"}
        told = "... on JoinRequested { message } ... on InvalidInput { problems { path } }"
        return await (client or self.client).order("requestToJoin", told, **form | given)

    async def decide(self, client: Client, request: JoinRequest, accept: bool = True, **given: Any) -> Any:
        """The answer to a decision."""
        return await client.order("decideJoinRequest", DECIDED, id=gid(request), accept=accept, **given)


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    institution = await world.institution("Minato University")
    primary, board = await world.verifier(institution), await world.staff()
    tokens = [await world.token(user) for user in (primary, board)]
    return Office(client, world, institution, primary, *(client.as_(token) for token in tokens))


# ---- asking


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("language", "words"), [("en", "asks to be a user"), ("ja", "参加の申請がありました")])
async def test_primary_is_told_by_mail_and_sees_who_asks(
    office: Office, settings: Settings, language: str, words: str
) -> None:
    """O5: in the Primary User's language; what the asker wrote is in no mail, but behind the log-in."""
    await VerifierUser.filter(id=office.primary.id).update(language=language)
    assert (await office.ask(language="ja"))["__typename"] == "JoinRequested"
    [mail] = await mails_in(settings.var / "mail", 1)
    assert (mail["To"], words in text_of(mail), "Rin Sato" in text_of(mail)) == (office.primary.email, True, False)
    [edge] = (await office.as_primary.ask(f"{{ organisation {{ {WAITING} }} }}"))["organisation"]["joinRequests"][
        "edges"
    ]
    assert edge["node"] == {
        "id": gid(await JoinRequest.get()),
        "name": "Rin Sato",
        "email": "rin@office.example",
        "language": "ja",
        "askedAt": "2026-11-22T09:00:00+00:00",
        "answerUntil": "2026-11-27",
        "institution": {"name": "Minato University"},
    }


async def test_answer_is_the_same_whether_or_not_the_address_is_known(office: Office, statements: Statements) -> None:
    """O5: of another institution's user, of a colleague, of nobody; as many statements."""
    world = office.world
    known = [await world.verifier(), await world.verifier(office.institution)]
    answers, sent = [], []
    for email in [*(user.email for user in known), "nobody@office.example"]:
        with statements.counted():
            answers.append(await office.ask(email=email))
        sent.append(len(statements))
    assert answers == [answers[0]] * 3
    assert sent == [sent[0]] * 3
    assert len(await JoinRequest.all()) == 3


async def test_address_that_asks_again_is_answered_alike_and_the_primary_told_once(office: Office) -> None:
    """O5: however it is written, and at the same moment."""
    emails = ["rin@office.example", "RIN@office.example", " rin@office.example "]
    answers = await asyncio.gather(*(office.ask(email=email) for email in emails))
    assert answers == [answers[0]] * 3
    assert (await JoinRequest.all().count(), await Letter.all().count()) == (1, 1)


async def test_who_was_refused_may_ask_again(office: Office) -> None:
    await office.ask()
    await office.decide(office.as_primary, await JoinRequest.get(), accept=False)
    assert (await office.ask())["__typename"] == "JoinRequested"
    assert await JoinRequest.filter(status=JoinRequestStatus.ASKED).count() == 1


@pytest.mark.parametrize("status", ["APPLIED", "EMAIL_CONFIRMED", "REFUSED", "SUSPENDED"])
async def test_only_approved_institutions_are_asked(office: Office, status: str) -> None:
    """O3, O5."""
    facts = {"SUSPENDED": {"suspended_at": office.world.clock()}}.get(status, {"approved_at": None})
    await Institution.filter(id=office.institution.id).update(status=status, **facts)
    assert (await office.ask())["__typename"] == "InstitutionNotFound"
    assert await JoinRequest.all().count() == 0


async def test_every_fault_of_the_form_is_told_at_once(office: Office) -> None:
    answer = await office.ask(name="", email="rin", language="fr")
    assert [problem["path"] for problem in answer["problems"]] == ["name", "email", "language"]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_text_is_refused_clearly(office: Office, text: str) -> None:
    good = {"institutionId": gid(office.institution), "name": "Rin", "email": "rin@office.example"}
    query = "mutation ($input: RequestToJoinInput!) { requestToJoin(input: $input) { __typename } }"
    for field in good:
        answer = (await office.client.send({"query": query, "variables": {"input": good | {field: text}}})).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
        told = {"JoinRequested", "InvalidInput", "InstitutionNotFound", "TooManyTries"}
        assert codes or answer["data"]["requestToJoin"]["__typename"] in told


async def test_no_client_asks_without_end(office: Office, clock: ControlledClock) -> None:
    """Ten in an hour; both sides of the edge."""
    for number in range(10):
        assert (await office.ask(email=f"{number}@office.example"))["__typename"] == "JoinRequested"
    assert (await office.ask(email="late@office.example"))["__typename"] == "TooManyTries"
    clock.forward(hours=1)
    assert (await office.ask(email="late@office.example"))["__typename"] == "JoinRequested"


async def test_no_primary_is_flooded_and_nobody_learns_of_it(office: Office, clock: ControlledClock) -> None:
    """Beyond thirty a day the answer is the same, and nothing is written."""
    rate = join_requests.REQUESTS_BY_INSTITUTION
    await database.rows(
        "INSERT INTO rate_window (kind, subject, window_started_at, count) VALUES (:kind, :subject, :at, :count)",
        kind=rate.kind,
        subject=str(office.institution.id),
        at=rate.started_at(clock()),
        count=rate.most - 1,
    )
    answers = [await office.ask(email=email) for email in ("last@office.example", "late@office.example")]
    assert answers == [answers[0]] * 2
    assert [request.email for request in await JoinRequest.all()] == ["last@office.example"]


# ---- deciding


@pytest.mark.usefixtures("worker")
async def test_primary_accepts_and_the_person_is_mailed_a_link(office: Office, settings: Settings) -> None:
    """O5, U2: in the person's language."""
    request = await office.world.join_request(office.institution, email="rin@x.example", language="ja")
    answer = await office.decide(office.as_primary, request, role="READER")
    assert answer["user"] == {"email": "rin@x.example", "status": "INVITED", "role": "READER", "isPrimary": False}
    [mail] = await mails_in(settings.var / "mail", 1)
    assert (mail["To"], "/set-password#" in text_of(mail)) == ("rin@x.example", True)
    assert "確認担当者として登録" in text_of(mail)
    waiting = await office.as_primary.ask(f"{{ organisation {{ {WAITING} }} }}")
    assert waiting["organisation"]["joinRequests"]["edges"] == []


@pytest.mark.usefixtures("worker")
async def test_primary_refuses_and_the_person_is_told(office: Office, settings: Settings) -> None:
    """O5."""
    request = await office.world.join_request(office.institution)
    assert (await office.decide(office.as_primary, request, accept=False))["user"] is None
    [mail] = await mails_in(settings.var / "mail", 1)
    assert (mail["To"], "was refused" in text_of(mail)) == (request.email, True)
    assert await VerifierUser.filter(email=request.email).count() == 0


async def test_request_of_somebody_with_an_account_is_not_accepted_and_goes_on_waiting(office: Office) -> None:
    """O5, U2: whose account it is, is not told; it can be refused."""
    elsewhere = await office.world.verifier()
    request = await office.world.join_request(office.institution, email=elsewhere.email)
    assert (await office.decide(office.as_primary, request))["problems"] == [{"path": "email"}]
    assert (await JoinRequest.get()).status is JoinRequestStatus.ASKED
    assert (await office.decide(office.as_primary, request, accept=False))["__typename"] == "JoinRequestDecided"


async def test_it_is_decided_once(office: Office, settings: Settings) -> None:
    """O5: of two at once one is told what the other decided."""
    assert settings.database_url is not None
    request = await office.world.join_request(office.institution)
    answers = await lined_up(
        settings.database_url,
        "institution",
        lambda: office.decide(office.as_primary, request, accept=True),
        lambda: office.decide(office.as_primary, request, accept=False),
    )
    assert [answer["__typename"] for answer in answers] == ["JoinRequestDecided", "AlreadyDecided"]
    assert (answers[1]["decision"], answers[1]["decidedAt"]) == ("ACCEPTED", "2026-11-22T09:00:00+00:00")
    assert [letter.kind for letter in await Letter.all()] == ["user_invited"]


async def test_staff_decide_once_the_primarys_five_working_days_are_over(
    office: Office, clock: ControlledClock
) -> None:
    """O5: asked on a Sunday, until the end of Friday; both sides of the edge."""
    request = await office.world.join_request(office.institution)
    clock.now = datetime(2026, 11, 27, 23, 59, 59, 999999, tzinfo=UTC)
    board = office.client.as_(await office.world.token(await office.world.staff()))
    answer = await office.decide(board, request)
    assert (answer["__typename"], answer["until"]) == ("PrimaryStillAsked", "2026-11-27")
    clock.forward(microseconds=1)
    assert (await office.decide(board, request))["__typename"] == "JoinRequestDecided"


async def test_staff_decide_at_once_where_there_is_no_primary(office: Office) -> None:
    """O5: nobody has set a password there yet."""
    request = await office.world.join_request()
    assert (await office.decide(office.as_board, request))["__typename"] == "JoinRequestDecided"


async def test_staff_see_the_requests_of_all_page_by_page(office: Office, clock: ControlledClock) -> None:
    """O5: newest first."""
    requests = []
    for _ in range(3):
        requests.append(await office.world.join_request())
        clock.forward(seconds=1)
    query = """query ($after: String) { staff { joinRequests(first: 2, after: $after) {
        edges { node { id } cursor } pageInfo { hasNextPage } } } }"""
    seen, after = [], None
    for has_next in (True, False):
        page = (await office.as_board.ask(query, after=after))["staff"]["joinRequests"]
        assert page["pageInfo"]["hasNextPage"] is has_next
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["edges"][-1]["cursor"]
    assert seen == [gid(request) for request in reversed(requests)]


async def test_requests_rest_while_the_institution_is_suspended(office: Office, clock: ControlledClock) -> None:
    """O3: even for staff; they are there again afterwards."""
    request = await office.world.join_request(office.institution)
    await office.world.suspend(office.institution)
    clock.forward(days=10)
    board = office.client.as_(await office.world.token(await office.world.staff()))
    assert (await office.decide(board, request))["__typename"] == "JoinRequestNotFound"
    await Institution.filter(id=office.institution.id).update(status="APPROVED", suspended_at=None)
    assert (await office.decide(board, request))["__typename"] == "JoinRequestDecided"


async def test_strangers_see_and_decide_nothing(office: Office) -> None:
    """O5, U3: nobody, candidates, colleagues, a centre's staff, other institutions, and who was Primary before."""
    world = office.world
    request = await world.join_request(office.institution)
    colleague, elsewhere = await world.verifier(office.institution), await world.verifier()
    gone = await world.verifier(office.institution)
    clients: dict[str, list[str | None]] = {
        "NotLoggedIn": [None, await world.token(gone)],
        "NotAllowed": [
            await world.token(one)
            for one in (await world.candidate(), colleague, await world.staff(await world.centre()))
        ],
        "JoinRequestNotFound": [await world.token(elsewhere)],
    }
    await world.remove(gone)
    for expected, tokens in clients.items():
        for token in tokens:
            client = office.client.as_(token)
            assert (await office.decide(client, request))["__typename"] == expected
            shown = await client.ask(
                f"query ($id: ID!) {{ organisation {{ {WAITING} }} staff {{ {WAITING} }} node(id: $id) {{ id }} }}",
                id=gid(request),
            )
            assert request.email not in str(shown)
            assert shown["node"] is None
    handed = await office.as_primary.order("handOverPrimary", "", userId=gid(colleague))
    assert handed["__typename"] == "PrimaryHandedOver"
    assert (await office.decide(office.as_primary, request))["__typename"] == "NotAllowed"
    assert (await JoinRequest.get()).status is JoinRequestStatus.ASKED


async def test_accepted_user_is_no_primary(office: Office) -> None:
    """U1."""
    request = await office.world.join_request(office.institution)
    await office.decide(office.as_primary, request)
    user = await VerifierUser.get(email=request.email)
    assert (user.status, user.is_primary) == (VerifierStatus.INVITED, False)


async def test_decided_requests_are_forgotten_after_ninety_days(office: Office, clock: ControlledClock) -> None:
    """G2: those that wait are not; both sides of the edge."""
    decided, waiting = [await office.world.join_request(office.institution) for _ in range(2)]
    await office.decide(office.as_primary, decided, accept=False)
    for moment, left in ((timedelta(0), {decided.id, waiting.id}), (timedelta(microseconds=1), {waiting.id})):
        await purges.purge(clock() + timedelta(days=90) + moment)
        assert {request.id for request in await JoinRequest.all()} == left
