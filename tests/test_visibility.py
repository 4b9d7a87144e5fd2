"""Nobody sees a row that is not for them, by whatever way the schema leads to it (O3, U3, R3, S10, P5)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from starlette.applications import Starlette

from engine.database import ROOMS
from models.candidate import Candidate
from models.result import Outcome, Result
from models.session import Session
from models.share import Share
from models.verifier import VerifierStatus, VerifierUser
from schema.candidate import OWN
from tests.client import Client
from tests.conftest import ControlledClock
from tests.events import events
from tests.printed import fields_of, implements, object_types
from tests.scene import OFFICE, WAYS, Asker, Scene, Way, document, everything_told, scene_of
from tests.selecting import ROWS, leads_to_a_row, ways_to_rows, ways_to_sittings
from tests.sitting_scene import SITTING_WAYS
from tests.sitting_world import proctor_of
from tests.situations import Situation, asks, check, edges, told_to, untold, without_rows
from tests.world import World

ALL_WAYS = SITTING_WAYS | WAYS  # those to sittings are walked in test_visibility_of_sittings.py

# what a live share adds
HELD = {"candidate", "result 1", "award 1", "version 1", "notice to home", "share with home"}
# all that is told of a result
OF_RESULT_1 = {"result 1", "award 1", "version 1", "reason 1", "notice to home", "notice to third"}
OWN_ROWS = {"candidate", "account", "invitation", "entry 1", "entry 2", "result 2", "award 2", *OF_RESULT_1} | {
    f"share with {name}" for name in ("home", "third", "shut")
}
SHARED = {name for name in OWN_ROWS if name.startswith("share with")}
# Staff are no rows of ours, an institution that can be found is public, and what is entered or invited was not there
# before.
WITHOUT_ROWS = {"Mutation.logInStaff", "Query.institutions", "Mutation.enterCandidates", "Mutation.inviteInstitution"}
WITHOUT_ROWS |= {"Mutation.addUser", "Mutation.suspendInstitution", "Mutation.reinstateInstitution"}
WITHOUT_ROWS |= {"Mutation.createWebhook", "Mutation.mergeInstitutions"}
# Paths that answer without knowing who asks, and hold no rows.
PUBLIC_PATHS = {"/healthz", "/readyz", "/pages", "/reset-password", "/confirm-email", "/inbox", "/check"} | {
    "/results",
    "/apply",
    "/find",
    "/templates",
    "/organisation",
    "/developers",
    "/developers/{page}",
    "/developers/explorer",
    "/developers/schema.graphql",  # test_explorer.py
    "/developers/schema.json",
    "/set-password",
    "/unsubscribe/{token:path}",
    "/files/{kind}/{token}",  # its situations are in test_files.py and test_photos.py
    "/files/new-photo/{token}",
    "/files/new-sitting-photo/{token}",  # test_sitting_photos.py
    "/files/new-list/{token}",  # test_check_list.py
}


@pytest.fixture
async def scene(app: Starlette, world: World) -> Scene:
    """Everything that there is to see."""
    return await scene_of(world)


# ---- who may not see what


async def stranger(scene: Scene) -> Situation:
    return Situation(Asker(None), frozenset())


async def another_candidate(scene: Scene) -> Situation:
    return await asks(scene, "other candidate", "other candidate")


async def verifier_elsewhere(scene: Scene, name: str) -> Situation:
    """U3: of an institution, or of a faculty of the very institution, that holds no share of the candidate."""
    return await asks(scene, f"{name} user", f"{name} user", "other candidate", user=f"{name} user")


async def verifier_of_suspended(scene: Scene) -> Situation:
    """O3: the session was opened, and the share was sent, before."""
    return await asks(scene, "shut user", user="shut user", knows=frozenset({"logInVerifier"}))


async def verifier_no_more(scene: Scene, status: VerifierStatus) -> Situation:
    """U2."""
    removed_at = scene.world.clock() if status is VerifierStatus.REMOVED else None
    await VerifierUser.filter(id=scene.rows["home user"].id).update(status=status, removed_at=removed_at)
    return await asks(scene, "home user", knows=frozenset({"logInVerifier"}))


async def logged_out(scene: Scene, name: str) -> Situation:
    await Session.filter(ended_at=None).update(ended_at=scene.world.clock())
    return await asks(scene, name)


async def idle(scene: Scene, name: str, clock: ControlledClock) -> Situation:
    """A10: half an hour, and the ten seconds that a use may go unnoted."""
    clock.forward(minutes=30, seconds=10)
    return await asks(scene, name)


async def after_twelve_hours(scene: Scene, name: str, clock: ControlledClock) -> Situation:
    """A10: however busy the session was."""
    clock.forward(hours=12)
    await Session.all().update(used_at=clock())
    return await asks(scene, name)


async def closed_account(scene: Scene) -> Situation:
    """G2."""
    await Candidate.filter(id=scene.rows["candidate"].id).update(closed_at=scene.world.clock())
    return await asks(scene, "candidate", knows=frozenset({"logIn"}))


async def before_release(scene: Scene, is_set: bool = True) -> None:
    """One microsecond before it; or nobody has set any, which a condition must not take for neither true nor false."""
    moment = scene.world.clock() + timedelta(microseconds=1) if is_set else None
    await Result.filter(id=scene.rows["result 1"].id).update(released_at=moment)


async def candidate_before_release(scene: Scene, is_set: bool = True) -> Situation:
    """R3: of a result that was shared already when its release was put off."""
    await before_release(scene, is_set)
    return await asks(scene, "candidate", *(OWN_ROWS - SHARED - OF_RESULT_1), "shut institution")


async def verifier_before_release(scene: Scene, is_set: bool = True) -> Situation:
    await before_release(scene, is_set)
    return await asks(scene, "home user", "other candidate", *OFFICE)


async def verifier_after(scene: Scene, **change: Callable[[Any], Any]) -> Situation:
    """S10, S9: the share was withdrawn, or its time has come, at this very moment."""
    moment = {name: of(scene.world.clock()) for name, of in change.items()}
    await Share.filter(id=scene.rows["share with home"].id).update(**moment)
    return await asks(scene, "home user", "other candidate", *OFFICE)


async def verifier_with_share(scene: Scene) -> Situation:
    """Sees the share, and of its candidate nothing beside it: no account, entry, other result or other share."""
    return await asks(scene, "home user", "other candidate", *OFFICE, *HELD)


async def verifier_after_revocation(scene: Scene) -> Situation:
    """R11: that it is revoked, and nothing of what was awarded."""
    await Result.filter(id=scene.rows["result 1"].id).update(revoked_at=scene.world.clock())
    return await asks(scene, "home user", "other candidate", *OFFICE, *HELD - {"award 1"})


async def verifier_after_withholding(scene: Scene) -> Situation:
    """R6, whatever of the award is still stored."""
    nothing = dict.fromkeys(("headline", "grade", "cefr", "overall_score"))
    await Result.filter(id=scene.rows["result 1"].id).update(outcome=Outcome.WITHHELD, **nothing)
    return await asks(scene, "home user", "other candidate", *OFFICE, *HELD - {"award 1"})


ENTERED = {
    "candidate",
    "account",
    "entry 1",
    "entry 2",
    "other candidate",
    "unclaimed candidate",
    "unclaimed entry",
    "lost entry",
}
RELEASED = {"result 1", "result 2", "award 1", "award 2", "version 1", "reason 1", "old award 1"}
OF_CENTRE = ENTERED | RELEASED | {"letter to candidate"}


async def staff_of_centre(scene: Scene, name: str, *seen: str) -> Situation:
    """R1, N4: of their own centre's candidates, their entries, released results and mail; nothing of institutions."""
    return await asks(scene, name, *seen)


async def staff_of_centre_before_release(scene: Scene, is_set: bool = True) -> Situation:
    """R3: a centre's staff have to wait as everybody."""
    await before_release(scene, is_set)
    return await asks(scene, "centre staff", *(OF_CENTRE - OF_RESULT_1 - {"old award 1"}))


async def proctor(scene: Scene) -> Situation:
    """One of the staff who watches sittings sees nothing that other staff see."""
    return Situation(Asker(await scene.world.token(await proctor_of(scene.world))), frozenset())


async def candidate_alone(scene: Scene) -> Situation:
    return await asks(scene, "candidate", *OWN_ROWS, "shut institution")


def same(moment: Any) -> Any:
    return moment


SITUATIONS: dict[str, Callable[[Scene], Awaitable[Situation]]] = {
    "a stranger": stranger,
    "another candidate": another_candidate,
    "a verifier of another institution": partial(verifier_elsewhere, name="other"),
    "a verifier of a faculty of the institution": partial(verifier_elsewhere, name="faculty"),
    "a verifier of a suspended institution": verifier_of_suspended,
    "a removed verifier": partial(verifier_no_more, status=VerifierStatus.REMOVED),
    "a deactivated verifier": partial(verifier_no_more, status=VerifierStatus.DEACTIVATED),
    "an invited verifier": partial(verifier_no_more, status=VerifierStatus.INVITED),
    "a verifier who logged out": partial(logged_out, name="home user"),
    "a candidate who logged out": partial(logged_out, name="candidate"),
    "staff who logged out": partial(logged_out, name="staff"),
    "a candidate whose account is closed": closed_account,
    "a candidate before the release": candidate_before_release,
    "a verifier before the release": verifier_before_release,
    "a candidate without a release": partial(candidate_before_release, is_set=False),
    "a verifier without a release": partial(verifier_before_release, is_set=False),
    "a verifier after the share was withdrawn": partial(verifier_after, withdrawn_at=same),
    "a verifier after the share has expired": partial(verifier_after, expires_at=same),
    "a verifier after the result was revoked": verifier_after_revocation,
    "a verifier after the result was withheld": verifier_after_withholding,
    "a verifier with a live share": verifier_with_share,
    "the candidate": candidate_alone,
    "staff of the centre": lambda scene: staff_of_centre(scene, "centre staff", *OF_CENTRE),
    "staff of the centre before the release": staff_of_centre_before_release,
    "staff of the centre without a release": partial(staff_of_centre_before_release, is_set=False),
    "staff of another centre": lambda scene: staff_of_centre(scene, "staff elsewhere"),
    "a proctor": proctor,
}
TIMED = {
    f"{who} {how.__name__}": partial(how, name=who)
    for who in ("home user", "candidate", "staff")
    for how in (idle, after_twelve_hours)
}


@pytest.mark.parametrize("name", SITUATIONS)
async def test_nobody_sees_what_is_not_for_them_by_any_way(
    scene: Scene, app: Starlette, client: Client, name: str
) -> None:
    await check(scene, await SITUATIONS[name](scene), app, client)


@pytest.mark.parametrize("name", TIMED)
async def test_nobody_sees_anything_once_their_session_is_over(
    scene: Scene, app: Starlette, client: Client, clock: ControlledClock, name: str
) -> None:
    await check(scene, await TIMED[name](scene, clock=clock), app, client)


# ---- that there is something to see


ASKERS = {"candidate": "logIn", "home user": "logInVerifier", "staff": "register", "sandbox program": ""}


async def test_those_who_may_see_every_row_by_every_way(scene: Scene, app: Starlette, client: Client) -> None:
    """Or the tests above would pass with nothing to be seen."""
    told = await told_to(scene, app, client, ASKERS)
    assert without_rows(scene, told) == WITHOUT_ROWS
    assert all(answer.holds("Open home") for answer in told["Query.institutions"])
    assert untold(scene, told) == set()
    wanted = {
        f"{name}.{field}"
        for name in leads_to_a_row() & set(object_types())
        for field in ways_to_rows(name) - ways_to_sittings(name)
        if name not in ("Query", "Mutation", "Subscription")
    }
    assert wanted - edges(told) == set()


def test_every_field_of_a_row_is_asked_for() -> None:
    asked = {field for name, way in ALL_WAYS.items() for field in _selected(name, way)}
    assert {(name, field) for name in ROWS for field in fields_of(name)} - asked == set()


def _selected(name: str, way: Way) -> set[tuple[str, str]]:
    """The fields that the fragments of a document select, with their types."""
    lines = [line.split() for line in document(name, way).splitlines() if line.startswith("fragment ")]
    return {(words[3], word.partition("(")[0]) for words in lines for word in words[5:]}


def test_every_root_field_that_leads_to_a_row_is_asked() -> None:
    roots = ("Query", "Mutation", "Subscription")
    assert {f"{root}.{name}" for root in roots for name in ways_to_rows(root)} == {way.split()[0] for way in ALL_WAYS}


def test_every_type_that_can_be_fetched_by_a_key_is_asked_for() -> None:
    keyed = {name for name, one in object_types().items() if name in ROWS and implements(one, "Node")}
    for door in ("Query.node", "Query._entities"):
        assert {way.split()[1] for way in ALL_WAYS if way.startswith(f"{door} ")} == keyed


def test_every_table_with_a_rule_of_who_sees_it_counts_as_a_row() -> None:
    """Scores are seen with what they are of, and have no rule of their own; photos are files, and no types
    (test_photos.py, test_sitting_photos.py).
    """
    inside = [one for room in ROOMS for one in vars(import_module(room)).values() if hasattr(one, "visible_to")]
    assert {model.__name__ for model in inside} | {"SkillScore", "UnofficialScore"} == ROWS | {"Photo", "SittingPhoto"}


async def test_no_other_path_answers_with_rows(app: Starlette) -> None:
    """A path that is added here needs its situations above, as the schema's fields have theirs."""
    assert {getattr(route, "path", "") for route in app.routes} - {"/graphql"} == PUBLIC_PATHS


async def test_verifiers_never_see_a_candidates_account(scene: Scene, app: Starlette, client: Client) -> None:
    """On every path to a candidate: no e-mail address, language, wishes or entries."""
    private = {name for name, field in fields_of("Candidate").items() if (field.description or "").endswith(OWN)}
    assert private == {"email", "pendingEmail", "emailRefusedAt", "language", "wantsUpdates", "entries"}
    told = await everything_told(scene, app, client, Asker(scene.tokens["home user"]))
    for way, answer in told.items():
        people = [one for one in answer.objects() if one.get("__typename") == "Candidate"]
        assert [one for one in people if any(one.get(name) is not None for name in private)] == [], way
    ways = {
        way for way, answer in told.items() if any(one.get("__typename") == "Candidate" for one in answer.objects())
    }
    assert ways >= {"Query.inbox", "Query.share", "Query.result", "Query.node Candidate", "Query._entities Candidate"}
    assert ways >= {"Mutation.openShare", "Mutation.markShare", "Subscription.newShares"}


# ---- streams that were open before


async def suspended(scene: Scene, clock: ControlledClock) -> None:
    await scene.world.suspend(scene.rows["home"])


async def removed(scene: Scene, clock: ControlledClock) -> None:
    await scene.world.remove(scene.rows["home user"])


async def ended(scene: Scene, clock: ControlledClock) -> None:
    await Session.filter(verifier_id=scene.rows["home user"].id).update(ended_at=clock())


async def expired(scene: Scene, clock: ControlledClock) -> None:
    clock.forward(minutes=30, seconds=10)


@pytest.mark.parametrize("end", [suspended, removed, ended, expired])
async def test_a_stream_tells_nothing_more_once_its_session_is_over(
    scene: Scene, app: Starlette, clock: ControlledClock, end: Callable[[Scene, ControlledClock], Awaitable[None]]
) -> None:
    """O3, U2, A10: the next share is not told, and the stream ends by itself, saying why."""
    query = 'subscription { newShares(after: "0.0") { share { id } } }'
    async with events(app, query, {}, scene.tokens["home user"]) as stream:
        told = [await stream.next(), await stream.next()]
        assert all(result and result["data"]["newShares"]["share"] for result in told)
        new = await scene.world.result()
        await end(scene, clock)
        if end is not suspended:  # nobody can send to it then
            await scene.world.share(new, scene.rows["home"])
        last = await stream.next()
        assert last is not None
        assert [error["extensions"]["code"] for error in last["errors"]] == ["UNAUTHENTICATED"]
        assert not last.get("data")
        assert await stream.next() is None
