"""Nobody sees anything of a sitting that is not for them, by whatever way the schema leads to it (H4, H8, H10)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import product
from uuid import UUID

import pytest
from starlette.applications import Starlette

from engine import database
from models.candidate import Candidate
from models.session import Session
from models.sittings.proctoring import ProctorPresence
from models.sittings.reasons import Reason
from models.sittings.sitting import Happening, Sitting, SittingEvent
from models.sittings.states import Actor, SittingState
from models.trail import TrailEntry
from models.verifier import StaffRole, StaffUser
from tests.client import Client
from tests.events import events
from tests.printed import object_types
from tests.scene import Asker, Scene, told_by
from tests.selecting import leads_to_a_row, ways_to_rows, ways_to_sittings
from tests.sitting_scene import TEST_ID, is_last_event, sitting_scene_of
from tests.situations import Situation, Told, asks, check, edges, untold, without_rows
from tests.world import World, gid

# what the proctor has, by where it stands: running, and over since less than a day
RUNNING = {"waiting", "checking", "entering", "live", "all done", "interrupted"}
JUST_OVER = {"finished", "overrun", "ended"}
OWN = {"name", *RUNNING, *JUST_OVER, "booked", "reported", "cancelled", "appealed"}
WATCHED = {"parts", "event", "incident", "note", "proctor"}  # what belongs to the one that runs
AFTERWARDS = {"choice", "recipient", "appeal", "entry", "done"}  # between the candidate and the board
# Who has the account reads it there; test ID and password are told once, by `confirmCheckInStep`; and of a sitting that
# runs or is cancelled no score is told, until the cancellation is undone.
NOT_TOLD = {"account", "test", "score that is not shown", "former proctor"}


@pytest.fixture
async def scene(app: Starlette, world: World) -> Scene:
    """Everything that there is to see of sittings."""
    return await sitting_scene_of(world)


async def stranger(scene: Scene) -> Situation:
    return Situation(Asker(None), frozenset())


async def candidate(scene: Scene) -> Situation:
    """H7, H9: all but what proctors note among themselves, and their names."""
    return await asks(scene, "candidate", *OWN, "parts", "event", *AFTERWARDS, "unofficial score")


async def proctor(scene: Scene) -> Situation:
    """H8: what runs, and what is over since less than a day; nothing of what the candidate did after the test."""
    return await asks(scene, "proctor", "name", *RUNNING, *JUST_OVER, *WATCHED)


async def proctor_a_day_later(scene: Scene) -> Situation:
    """Both sides of the edge: see "ended" and "appealed" of the scene."""
    await Sitting.all().update(since=scene.world.clock() - timedelta(days=1))
    return await asks(scene, "proctor", "name", *RUNNING, *WATCHED)


async def proctor_who_handed_over(scene: Scene) -> Situation:
    """H5: whoever had it before sees what everybody sees who could take it: that somebody waits; and takes it here."""
    return await asks(scene, "former proctor", "name", "waiting", "former proctor")


async def another_proctor(scene: Scene) -> Situation:
    return await asks(scene, "proctor elsewhere", "name", "waiting", "others", "proctor elsewhere")


async def another_proctor_while_the_first_is_away(scene: Scene) -> Situation:
    """H5: the next one needs to see what runs to take it over; of what is over nothing."""
    long_ago = scene.world.clock() - timedelta(seconds=15, microseconds=1)
    await ProctorPresence.filter(staff_id=scene.rows["proctor"].id).update(seen_at=long_ago)
    own = ("others", "proctor elsewhere")
    return await asks(scene, "proctor elsewhere", "name", *RUNNING, *WATCHED, *own)


async def proctor_no_more(scene: Scene, role: StaffRole) -> Situation:
    centre_id = (await scene.world.centre()).id if role is StaffRole.CENTRE else None
    await StaffUser.filter(id=scene.rows["proctor"].id).update(role=role, centre_id=centre_id)
    return await asks(scene, "proctor")


async def board(scene: Scene) -> Situation:
    """All but unofficial scores, which are the candidate's (H8)."""
    of_others = {"others", "proctor elsewhere"}
    return await asks(scene, "staff", *OWN, *WATCHED, *AFTERWARDS, *of_others, "recording", "held result")


async def logged_out(scene: Scene, name: str) -> Situation:
    await Session.filter(ended_at=None).update(ended_at=scene.world.clock())
    return await asks(scene, name)


async def closed_account(scene: Scene) -> Situation:
    """G2"""
    await Candidate.filter(id=scene.rows["candidate"].id).update(closed_at=scene.world.clock())
    return await asks(scene, "candidate")


SITUATIONS: dict[str, Callable[[Scene], Awaitable[Situation]]] = {
    "a stranger": stranger,
    "another candidate": lambda scene: asks(scene, "other candidate", "others"),
    "the candidate": candidate,
    "a candidate who logged out": partial(logged_out, name="candidate"),
    "a candidate whose account is closed": closed_account,
    "the proctor": proctor,
    "the proctor a day after the test": proctor_a_day_later,
    "a proctor who handed it over": proctor_who_handed_over,
    "another proctor": another_proctor,
    "another proctor while the first is away": another_proctor_while_the_first_is_away,
    "a proctor who works for a centre now": partial(proctor_no_more, role=StaffRole.CENTRE),
    "a proctor who logged out": partial(logged_out, name="proctor"),
    "the board's staff": board,
    "staff of a centre": partial(asks, name="centre staff"),
    "a user of an institution that is to get the result": partial(asks, name="home user"),
    "a program of an institution that is to get the result": partial(asks, name="program"),
    "a program of its sandbox": partial(asks, name="sandbox program"),
}


@pytest.mark.parametrize("name", SITUATIONS)
async def test_nobody_sees_of_a_sitting_what_is_not_for_them_by_any_way(
    scene: Scene, app: Starlette, client: Client, name: str
) -> None:
    await check(scene, await SITUATIONS[name](scene), app, client)


# ---- that there is something to see, and that it leaves an entry in the trail


async def test_those_who_have_a_part_in_a_sitting_see_it_by_every_way_and_stand_in_the_trail(
    scene: Scene, app: Starlette, client: Client
) -> None:
    """Or the tests above would pass with nothing to be seen; every order is given with success once. G1: nothing that a
    person wrote is in the trail, and no secret.
    """
    told: Told = {way: [] for way in scene.ways}
    silent = set()
    for name, way in product(("candidate", "proctor", "staff"), scene.ways):
        last: int = await database.value("SELECT coalesce(max(id), 0) FROM trail")
        answer = await told_by(way, scene, app, client, Asker(scene.tokens[name]))
        told[way].append(answer)
        if name != "candidate" and scene.among(answer) and not await candidates_named(scene.rows[name].id, last):
            silent.add((name, way))
    assert without_rows(scene, told) == set()
    assert untold(scene, told) - set().union(*(scene.texts[name] for name in NOT_TOLD)) == set()
    wanted = {
        f"{name}.{field}"
        for name in leads_to_a_row() & set(object_types())
        for field in ways_to_rows(name) & ways_to_sittings(name)
        if name not in ("Query", "Mutation", "Subscription")
    }
    assert wanted - edges(told) == set()
    assert silent == set()
    written = "\n".join(str(dict(row)) for row in await database.rows("SELECT * FROM trail"))
    assert [text for text in ("Hidden", "hidden", TEST_ID) if text in written] == []


async def candidates_named(viewer_id: UUID, after: int) -> set[UUID]:
    """Whom the entries of this viewer name that were written behind an id."""
    entries = await TrailEntry.filter(id__gt=after, viewer_id=viewer_id)
    return {id for entry in entries for id in entry.candidates}


# ---- streams that were open before

FOLLOW = 'subscription ($id: ID!) { sittingEvents(sittingId: $id, after: "0.0") { kind } }'


async def session_ended(scene: Scene) -> None:
    await Session.all().update(ended_at=scene.world.clock())


async def account_closed(scene: Scene) -> None:
    await Candidate.filter(id=scene.rows["candidate"].id).update(closed_at=scene.world.clock())


async def role_changed(scene: Scene) -> None:
    await StaffUser.filter(id=scene.rows["proctor"].id).update(role=StaffRole.BOARD)


async def handed_over(scene: Scene) -> None:
    await Sitting.filter(id=scene.rows["live"].id).update(proctor_id=scene.rows["former proctor"].id)


async def decided(scene: Scene) -> None:
    """H8: what the candidate chose is no proctor's business."""
    chosen = {"state": SittingState.CANCELLED, "reason": Reason.CHOSE_TO_CANCEL}
    await Sitting.filter(id=scene.rows["live"].id).update(**chosen)


@pytest.mark.parametrize(
    ("follower", "end", "told"),
    [
        ("candidate", session_ended, "UNAUTHENTICATED"), ("candidate", account_closed, "UNAUTHENTICATED"),
        ("proctor", session_ended, "UNAUTHENTICATED"), ("proctor", role_changed, ""), ("proctor", handed_over, ""),
        ("proctor", decided, ""), ("staff", session_ended, "UNAUTHENTICATED"),
    ],
)  # fmt: skip
async def test_a_stream_of_a_sitting_tells_nothing_more_to_whoever_may_not_see_it_any_more(
    scene: Scene, app: Starlette, follower: str, end: Callable[[Scene], Awaitable[None]], told: str
) -> None:
    """A10, H5, H8, H10: the next event is not told, and the stream ends by itself, saying why if a session is over."""
    live = scene.rows["live"]
    async with events(app, FOLLOW, {"id": gid(live)}, scene.tokens[follower]) as stream:
        while not is_last_event(await stream.next()):
            pass
        await end(scene)
        await SittingEvent.create(
            sitting_id=live.id, kind=Happening.MISSED, state=SittingState.MISSED, happened_at=scene.world.clock(),
            actor=Actor.CLOCK,
        )  # fmt: skip
        app.state.services.sitting_hub.stir(live.id)
        last = await stream.next()
        codes = [error["extensions"]["code"] for error in (last or {}).get("errors", [])]
        assert (codes, (last or {}).get("data")) == ([told] if told else [], None)
        assert last is None or await stream.next() is None
