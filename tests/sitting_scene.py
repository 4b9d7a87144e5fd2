"""Sittings in every state, each row with texts of its own, and every way in which the schema leads to one.

What is held of sittings is told to the candidate, to proctors as long as they watch, and to the board's staff.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from engine import keys
from models.entry import Centre
from models.institution import Institution
from models.result import Outcome
from models.sittings.check_in import Step
from models.sittings.proctoring import (
    Appeal,
    AppealOutcome,
    Break,
    CheckInStep,
    Incident,
    Message,
    ProctorPresence,
    Recording,
    Section,
    SystemCheck,
)
from models.sittings.reasons import Reason
from models.sittings.sitting import Happening, Sitting, SittingEvent, SittingRecipient
from models.sittings.states import Actor, SittingState
from models.verifier import StaffRole
from tests.scene import Asker, Scene, Variables, Way
from tests.sitting_world import ALL_SKILLS, EXAM, row_of
from tests.world import World, gid

TEST_ID, TEST_PASSWORD = "HIDDENID22", "hiddenpass"
RECORDED = "recording/2f0c9a.webm"
LAST_EVENT = Happening.RESUMED  # of the sitting "live"; what everybody who follows it is told last
CHOICES = (
    Happening.REPORTED, Happening.CANCEL_ASKED, Happening.CANCELLED, Happening.CANCEL_UNDONE,
    Happening.RECIPIENTS_CHANGED, Happening.SCORES_RECORDED, Happening.APPEALED, Happening.APPEAL_ANSWERED,
)  # fmt: skip


async def sitting_scene_of(world: World) -> Scene:
    """Sittings of one candidate and one of another, their proctors, and an institution that is to get the results."""
    scene = Scene(world, ways=SITTING_WAYS)
    await _people(scene)
    await _sittings(scene)
    await _parts(scene)
    await _events(scene)
    await _after(scene)
    for name in ("candidate", "other candidate", "home user", "staff", "centre staff"):
        scene.tokens[name] = await world.token(scene.rows[name])
    for name in ("proctor", "former proctor", "proctor elsewhere"):
        scene.tokens[name] = await world.token(scene.rows[name])
    for name in ("program", "sandbox program"):
        _, scene.tokens[name] = await world.key(scene.rows[f"home of {name}"], made_by=scene.rows["home user"])
    return scene


async def _people(scene: Scene) -> None:
    world = scene.world
    names: dict[str, Any] = {"family_name": "Hiddenfamily", "given_name": "Hiddengiven"}
    more: dict[str, Any] = {"native_name": "秘密葵", "date_of_birth": date(1971, 3, 9), "email": "hidden@mail.example"}
    candidate = await world.candidate(**names, **more)
    scene.rows["candidate"] = candidate
    scene.texts["name"] = {"Hiddengiven Hiddenfamily"}
    scene.texts["account"] = {gid(candidate), str(candidate.id), *map(str, more.values())}
    scene.rows["other candidate"] = await world.candidate(family_name="Othersfamily")
    home = await world.institution("Open home")
    scene.rows |= {"home of program": home, "home of sandbox program": await world.sandbox(home)}
    scene.rows["home user"] = await world.verifier(home, is_primary=True)
    scene.rows |= {"staff": await world.staff(), "centre staff": await world.staff(centre=await world.centre())}
    for name in ("proctor", "former proctor", "proctor elsewhere"):
        scene.rows[name] = await world.staff(name=f"Hidden ({name})", role=StaffRole.PROCTOR)
        scene.texts[name] = {f"Hidden ({name})"}
        await ProctorPresence.create(staff_id=scene.rows[name].id, seen_at=world.clock())


async def _sittings(scene: Scene) -> None:
    """One in each state, those that run with the proctor; one that waits, and one of the other candidate."""
    S, now = SittingState, scene.world.clock()
    watched: dict[str, Any] = {"proctor_id": scene.rows["proctor"].id, "seen_at": now, "check_in_started_at": now}
    by_proctor = watched | {"state": S.ENDED_BY_PROCTOR, "reason": Reason.LEFT}
    entered: dict[str, Any] = {"test_id": TEST_ID, "test_password_seal": b"", "steps": 7}
    rows: dict[str, dict[str, Any]] = {
        "booked": {"state": S.SYSTEM_CHECKED},
        "waiting": {"state": S.CHECKING_IN, "check_in_started_at": now, "seen_at": now},
        "checking": watched | {"state": S.CHECKING_IN, "steps": 6},
        "entering": watched | entered | {"state": S.CHECKING_IN},
        "live": watched | {"state": S.IN_PROGRESS, "steps": 7, "sections_done": 1},
        "all done": watched | {"state": S.IN_PROGRESS, "steps": 7, "sections_done": 4},
        "interrupted": watched | {"state": S.INTERRUPTED, "steps": 7},
        "finished": watched | {"state": S.FINISHED, "cancel_asked_at": now},
        "cancelled": watched | {"state": S.CANCELLED, "reason": Reason.CHOSE_TO_CANCEL},
        "overrun": watched | {"state": S.BREAK_OVERRUN, "reason": Reason.BACK_LATE, "break_started_at": now},
        "ended": by_proctor | {"words": "Hiddenwords", "since": now - timedelta(hours=23)},
        "appealed": by_proctor | {"words": "Hiddenoldwords", "since": now - timedelta(days=1)},
    }
    for place, (name, facts) in enumerate(rows.items()):
        sitting = await _sitting(scene, "candidate", place, **facts)
        scene.keep(name, sitting, *filter(None, [facts.get("words")]))
    entering = Sitting.filter(id=scene.rows["entering"].id)
    await entering.update(test_password_seal=keys.seal("test-password", f"{scene.rows['entering'].id}:{TEST_PASSWORD}"))
    scene.texts["test"] = {TEST_ID, TEST_PASSWORD}
    elsewhere = watched | {"proctor_id": scene.rows["proctor elsewhere"].id, "state": S.IN_PROGRESS}
    scene.keep("others", await _sitting(scene, "other candidate", 50, **elsewhere), "Othersfamily")
    scene.keep("reported", await _reported(scene, watched))


async def _sitting(scene: Scene, candidate: str, place: int, **facts: Any) -> Sitting:
    """The one at this place was booked for so many seconds before now."""
    at = scene.world.clock() - timedelta(seconds=place)
    return await row_of(scene.world, scene.rows[candidate], appointment_at=at, **facts)


async def _reported(scene: Scene, facts: dict[str, Any]) -> Sitting:
    """One whose result is held, with the entry that was made for it."""
    centre = await Centre.create(number="HOME", name="At home", city="At home", country="XX")
    entry = await scene.world.entry(scene.rows["candidate"], EXAM, centre_id=centre.id, candidate_number="HIDDENNO1")
    scene.texts["entry"] = {gid(entry), "HIDDENNO1"}
    held: dict[str, Any] = {"outcome": Outcome.PENDING, "headline": None, "cefr": None, "overall_score": None}
    result = await scene.world.result(entry, {}, statement_number="SHIDDEN1", released_at=None, **held)
    scene.texts["held result"] = {gid(result), "SHIDDEN1"}
    reported = facts | {"state": SittingState.REPORTED, "reason": Reason.CHOSE_TO_REPORT, "entry_id": entry.id}
    return await _sitting(scene, "candidate", 60, **reported)


def _moments(scene: Scene, first: int) -> Callable[[str], datetime]:
    """Notes under a name a moment that stands nowhere else, and gives it."""
    place = first

    def moment(name: str) -> datetime:
        nonlocal place
        place += 1
        at = scene.world.clock() - timedelta(seconds=1, microseconds=place * 1009)
        scene.texts.setdefault(name, set()).add(f"{at:.%f}")
        return at

    return moment


async def _parts(scene: Scene) -> None:
    """What belongs to the sitting "live", and what only others have."""
    at, live = _moments(scene, 100), scene.rows["live"].id
    proctor_id = scene.rows["proctor"].id
    await SystemCheck.create(sitting_id=live, checked_at=at("parts"), failed=[])
    await CheckInStep.create(sitting_id=live, step=Step.DOCUMENT, confirmed_at=at("parts"), proctor_id=proctor_id)
    await Section.create(sitting_id=live, place=0, skill="READING", started_at=at("parts"), ended_at=at("parts"))
    await Break.create(sitting_id=scene.rows["overrun"].id, started_at=at("overrun"))
    question = await Message.create(sitting_id=live, text="Hiddenquestion", sent_at=at("parts"))
    reply = await Message.create(sitting_id=live, text="Hiddenreply", sent_at=at("parts"), proctor_id=proctor_id)
    scene.texts["parts"] |= {"Hiddenquestion", "Hiddenreply", gid(question), gid(reply)}
    await Incident.create(sitting_id=live, proctor_id=proctor_id, text="Hiddenincident", noted_at=at("incident"))
    scene.texts["incident"] |= {"Hiddenincident"}
    kept: dict[str, Any] = {"recorded_at": at("recording"), "delete_at": scene.world.clock() + timedelta(days=90)}
    await Recording.create(sitting_id=live, reference="recording/hidden", **kept)
    scene.texts["recording"] |= {"recording/hidden"}
    home: Institution = scene.rows["home of program"]
    consent: dict[str, Any] = {"consent_text": "Hiddenconsent", "consent_version": "1", "consent_language": "en"}
    shown: dict[str, Any] = {"institution_id": home.id, "institution_name_shown": "Hiddenrecipient"}
    await SittingRecipient.create(sitting_id=live, named_at=at("recipient"), **consent, **shown)
    scene.texts["recipient"] |= {"Hiddenconsent", "Hiddenrecipient"}


async def _events(scene: Scene) -> None:
    """Of "live" one of each kind, with a moment of its own, and last of all what ends a stream here."""
    at, live = _moments(scene, 200), scene.rows["live"].id
    kinds = [kind for kind in Happening if kind is not LAST_EVENT]
    for kind in [*kinds, LAST_EVENT]:
        name = "note" if kind is Happening.INCIDENT_NOTED else "choice" if kind in CHOICES else "event"
        await SittingEvent.create(
            sitting_id=live, kind=kind, state=SittingState.IN_PROGRESS, happened_at=at(name), actor=Actor.CANDIDATE
        )


async def _after(scene: Scene) -> None:
    """Unofficial scores, and an appeal that was answered."""
    at = _moments(scene, 300)
    done: dict[str, Any] = {"place": 0, "skill": "READING", "started_at": at("done"), "ended_at": at("done")}
    for name, score in (("reported", 2929), ("cancelled", 2828), ("live", 2727)):
        if name == "live":
            await Section.filter(sitting_id=scene.rows[name].id).update(unofficial_score=score)
        else:
            await Section.create(sitting_id=scene.rows[name].id, unofficial_score=score, **done)
    scene.texts["unofficial score"], scene.texts["score that is not shown"] = {2929}, {2828, 2727}
    await Appeal.create(
        sitting_id=scene.rows["appealed"].id, text="Hiddenappeal", made_at=at("appeal"), outcome=AppealOutcome.STANDS,
        answer="Hiddenanswer", answered_at=at("appeal"), staff_id=scene.rows["staff"].id,
    )  # fmt: skip
    scene.texts["appeal"] |= {"Hiddenappeal", "Hiddenanswer"}


# ---- every way in


Given = Callable[[Scene, Asker], list[Variables]]


def _about(name: str, **facts: Any) -> Given:
    """The input of an order about the sitting of this name."""
    return lambda scene, _: [{"input": {"sittingId": gid(scene.rows[name])} | facts}]


def _order(mutation: str, input_type: str, variables: Given) -> Way:
    return Way(f"{mutation}(input: $input)", f"($input: {input_type}!)", variables, depth=1)


def _each(scene: Scene, _: Asker) -> list[Variables]:
    return [{"id": id} for id in scene.ids("Sitting")]


def _some(scene: Scene, _: Asker) -> list[Variables]:
    return [{"id": gid(scene.rows[name])} for name in ("live", "reported", "appealed", "others")]


def _represented(scene: Scene, _: Asker) -> list[Variables]:
    return [{"r": [{"__typename": "Sitting", "id": id} for id in scene.ids("Sitting")]}]


def is_last_event(result: Any) -> bool:
    """Whether a stream of the sitting "live" has told what it tells last."""
    event = (result.get("data") or {}).get("sittingEvents") or {}
    return event.get("kind") == LAST_EVENT.value


def _booking(scene: Scene, _: Asker) -> list[Variables]:
    return [{"input": {"examCode": EXAM, "startsAt": "2026-12-24T10:00", "timezone": "Asia/Tokyo"}}]


def _simple(**orders: str) -> dict[str, Way]:
    """Orders that take nothing but a sitting, each with the name of the one that it is about."""
    return {f"Mutation.{order}": _order(order, "SittingInput", _about(name)) for order, name in orders.items()}


SCORES = [{"skill": skill, "score": 25} for skill in ALL_SKILLS]
WORDS: Variables = {"reason": "LEFT", "words": "Gone."}

# Every root field that leads to a sitting; orders come last, each about one where it can be given.
SITTING_WAYS = {
    "Query.sitting": Way("sitting(id: $id)", "($id: ID!)", _each, depth=2),
    "Query.sittings": Way("sittings", depth=2),
    "Query.staff": Way("staff", depth=1),
    "Query.node Sitting": Way("node(id: $id)", "($id: ID!)", _some, "Sitting", depth=2),
    "Query._entities Sitting": Way(
        "_entities(representations: $r)", "($r: [_Any!]!)", _represented, "Sitting", depth=2
    ),
    "Subscription.sittingEvents": Way(
        'sittingEvents(sittingId: $id, after: "0.0")', "($id: ID!)",
        lambda scene, _: [{"id": gid(scene.rows["live"])}], is_last=is_last_event,
    ),
    "Mutation.bookSitting": _order("bookSitting", "BookSittingInput", _booking),
    "Mutation.nameRecipients": _order("nameRecipients", "NameRecipientsInput", _about("booked", institutionIds=[])),
    "Mutation.recordSystemCheck": _order(
        "recordSystemCheck", "RecordSystemCheckInput",
        _about("booked", passed=["CAMERA", "MICROPHONE", "SPEAKER", "SCREEN", "NETWORK", "BROWSER"]),
    ),
    **_simple(startCheckIn="booked"),
    "Mutation.takeNextSitting": _order("takeNextSitting", "TakeNextSittingInput", lambda *_: [{"input": {}}]),
    "Mutation.confirmCheckInStep": _order(
        "confirmCheckInStep", "ConfirmCheckInStepInput", _about("checking", step="PASSWORD")
    ),
    "Mutation.enterTest": _order(
        "enterTest", "EnterTestInput", _about("entering", testId=TEST_ID, password=TEST_PASSWORD)
    ),
    "Mutation.sendMessage": _order("sendMessage", "SittingNoteInput", _about("live", text="A word.")),
    "Mutation.noteIncident": _order("noteIncident", "SittingNoteInput", _about("live", text="A noise.")),
    "Mutation.recordUnofficialScores": _order(
        "recordUnofficialScores", "RecordUnofficialScoresInput", _about("reported", skillScores=SCORES[:1])
    ),
    **_simple(
        releaseTestAgain="checking", markMessagesRead="live", reportConnection="live", startSection="live",
        finishSection="live", startBreak="live", endBreak="live", resumeSitting="interrupted",
        finishSitting="all done", undoCancellation="cancelled",
    ),
    "Mutation.nameRecording": _order("nameRecording", "NameRecordingInput", _about("live", reference=RECORDED)),
    "Mutation.cancelScores": _order("cancelScores", "CancelScoresInput", _about("all done")),
    **_simple(reportScores="all done"),
    "Mutation.recordOfficialScores": _order(
        "recordOfficialScores", "RecordOfficialScoresInput",
        _about("reported", overallScore=100, skillScores=SCORES),
    ),
    "Mutation.endSitting": _order("endSitting", "EndSittingInput", _about("interrupted", **WORDS)),
    "Mutation.invalidateSitting": _order(
        "invalidateSitting", "EndSittingInput", _about("live", **WORDS | {"reason": "FORBIDDEN_OBJECT"})
    ),
    "Mutation.appealSitting": _order("appealSitting", "SittingTextInput", _about("ended", text="No.")),
    "Mutation.answerAppeal": _order(
        "answerAppeal", "AnswerAppealInput", _about("ended", outcome="STANDS", text="Yes.")
    ),
}  # fmt: skip
