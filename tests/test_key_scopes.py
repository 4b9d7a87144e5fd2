"""What each scope of a key opens, by every way that the schema leads to a row, and what none does (P1, U3, O3)."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from graphql import GraphQLInputObjectType, get_named_type
from starlette.applications import Starlette

from models.institution import InstitutionStatus
from models.key import ApiKey
from models.scope import Scope
from models.share import Share
from models.trail import TrailEntry
from resolvers import list_checks
from resolvers.verifying import LOOK_UPS
from schema.ids import key_of
from tests.client import Client
from tests.conftest import ControlledClock
from tests.keyed import Office, kind, seen
from tests.lists import csv_of, result, rows_in, sent, state
from tests.looking_up import BORN, FIND, PURPOSE, VERIFY, paper, used_up
from tests.printed import fields_of
from tests.scene import Asker, Scene, everything_told, scene_of, told_by
from tests.world import World, gid

SKILLS = {205, 206, 207}  # of the scene's first result
SHARED = {
    "other candidate", "candidate", "result 1", "award 1", "version 1", "notice to home", "share with home",
}  # fmt: skip
SEEN = {"sandbox"}  # its institution's, by every key (P4); nothing in it
# What of the scene each scope alone shows; those that are not here show nothing by themselves.
OPENED: dict[Scope, set[str]] = {
    Scope.READ_SHARES: SHARED,
    Scope.VERIFY: {"list check", "list check by key"},
    Scope.DOWNLOAD: {"template", "download", "download again", "home user", "key"},  # who asked is named (D3)
    Scope.MANAGE: {"home user", "newcomer", "key", "template", "webhook"},
}


@pytest.fixture
async def scene(app: Starlette, world: World) -> Scene:
    """Everything that there is to see."""
    return await scene_of(world)


@pytest.fixture
async def office(app: Starlette, client: Client, world: World) -> Office:
    return await Office.of(client, world)


async def told(scene: Scene, app: Starlette, client: Client, of: str, *scopes: Scope) -> tuple[set[str], set[int]]:
    """The rows, and the skill scores, that a key of an institution is told of by any way."""
    _, token = await scene.world.key(scene.rows[of], *scopes)
    answers = (await everything_told(scene, app, client, Asker(token))).values()
    rows = set().union(*(scene.among(answer) for answer in answers))
    return rows, {score for score in SKILLS if any(answer.holds(score) for answer in answers)}


async def test_each_scope_opens_what_is_its_own_and_nothing_else(scene: Scene, app: Starlette, client: Client) -> None:
    there = set(scene.texts)
    for scope in Scope:
        assert await told(scene, app, client, "home", scope) == ((OPENED.get(scope, set()) | SEEN) & there, set()), (
            scope
        )


async def test_all_scopes_together_open_what_an_institution_may_see_and_no_other(
    scene: Scene, app: Starlette, client: Client
) -> None:
    """U3: neither another institution's, nor what its users alone are shown: requests to join, and their accounts."""
    everything = SEEN.union(*OPENED.values()) & set(scene.texts)
    assert await told(scene, app, client, "home", *Scope) == (everything, SKILLS)
    assert await told(scene, app, client, "other", *Scope) == ({"other candidate", "other user"}, set())


async def test_a_key_that_has_ended_opens_nothing(
    scene: Scene, app: Starlette, client: Client, clock: ControlledClock
) -> None:
    """P1, O3: revoked, expired at this very moment, or of an account that is suspended or went up in another."""
    home, world = scene.rows["home"], scene.world
    gone: dict[str, Any] = {"status": InstitutionStatus.MERGED, "merged_into_id": home.id}
    ended = {
        "revoked": await world.key(home, revoked_at=clock()),
        "expired": await world.key(home, created_at=clock() - timedelta(days=2), expires_at=clock()),
        "suspended": await world.key(scene.rows["shut"]),
        "merged": await world.key(await world.institution(**gone)),
    }
    good = (await world.key(home))[1]
    ways = ("Query.inbox", "Query.organisation", "Query.node Share", "Query._entities Candidate", "Query.viewer",
            "Mutation.openShare")  # fmt: skip
    for name, token in {name: token for name, (_, token) in ended.items()}.items():
        for way in ways:
            answer = await told_by(way, scene, app, client, Asker(token))
            assert scene.among(answer) == set(), (name, way)
        assert await kind(client.as_(token)) == "REFUSED"
    for way in ways:
        assert scene.among(await told_by(way, scene, app, client, Asker(good))), way


# ---- reading


async def test_a_program_reads_the_inbox_as_the_users_do(office: Office) -> None:
    shares = await seen(await office.key(Scope.READ_SHARES, Scope.READ_SKILLS))
    assert shares is not None
    assert [share["id"] for share in shares] == [office.share]
    assert len(shares[0]["result"]["skillScores"]) == 5
    without = await seen(await office.key(Scope.READ_SHARES))
    assert without is not None
    assert without[0]["result"]["skillScores"] is None
    assert await seen(await office.key(*set(Scope) - {Scope.READ_SHARES})) is None


async def test_what_the_candidate_left_out_no_scope_shows(office: Office) -> None:
    """S9: scopes only ever take away."""
    await Share.all().update(includes_skills=False, includes_photo=False, allows_downloads=False)
    await office.add_photo()
    (share,) = await seen(await office.key()) or []
    assert (share["result"]["skillScores"], share["result"]["photo"], share["result"]["statement"]) == (None,) * 3


async def test_photos_and_statements_need_scopes_of_their_own(office: Office) -> None:
    """R7, R8: a statement holds skill scores and is a file; without one of the scopes there is no address at all."""
    await office.add_photo()
    read, photo, skills, download = Scope.READ_SHARES, Scope.READ_PHOTO, Scope.READ_SKILLS, Scope.DOWNLOAD
    wanted = {
        (read,): (False, False),
        (read, photo): (True, False),
        (read, skills): (False, False),
        (read, download): (False, False),
        (read, skills, download): (False, True),
    }
    for scopes, given in wanted.items():
        key = await office.key(*scopes)
        (share,) = await seen(key) or []
        links = [share["result"][name] for name in ("photo", "statement")]
        assert tuple(link is not None for link in links) == given, scopes
        for link in filter(None, links):
            assert (await office.client.http.get(urlsplit(link["address"]).path)).status_code == 200


async def test_opening_marks_read_and_marking_by_hand_needs_another_scope(office: Office) -> None:
    """As readers among the users do: they open, and mark nothing by hand (U2)."""
    reading, managing = await office.key(Scope.READ_SHARES), await office.key(Scope.READ_SHARES, Scope.MANAGE)
    share = {"shareId": office.share}
    opened = await reading.order("openShare", "... on ShareOpened { share { status } }", **share)
    assert opened["share"]["status"] == "READ"
    refused = await reading.order("markShare", "", isRead=False, **share)
    assert refused == {
        "__typename": "NotAllowed", "message": "This needs a key with the scope MANAGE.",
    }  # fmt: skip
    assert (await reading.order("markShares", "", isRead=False, filter={}))["__typename"] == "NotAllowed"
    marked = await managing.order("markShare", "... on ShareMarked { share { status } }", isRead=False, **share)
    assert marked["share"]["status"] == "UNREAD"
    alone = await office.key(Scope.MANAGE)
    assert (await alone.order("markShare", "", isRead=True, **share))["__typename"] == "ShareNotFound"
    for other in set(Scope) - {Scope.READ_SHARES}:
        assert (await (await office.key(other)).order("openShare", "", **share))["__typename"] == "NotAllowed"


async def test_what_was_withdrawn_is_told_to_those_who_read_shares(office: Office, clock: ControlledClock) -> None:
    """S10"""
    await Share.all().update(withdrawn_at=clock())
    asked = "{ withdrawnShares { edges { node { shareId } } } inbox { totalCount } }"
    reading = await (await office.key(Scope.READ_SHARES)).ask(asked)
    assert reading["withdrawnShares"]["edges"] == [{"node": {"shareId": office.share}}]
    assert await (await office.key(Scope.MANAGE)).ask(asked) == {"withdrawnShares": None, "inbox": None}


# ---- verifying


async def test_looking_up_needs_its_scope_and_skill_scores_theirs(office: Office) -> None:
    """V3, V5"""
    asked = {"input": paper(office.result) | {"purpose": PURPOSE}}
    plain, whole = await office.key(Scope.VERIFY), await office.key(Scope.VERIFY, Scope.READ_SKILLS)
    answers = [(await key.ask(FIND, **asked))["findResult"] for key in (plain, whole)]
    assert [answer["verdict"] for answer in answers] == ["GENUINE", "GENUINE"]
    assert answers[0]["result"]["skillScores"] is None
    assert len(answers[1]["result"]["skillScores"]) == 5
    listed = {"input": {"pairs": [paper(office.result)], "purpose": PURPOSE}}
    assert (await plain.ask(VERIFY, **listed))["verifyResults"][0]["verdict"] == "GENUINE"
    for scope in set(Scope) - {Scope.VERIFY}:
        (error,) = await (await office.key(scope)).errors(FIND, **asked)
        assert error["extensions"]["code"] == "FORBIDDEN"
    lines = await TrailEntry.filter(viewer_kind="key", act="LOOKED_UP")
    assert {line.institution_id for line in lines} == {office.institution.id}


async def test_look_ups_are_counted_for_each_key_and_for_the_institution(
    office: Office, clock: ControlledClock
) -> None:
    """V3: a key has as many as a user; what it uses up, the institution has used."""
    row, token = await office.world.key(office.institution, Scope.VERIFY)
    asked = {"input": paper(office.result) | {"purpose": PURPOSE}}
    await used_up(clock, LOOK_UPS["USER"], str(row.id), left=1)
    first, other = office.client.as_(token), await office.key(Scope.VERIFY)
    assert (await first.ask(FIND, **asked))["findResult"]["verdict"] == "GENUINE"
    (error,) = await first.errors(FIND, **asked)
    assert error["extensions"]["limit"] == LOOK_UPS["USER"].kind
    assert (await other.ask(FIND, **asked))["findResult"]["verdict"] == "GENUINE"
    await used_up(clock, LOOK_UPS["INSTITUTION"], str(office.institution.id), left=0)
    (error,) = await other.errors(FIND, **asked)
    assert error["extensions"]["limit"] == LOOK_UPS["INSTITUTION"].kind


async def test_a_program_hands_in_a_list_and_fetches_its_result(office: Office, clock: ControlledClock) -> None:
    """V5: the work stands on the key as it is at that moment; another key that looks up may fetch it too."""
    key = await office.key(Scope.VERIFY)
    handed = await sent(key, csv_of([[office.result.statement_number, BORN]]))
    assert handed.answer.status_code == 201, handed.answer.text
    await list_checks.work(clock, {"id": str(key_of(handed.id, "ListCheck"))}, clock())
    assert rows_in(await result(await office.key(Scope.VERIFY), handed.id))[1][2] == "GENUINE"
    asked = "query ($id: ID!) { listCheck(id: $id) { verifier { id } key { name } } }"
    assert (await office.primary.ask(asked, id=handed.id))["listCheck"]["key"]["name"].startswith("Key")
    assert (await (await office.key(Scope.READ_SHARES)).ask(asked, id=handed.id))["listCheck"] is None


async def test_a_list_fails_with_the_key_that_handed_it_in(office: Office, clock: ControlledClock) -> None:
    handed = await sent(await office.key(Scope.VERIFY), csv_of([[office.result.statement_number, BORN]]))
    await ApiKey.all().update(revoked_at=clock())
    await list_checks.work(clock, {"id": str(key_of(handed.id, "ListCheck"))}, clock())
    told = await state(office.primary, handed.id)
    assert (told["status"], told["failure"]) == ("FAILED", list_checks.NO_KEY)


# ---- what no scope opens


ORDERS: dict[str, dict[str, Any]] = {
    "sendResult": {"resultId": "x", "institutionId": "x", "consentVersion": "1"},
    "withdrawShare": {"shareId": "x"},
    "claimEntry": {"idNumber": "ABC123456", "secretNumber": "1234"},
    "changeMyDetails": {"language": "ja"},
    "exportMyData": {"password": "x"},
    "closeMyAccount": {"password": "x", "confirm": True},
    "changePassword": {"oldPassword": "x", "password": "y", "passwordAgain": "y"},
    "inviteInstitution": {"name": "A", "email": "a@b.example", "website": "b.example"},
    "addUser": {"name": "A", "email": "a@b.example"},
    "changeUser": {"id": "x", "language": "ja"},
    "removeUser": {"id": "x"},
    "handOverPrimary": {"userId": "x"},
    "decideJoinRequest": {"id": "x", "accept": True},
    "changeNotifications": {"notify": "DAILY"},
    "createKey": {"name": "x", "scopes": ["VERIFY"]},
    "revokeKey": {"id": "x"},
    "suspendInstitution": {"id": "x", "reason": "A reason."},
    "decideApplication": {"id": "x", "approve": True},
    "addPhoto": {"entryId": "x"},
    "resendMail": {"ids": []},
}
A_SITTING: dict[str, Any] = {"sittingId": "x"}
OF_SITTINGS: dict[str, dict[str, Any]] = {
    "bookSitting": {"examCode": "x", "startsAt": "2027-01-15T09:00", "timezone": "Asia/Tokyo"},
    "takeNextSitting": {},
    "nameRecipients": A_SITTING | {"institutionIds": []},
    "recordSystemCheck": A_SITTING | {"passed": []},
    "confirmCheckInStep": A_SITTING | {"step": "RULES"},
    "enterTest": A_SITTING | {"testId": "x", "password": "x"},
    "handOverSitting": A_SITTING | {"proctorId": "x"},
    "nameRecording": A_SITTING | {"reference": "recording/x"},
    "recordOfficialScores": A_SITTING | {"overallScore": 1, "skillScores": []},
    "recordUnofficialScores": A_SITTING | {"skillScores": []},
    "answerAppeal": A_SITTING | {"text": "x", "outcome": "STANDS"},
    **dict.fromkeys(("sendMessage", "noteIncident", "appealSitting"), A_SITTING | {"text": "x"}),
    **dict.fromkeys(("endSitting", "invalidateSitting"), A_SITTING | {"reason": "LEFT", "words": "x"}),
    **dict.fromkeys(
        (
            "startCheckIn", "releaseTestAgain", "startSection", "finishSection", "startBreak", "endBreak",
            "reportConnection", "resumeSitting", "finishSitting", "markMessagesRead", "cancelScores", "reportScores",
            "undoCancellation", "addSittingPhoto",
        ),
        A_SITTING,
    ),
}  # fmt: skip


def input_of(order: str) -> GraphQLInputObjectType:
    """The type of the input that an order takes."""
    taken = get_named_type(fields_of("Mutation")[order].args["input"].type)
    assert isinstance(taken, GraphQLInputObjectType)
    return taken


def test_every_order_about_a_sitting_is_tried() -> None:
    about = {name for name in fields_of("Mutation") if "sittingId" in input_of(name).fields}
    assert about | {"bookSitting", "takeNextSitting"} == set(OF_SITTINGS)


async def test_no_scope_gives_what_belongs_to_candidates_users_and_staff(office: Office) -> None:
    key = await office.key()
    orders, told = ORDERS | OF_SITTINGS, {}
    for name, given in orders.items():
        order = f"mutation ($i: {input_of(name).name}!) {{ {name}(input: $i) {{ __typename }} }}"
        told[name] = (await key.ask(order, i=given))[name]["__typename"]
    assert told == dict.fromkeys(orders, "NotAllowed")
    others = "sittings { id } proctors { id } organisation { joinRequests { edges { cursor } } }"
    asked = await key.ask(f"{{ me {{ id }} staff {{ __typename }} {others} }}")
    assert asked == {"me": None, "staff": None, "organisation": {"joinRequests": None}, "sittings": [], "proctors": []}


async def test_logging_out_ends_no_key(office: Office) -> None:
    """It is revoked by its Primary User, and by nobody who finds it."""
    key = await office.key()
    order = "mutation { logOut(input: {everywhere: true}) { ... on LoggedOut { sessionsEnded } } }"
    out = (await key.ask(order))["logOut"]
    assert (out["sessionsEnded"], await kind(key), await kind(office.primary)) == (0, "KEY", "VERIFIER")


async def test_the_candidate_sees_the_institution_behind_the_key(office: Office) -> None:
    """S11, G1: by name, as for its users; the trail has the key."""
    row, token = await office.world.key(office.institution, Scope.READ_SHARES)
    assert await seen(office.client.as_(token))
    entry = await TrailEntry.get(viewer_kind="key")
    assert (entry.viewer_id, entry.institution_id, entry.path) == (row.id, office.institution.id, "query inbox")
    owner = await (await office.result.entry).candidate
    candidate = office.client.as_(await office.world.token(owner))
    log = await candidate.ask("{ me { accessLog { edges { node { by act result { id } } } } } }")
    read = [edge["node"] for edge in log["me"]["accessLog"]["edges"] if edge["node"]["act"] == "READ"]
    assert read == [{"by": office.institution.name, "act": "READ", "result": {"id": gid(office.result)}}]
