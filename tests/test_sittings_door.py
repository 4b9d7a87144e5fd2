"""A sitting from its booking to the report, through the door, as apps of candidates and proctors ask (H1-H9)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette

from models.sittings.appointments import Turning as Turn
from models.sittings.check_in import Step
from models.sittings.proctoring import AppealOutcome as Outcome
from models.sittings.proctoring import Part
from models.sittings.reasons import IN_OWN_WORDS
from models.sittings.sitting import Happening
from models.sittings.states import BESIDE, BY_CLOCK, Act, Actor
from models.sittings.states import SittingState as SittingStates
from models.verifier import StaffUser
from schema.sittings.checks import CheckInStepKind, SystemPart
from schema.sittings.inputs import Turning
from schema.sittings.parts import AppealOutcome
from schema.sittings.proctoring import SittingEndReason
from schema.sittings.states import SittingAct, SittingActor, SittingEventKind, SittingState
from tests.client import Client
from tests.conftest import ControlledClock
from tests.sitting_world import EXAM, proctor_of
from tests.world import World

SITTING = "sitting { id state candidateName stepsConfirmed sectionsDone end { code reason words remedy } possible }"
REFUSED = "... on Refusal { __typename message }"
BOOK = f"""mutation ($input: BookSittingInput!) {{
    bookSitting(input: $input) {{ ... on SittingBooked {{ wasBooked {SITTING} }} {REFUSED} }} }}"""
TAKE = f"mutation {{ takeNextSitting(input: {{}}) {{ ... on SittingTaken {{ {SITTING} }} {REFUSED} }} }}"
CONFIRM = f"""mutation ($input: ConfirmCheckInStepInput!) {{ confirmCheckInStep(input: $input) {{
    ... on CheckInStepConfirmed {{ next testId testPassword {SITTING} }}
    ... on NameDiffers {{ letters {{ expected shown isSame }} }} {REFUSED} }} }}"""
STEPS = ("DOCUMENT", "RULES", "SCREEN", "MIRROR", "ROOM", "BROWSER", "PASSWORD")


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        (IN_OWN_WORDS, SittingEndReason), (SittingStates, SittingState), (Step, CheckInStepKind), (Part, SystemPart),
        (Outcome, AppealOutcome), (Actor, SittingActor), (Turn, Turning), (Happening, SittingEventKind),
        (set(Act) - BY_CLOCK - BESIDE, SittingAct),
    ],
)  # fmt: skip
def test_the_schema_names_all_that_there_is(ours: Any, shown: Any) -> None:
    assert {one.value for one in ours} == set(shown.__members__)


async def ordered(client: Client, name: str, **input: Any) -> dict[str, Any]:
    """What a mutation answers that takes a sitting."""
    kind = {"enterTest": "EnterTestInput", "recordSystemCheck": "RecordSystemCheckInput"}.get(name, "SittingInput")
    query = (
        f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ ... on SittingChanged {{ {SITTING} }} {REFUSED} }} }}"
    )
    answer: dict[str, Any] = (await client.ask(query, input=input))[name]
    return answer


async def confirmed(client: Client, sitting: str, name: str) -> dict[str, Any]:
    """What the last step of a check-in answers."""
    answer: dict[str, Any] = {}
    for step in STEPS:
        input = {"sittingId": sitting, "step": step, "nameOnDocument": name}
        answer = (await client.ask(CONFIRM, input=input))["confirmCheckInStep"]
    return answer


async def test_a_sitting_goes_from_booking_to_report_through_the_door(
    app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    candidate = await world.candidate(given_name="Zoë", family_name="Tanaka")
    staff: StaffUser = await proctor_of(world)
    own, proctor = client.as_(await world.token(candidate)), client.as_(await world.token(staff))
    wanted = {"examCode": EXAM, "startsAt": "2026-11-22T18:20", "timezone": "Asia/Tokyo"}
    booked = (await own.ask(BOOK, input=wanted))["bookSitting"]
    assert booked["sitting"]["possible"] == ["PASS_CHECK", "FAIL_CHECK"]
    id = booked["sitting"]["id"]
    parts = ["CAMERA", "MICROPHONE", "SPEAKER", "SCREEN", "NETWORK", "BROWSER"]
    await ordered(own, "recordSystemCheck", sittingId=id, passed=parts)
    clock.now = datetime(2026, 11, 22, 9, 20, tzinfo=UTC)
    assert (await ordered(own, "startCheckIn", sittingId=id))["sitting"]["state"] == "CHECKING_IN"
    assert (await proctor.ask(TAKE))["takeNextSitting"]["sitting"]["candidateName"] == "Zoë Tanaka"
    input = {"sittingId": id, "step": "DOCUMENT", "nameOnDocument": "Zoe Tanaka"}
    differs = (await proctor.ask(CONFIRM, input=input))["confirmCheckInStep"]
    assert [one for one in differs["letters"] if not one["isSame"]] == [
        {"expected": "ë", "shown": "e", "isSame": False}
    ]
    released = await confirmed(proctor, id, "Zoë Tanaka")
    opens = {"testId": released["testId"], "password": released["testPassword"]}
    assert (await ordered(own, "enterTest", sittingId=id, **opens))["sitting"]["state"] == "IN_PROGRESS"
    other = client.as_(await world.token(await proctor_of(world)))
    assert (await other.ask(TAKE))["takeNextSitting"] == {"sitting": None}
    (connected,) = (await other.ask("{ proctors { id name } }"))["proctors"]
    hand_over = "mutation ($input: HandOverSittingInput!) { handOverSitting(input: $input) { __typename } }"
    to_other = {"sittingId": id, "proctorId": (await proctor.ask("{ proctors { id } }"))["proctors"][0]["id"]}
    assert await proctor.ask(hand_over, input=to_other) == {"handOverSitting": {"__typename": "SittingHandedOver"}}
    back = {"sittingId": id, "proctorId": connected["id"]}
    assert await other.ask(hand_over, input=back) == {"handOverSitting": {"__typename": "SittingHandedOver"}}
    for _ in range(4):
        await ordered(own, "startSection", sittingId=id)
        await ordered(own, "finishSection", sittingId=id)
    assert (await ordered(own, "finishSitting", sittingId=id))["sitting"]["sectionsDone"] == 4
    done = (await ordered(own, "reportScores", sittingId=id))["sitting"]
    assert (done["state"], done["end"]["code"]) == ("REPORTED", "CHOSE_TO_REPORT")
    refused = await ordered(own, "startSection", sittingId=id)
    assert refused["__typename"] == "SittingStateForbids"
    told = await own.ask("query ($id: ID!) { sitting(id: $id) { timeline { kind actor } } }", id=id)
    assert told["sitting"]["timeline"][0] == {"kind": "BOOKED", "actor": "CANDIDATE"}
    assert (await client.ask("query ($id: ID!) { sitting(id: $id) { id } }", id=id)) == {"sitting": None}
