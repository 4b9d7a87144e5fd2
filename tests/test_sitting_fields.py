"""What candidates, proctors and staff read of a sitting through the door, and with how many statements (H1-H10)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.sittings.check_in import STEPS, Step
from models.sittings.proctoring import AppealOutcome, Part
from models.sittings.reasons import Reason
from models.viewer import Kind
from resolvers.sittings import appeals, bookings, chat, proctoring, recordings, running, scores
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.sitting_world import HERE, IN_TOKYO, Home, proctor_of
from tests.world import World

GIVEN = {"READING": 25, "LISTENING": 24}
PAGE = """{ sittings { id state candidateName possible hindered { act reason } isConnected
    proctor { number name isConnected } queue { place waitingSince } end { reason }
    systemCheck { hasPassed parts { part hasPassed whatToDo } } checkInSteps { kind whatToDo confirmedAt isNext }
    sections { skill startedAt endedAt } break { startedAt endsAt endedAt }
    timeline { kind state happenedAt actor detail } messages { id text isByProctor sentAt readAt answeredAt }
    chat { unread waitingSince longestSeconds meanSeconds } incidents { text notedAt }
    unofficialScores { skill score } recipients { institutionName isSent }
    appeal { text outcome answer } canAppeal recordedUntil recordings { reference }
    exam { code } entry { candidateNumber } result { headline } } }"""
EDGES = 18  # of the page above: each is read once, whether of one sitting or of many


@pytest.fixture
async def home(app: Starlette, world: World, clock: ControlledClock) -> Home:
    return await Home.booked(world, clock)


async def told(client: Client, home: Home, fields: str, viewer: Any = None, **headers: str) -> dict[str, Any]:
    """Some fields of a sitting, as its candidate, or somebody else, reads them."""
    asking = client.as_(await home.world.token(viewer or home.candidate))
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Sitting {{ {fields} }} }} }}"
    answer: dict[str, Any] = (await asking.ask(query, id=home.gid))["node"]
    return answer


async def test_a_failed_system_check_says_what_to_do_about_each_part(client: Client, home: Home) -> None:
    """H1, A12"""
    fields = "systemCheck { hasPassed checkedAt parts { part hasPassed whatToDo } }"
    assert await told(client, home, fields) == {"systemCheck": None}
    await home.check_system()
    home.clock.forward(minutes=1)
    await bookings.record_system_check(home.viewer, home.id, [one for one in Part if one is not Part.CAMERA])
    check = (await told(client, home, fields))["systemCheck"]
    assert check["hasPassed"] is False
    failed = {one["part"]: one["whatToDo"] for one in check["parts"] if not one["hasPassed"]}
    assert list(failed) == ["CAMERA"]
    assert failed["CAMERA"].startswith("Connect a camera")
    assert [one["whatToDo"] for one in check["parts"]].count(None) == 5
    await database.rows("UPDATE candidate SET language = 'ja' WHERE id = :id", id=home.candidate.id)
    check = (await told(client, home, fields))["systemCheck"]
    assert "カメラ" in next(one["whatToDo"] for one in check["parts"] if not one["hasPassed"])


async def test_the_steps_of_the_check_in_say_what_to_show_and_which_comes_next(client: Client, home: Home) -> None:
    """H3"""
    fields = "checkInSteps { kind whatToDo confirmedAt isNext }"
    before = (await told(client, home, fields))["checkInSteps"]
    assert [one["kind"] for one in before] == [step.value for step in STEPS]
    assert all(one["whatToDo"] and not one["isNext"] for one in before)
    await home.taken()
    await home.confirm(Step.DOCUMENT)
    steps = (await told(client, home, fields))["checkInSteps"]
    assert [one["kind"] for one in steps if one["confirmedAt"]] == ["DOCUMENT"]
    assert [one["kind"] for one in steps if one["isNext"]] == ["RULES"]


async def test_whoever_waits_sees_the_place_in_the_queue_and_since_when(client: Client, home: Home) -> None:
    """H2: by the appointment, and not by who started first."""
    other = await Home.booked(home.world, home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(minutes=5)))
    await home.check_system()
    await other.come()
    home.clock.forward(minutes=1)
    await home.start()
    fields = "queue { place waitingSince }"
    assert [(await told(client, one, fields))["queue"]["place"] for one in (home, other)] == [1, 2]
    assert await proctoring.take_next(home.proctor) == home.id
    assert (await told(client, home, fields))["queue"] is None
    since = (home.clock() - timedelta(minutes=1)).isoformat()
    assert (await told(client, other, fields))["queue"] == {"place": 1, "waitingSince": since}
    left_at = home.clock()
    home.clock.forward(seconds=16)
    waits = (await told(client, home, fields))["queue"]
    assert waits == {"place": 1, "waitingSince": left_at.isoformat()}  # since the proctor's last sign of life


async def test_candidates_know_their_proctor_by_a_number_and_the_others_by_name(client: Client, home: Home) -> None:
    """H5, H10: another number in another sitting, so that nobody is followed through them."""
    fields = "proctor { number name isConnected }"
    assert await told(client, home, fields) == {"proctor": None}
    await home.taken()
    shown = (await told(client, home, fields))["proctor"]
    assert (shown["name"], shown["isConnected"]) == (None, True)
    seen = (await told(client, home, fields, home.staff))["proctor"]
    assert seen == shown | {"name": home.staff.name}
    board = await home.world.staff()
    assert (await told(client, home, fields, board))["proctor"] == seen
    numbers = {shown["number"]}
    for days in (1, 2):  # of two, one may have the same number by chance
        elsewhere = await Home.booked(home.world, home.clock, replace(HERE, starts_at=IN_TOKYO + timedelta(days=days)))
        elsewhere.staff = home.staff
        await elsewhere.taken()
        numbers.add((await told(client, elsewhere, fields))["proctor"]["number"])
    assert len(numbers) > 1
    assert (await told(client, home, fields))["proctor"]["isConnected"] is True
    home.clock.forward(seconds=16)
    assert (await told(client, home, fields))["proctor"] == shown | {"isConnected": False}
    numbers = {shown["number"]}
    for _ in range(2):
        other = home.world.viewer(Kind.PROCTOR, (await proctor_of(home.world)).id)
        assert await proctoring.take_next(other) == home.id
        numbers.add((await told(client, home, fields))["proctor"]["number"])
        home.clock.forward(seconds=16)
    assert len(numbers) > 1


async def test_each_viewer_is_told_what_they_themselves_can_do_and_why_something_else_not_yet(
    client: Client, home: Home
) -> None:
    fields = "possible hindered { act reason }"
    await home.check_system()
    early = await told(client, home, fields)
    assert early["possible"] == ["PASS_CHECK", "FAIL_CHECK"]
    assert early["hindered"] == [{"act": "START_CHECK_IN", "reason": "Check-in opens at the time of the appointment."}]
    await home.come()
    assert (await told(client, home, fields, home.staff))["possible"] == ["TAKE"]
    assert await proctoring.take_next(home.proctor) == home.id
    own, proctor = await told(client, home, fields), await told(client, home, fields, home.staff)
    assert own["possible"] == ["GIVE_SIGN"]
    assert [one["act"] for one in own["hindered"]] == ["ENTER_TEST"]
    assert (proctor["possible"], proctor["hindered"]) == (["CONFIRM_STEP", "END", "INVALIDATE"], [])
    assert (await told(client, home, fields, await home.world.staff()))["possible"] == ["INVALIDATE"]


async def test_sections_and_the_break_are_told_with_their_times(client: Client, home: Home) -> None:
    """H4, H6"""
    fields = "sections { skill startedAt endedAt } break { startedAt endsAt endedAt } isConnected"
    await home.begun()
    assert (await told(client, home, fields))["break"] is None
    await home.sections(2)
    began = home.clock()
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=9)
    await running.end_break(home.viewer, home.id)
    shown = await told(client, home, fields)
    assert [one["skill"] for one in shown["sections"]] == ["READING", "LISTENING", "SPEAKING", "WRITING"]
    assert [one["endedAt"] is not None for one in shown["sections"]] == [True, True, False, False]
    times = shown["break"]
    assert (times["startedAt"], times["endedAt"]) == (began.isoformat(), home.clock().isoformat())
    assert (times["endsAt"] > times["endedAt"], shown["isConnected"]) == (True, True)
    home.clock.forward(seconds=16)
    assert (await told(client, home, "isConnected"))["isConnected"] is False


async def test_a_message_is_named_by_its_event_and_says_when_it_was_answered(client: Client, home: Home) -> None:
    """H4, H10"""
    await home.taken()
    await chat.send(home.viewer, home.id, "May I drink water?")
    home.clock.forward(seconds=10)
    await chat.send(home.proctor, home.id, "In the break.")
    shown = await told(client, home, "messages { id text answeredAt } timeline { kind detail }")
    asked, answered = shown["messages"]
    assert (asked["answeredAt"], answered["answeredAt"]) == (home.clock().isoformat(), None)
    events = [one["detail"] for one in shown["timeline"] if one["kind"] == "MESSAGE_SENT"]
    assert events == [asked["id"], answered["id"]]


async def test_an_appeal_is_read_with_its_answer_and_a_recording_by_staff_alone(client: Client, home: Home) -> None:
    """H9"""
    fields = "canAppeal appeal { text outcome answer answeredAt } recordedUntil recordings { reference }"
    board = await home.world.staff()
    await home.begun()
    await recordings.name(home.proctor, home.id, "recording/a.webm")
    await proctoring.invalidate(home.proctor, home.id, Reason.HELP_BY_OTHERS, "Somebody told you answers.")
    before = await told(client, home, fields)
    assert (before["canAppeal"], before["appeal"], before["recordings"]) == (True, None, [])
    assert before["recordedUntil"] is not None
    await appeals.make(home.viewer, home.id, "It was the radio.")
    await appeals.answer(home.board, home.id, AppealOutcome.NEW_SITTING, "We heard it.")
    after = await told(client, home, fields)
    assert after["canAppeal"] is False
    assert (after["appeal"]["outcome"], after["appeal"]["answer"]) == ("NEW_SITTING", "We heard it.")
    seen = await told(client, home, fields, board)
    assert (seen["appeal"]["text"], seen["recordings"]) == ("It was the radio.", [{"reference": "recording/a.webm"}])
    assert (await told(client, home, fields, home.staff))["appeal"] is None


async def test_a_reported_sitting_leads_to_its_entry_and_to_no_result_before_the_release(
    client: Client, home: Home
) -> None:
    """H8"""
    fields = "entry { candidateNumber centre { number } } result { status } unofficialScores { skill score }"
    await home.finished()
    await scores.record_unofficial(home.board, home.id, GIVEN)
    assert (await told(client, home, fields))["entry"] is None
    await scores.report(home.viewer, home.id)
    shown = await told(client, home, fields)
    assert (shown["entry"]["centre"]["number"], shown["result"]) == ("HOME", None)
    assert shown["unofficialScores"] == [{"skill": "READING", "score": 25}, {"skill": "LISTENING", "score": 24}]
    assert await told(client, home, fields, home.staff) is None  # what was chosen is no proctor's business


async def full(home: Home) -> None:
    """Something of every kind in a sitting that runs."""
    await chat.send(home.viewer, home.id, "Hello")
    await chat.send(home.proctor, home.id, "Hello")
    await proctoring.note_incident(home.proctor, home.id, "A dog barks.")
    await home.confirm(Step.DOCUMENT)


async def test_a_page_takes_the_same_statements_for_one_sitting_and_for_four(
    client: Client, home: Home, statements: Statements
) -> None:
    """A proctor watches eight, and their page asks for everything; a candidate's own the same way."""
    homes = [home, *[await Home.booked(home.world, home.clock) for _ in range(3)]]
    for one in homes:
        one.staff = home.staff
        await one.check_system()
    home.clock.now = (await home.row())["appointment_at"]
    proctor, counts = client.as_(await home.world.token(home.staff)), []
    for index, one in enumerate(homes):
        await one.start()
        assert await proctoring.take_next(one.proctor) == one.id
        await full(one)
        if index in (0, 3):
            with statements.counted():
                answer = await proctor.ask(PAGE)
            assert [len(shown["messages"]) for shown in answer["sittings"]] == [2] * (index + 1)
            counts.append(len(statements))
    assert counts[0] == counts[1] <= EDGES + 3, statements.sent
    own = client.as_(await home.world.token(home.candidate))
    with statements.counted():
        await own.ask(PAGE)
    assert len(statements) <= counts[0]


async def test_a_message_takes_nine_statements_a_section_as_many_and_what_is_done_already_five(
    client: Client, home: Home, statements: Statements
) -> None:
    """H4: the session; BEGIN; the sitting, held; the limit and the message, or the state and the section; the event;
    the trail; COMMIT; the sitting as it is answered. Done already: neither a change, nor an event, nor the trail.
    """
    await home.begun()
    own = client.as_(await home.world.token(home.candidate))
    say = """mutation ($input: SittingNoteInput!) { sendMessage(input: $input) {
        ... on SittingChanged { sitting { state } } } }"""
    start = """mutation ($input: SittingInput!) { startSection(input: $input) {
        ... on SittingChanged { sitting { state } } } }"""
    about = {"sittingId": home.gid}
    text = about | {"text": "Hello"}
    for query, input, expected in ((say, text, 9), (say, text, 9), (start, about, 9), (start, about, 5)):
        with statements.counted():
            answer = await own.ask(query, input=input)
        assert [one["sitting"]["state"] for one in answer.values()] == ["IN_PROGRESS"]
        assert len(statements) == expected, statements.sent
