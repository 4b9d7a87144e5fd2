"""What examples about sittings at home need for themselves: each a sitting that stands where the order is possible."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from engine import keys
from models.sittings.check_in import STEPS
from models.sittings.proctoring import Break, Message, ProctorPresence, Section
from models.sittings.reasons import Reason
from models.sittings.sitting import Sitting
from models.sittings.states import SittingState as State
from models.verifier import StaffUser
from models.viewer import Kind, Viewer
from resolvers.sittings import appeals, scores
from schema.ids import global_id
from tests.showing import Cast, Words
from tests.sitting_world import EXAM, proctor_of
from tests.world import gid

LATER = timedelta(hours=1)  # everybody stays connected, however long the examples take
SECTIONS = ["READING", "LISTENING", "SPEAKING", "WRITING"]
TEST_PASSWORD = "testpass23"  # of a test
CHECKED = {"steps": len(STEPS)}
RUNNING = CHECKED | {"state": State.IN_PROGRESS}
OVER = RUNNING | {"sections_done": 4, "state": State.FINISHED}
ENDED = RUNNING | {"state": State.ENDED_BY_PROCTOR, "reason": Reason.TECHNICAL_FAULT, "words": "The camera failed."}

# Where the sitting stands about which an example is, beside what all of them have.
STANDS: dict[str, dict[str, Any]] = {
    "addSittingPhoto": {"state": State.CHECKING_IN},
    "appealSitting": ENDED,
    "cancelScores": OVER,
    "confirmCheckInStep": {"state": State.CHECKING_IN},
    "endSitting": RUNNING,
    "finishSitting": RUNNING | {"sections_done": 4},
    "handOverSitting": RUNNING,
    "invalidateSitting": RUNNING,
    "nameRecipients": {"state": State.BOOKED},
    "nameRecording": RUNNING,
    "noteIncident": RUNNING,
    "recordSystemCheck": {"state": State.BOOKED},
    "reportConnection": RUNNING,
    "reportScores": OVER,
    "resumeSitting": CHECKED | {"state": State.INTERRUPTED},
    "sendMessage": RUNNING,
    "sitting": RUNNING,
    "sittings": RUNNING,
    "startBreak": RUNNING | {"sections_done": 2},
    "startCheckIn": {"state": State.SYSTEM_CHECKED},
    "startSection": RUNNING,
    "undoCancellation": OVER | {"state": State.CANCELLED, "reason": Reason.CHOSE_TO_CANCEL},
}


async def _sitting(cast: Cast, **facts: Any) -> Sitting:
    now, proctor = cast.world.clock(), cast.users["proctor"]
    moments: dict[str, Any] = {"appointment_at": now, "booked_at": now, "since": now, "check_in_started_at": now}
    who = {"candidate_id": cast.candidate.id, "proctor_id": proctor.id, "exam_id": EXAM, "timezone": "Asia/Tokyo"}
    seen_at = None if facts["state"] in (State.BOOKED, State.SYSTEM_CHECKED) else now + LATER
    return await Sitting.create(**moments | who | {"sections": SECTIONS, "seen_at": seen_at} | facts)


def _words(sitting: Sitting) -> Words:
    return {"YOUR_SITTING_ID": gid(sitting)}


async def _standing(name: str, cast: Cast) -> Words:
    return _words(await _sitting(cast, **STANDS[name]))


async def _connected(cast: Cast) -> StaffUser:
    """Another proctor."""
    other = await proctor_of(cast.world)
    await ProctorPresence.create(staff_id=other.id, seen_at=cast.world.clock() + LATER)
    return other


async def _handing_over(cast: Cast) -> Words:
    return await _standing("handOverSitting", cast) | {
        "YOUR_PROCTOR_ID": str(global_id("Proctor", (await _connected(cast)).id))
    }


async def _proctors(cast: Cast) -> Words:
    await _connected(cast)
    return {}


async def _to_take(cast: Cast) -> Words:
    """One that waits, and a proctor who has none yet."""
    await _sitting(cast, state=State.CHECKING_IN, proctor_id=None)
    return {"token": await cast.world.token(await proctor_of(cast.world))}


async def _to_book(cast: Cast) -> Words:
    return {"YOUR_LOCAL_TIME": f"{cast.world.clock() + timedelta(days=30):%Y-%m-%dT%H:%M}"}


async def _named(cast: Cast) -> Words:
    return await _standing("confirmCheckInStep", cast) | {
        "YOUR_NAME_ON_DOCUMENT": f"{cast.candidate.given_name} {cast.candidate.family_name}"
    }


async def _released(cast: Cast) -> Words:
    """All steps are confirmed, and the password is told."""
    cast.world.count += 1
    test_id = f"TESTID{cast.world.count:04}"
    sitting = await _sitting(cast, state=State.CHECKING_IN, test_id=test_id, **CHECKED)
    seal = keys.seal("test-password", f"{sitting.id}:{TEST_PASSWORD}")
    await Sitting.filter(id=sitting.id).update(test_password_seal=seal)
    return _words(sitting) | {"YOUR_TEST_ID": test_id, "YOUR_TEST_PASSWORD": TEST_PASSWORD}


async def _in_section(cast: Cast, is_over: bool) -> Words:
    """Reading, which is over or still open."""
    now = cast.world.clock()
    sitting = await _sitting(cast, **RUNNING, sections_done=int(is_over), is_in_section=not is_over)
    await Section.create(
        sitting_id=sitting.id, place=0, skill=SECTIONS[0], started_at=now, ended_at=now if is_over else None
    )
    return _words(sitting)


async def _on_break(cast: Cast) -> Words:
    began = cast.world.clock() + LATER
    facts = RUNNING | {"state": State.ON_BREAK, "sections_done": 2, "break_started_at": began}
    sitting = await _sitting(cast, **facts)
    await Break.create(sitting_id=sitting.id, started_at=began)
    return _words(sitting)


async def _with_message(cast: Cast) -> Words:
    sitting = await _sitting(cast, **RUNNING)
    await Message.create(sitting_id=sitting.id, text="Hello?", sent_at=cast.world.clock())
    return _words(sitting)


async def _recorded(cast: Cast) -> Words:
    cast.world.count += 1
    return await _standing("nameRecording", cast) | {"YOUR_RECORDING": f"recording/{cast.world.count}.webm"}


def _candidate(cast: Cast) -> Viewer:
    return cast.world.viewer(Kind.CANDIDATE, cast.candidate.id)


async def _reported(cast: Cast) -> Words:
    sitting = await _sitting(cast, **OVER)
    await scores.report(_candidate(cast), sitting.id)
    return _words(sitting)


async def _appealed(cast: Cast) -> Words:
    sitting = await _sitting(cast, **ENDED)
    await appeals.make(_candidate(cast), sitting.id, "The street was without power.")
    return _words(sitting)


OWN_OF_SITTINGS: dict[str, Callable[[Cast], Awaitable[Words]]] = {
    **{name: partial(_standing, name) for name in STANDS},
    "answerAppeal": _appealed,
    "bookSitting": _to_book,
    "confirmCheckInStep": _named,
    "endBreak": _on_break,
    "enterTest": _released,
    "finishSection": partial(_in_section, is_over=False),
    "handOverSitting": _handing_over,
    "markMessagesRead": _with_message,
    "nameRecording": _recorded,
    "proctors": _proctors,
    "recordOfficialScores": _reported,
    "recordUnofficialScores": partial(_in_section, is_over=True),
    "releaseTestAgain": _released,
    "sittingEvents": _reported,
    "takeNextSitting": _to_take,
}
