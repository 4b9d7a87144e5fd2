"""A sitting from its booking to the end of the test, by its resolvers and with a real database (H1-H7)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine import database
from errors import (
    AlreadyBooked,
    ConsentOutdated,
    InstitutionNotFound,
    InvalidInput,
    NameDiffers,
    NotAllowed,
    NotLoggedIn,
    SittingNotFound,
    SittingStateForbids,
    StepNotNext,
    TooManyTries,
    WrongLogin,
    WrongTestPassword,
)
from models.consent import CONSENT_VERSION
from models.institution import InstitutionStatus
from models.sittings.check_in import STEPS, Step
from models.sittings.proctoring import Part
from models.sittings.reasons import Reason
from models.viewer import Kind
from resolvers import passwords, sessions
from resolvers.shares import Consent
from resolvers.sittings import bookings, chat, check_ins, moves, proctoring, recipients, running, views
from resolvers.sittings.bookings import Appointment
from tests.conftest import ControlledClock, Statements
from tests.sitting_world import HERE, IN_TOKYO, Home, proctor_of
from tests.world import PASSWORD, World

MINUTE = timedelta(minutes=1)
LAST = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
YES = Consent(CONSENT_VERSION, "en")


@pytest.fixture
async def home(open_database: None, world: World, clock: ControlledClock) -> Home:
    return await Home.booked(world, clock)


# ---- booking


async def test_an_appointment_is_booked_at_the_time_of_the_candidates_zone(home: Home) -> None:
    """H1"""
    row = await home.row()
    assert row["appointment_at"] == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert (row["state"], row["timezone"]) == ("BOOKED", "Asia/Tokyo")
    assert row["sections"] == ["READING", "LISTENING", "SPEAKING", "WRITING"]


async def test_booking_the_same_twice_at_once_books_it_once(home: Home) -> None:
    appointment = replace(HERE, starts_at=IN_TOKYO + timedelta(days=2))
    booked = await asyncio.gather(*(bookings.book(home.viewer, appointment) for _ in range(3)))
    assert len({one.sitting["id"] for one in booked}) == 1
    assert sorted(one.was_booked for one in booked) == [False, True, True]


async def test_two_sittings_at_about_one_time_are_refused(home: Home) -> None:
    with pytest.raises(AlreadyBooked) as refusal:
        await bookings.book(home.viewer, replace(HERE, starts_at=IN_TOKYO + timedelta(hours=3, minutes=59)))
    assert refusal.value.appointment_at == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert not (await bookings.book(home.viewer, replace(HERE, starts_at=IN_TOKYO + timedelta(hours=4)))).was_booked


async def test_ten_sittings_ahead_are_booked_and_what_is_missed_makes_room(home: Home) -> None:
    """The tenth is booked, the eleventh refused, and the same as before answered; nobody's list grows without end."""

    def on_day(day: int) -> Appointment:
        return replace(HERE, starts_at=IN_TOKYO + timedelta(days=day))

    for day in range(1, bookings.MOST_AHEAD):
        await bookings.book(home.viewer, on_day(day))
    with pytest.raises(InvalidInput) as refusal:
        await bookings.book(home.viewer, on_day(20))
    assert [problem.path for problem in refusal.value.problems] == ["startsAt"]
    assert (await bookings.book(home.viewer, on_day(1))).was_booked
    home.clock.now = (await home.row())["appointment_at"] + 15 * MINUTE
    with pytest.raises(InvalidInput):
        await bookings.book(home.viewer, on_day(20))
    home.clock.forward(microseconds=1)
    assert not (await bookings.book(home.viewer, on_day(20))).was_booked


@pytest.mark.parametrize(("exam", "path"), [("C1_ADVANCED", "examCode"), ("IBT_HOME", "startsAt"), ("X", "examCode")])
async def test_only_exams_that_are_taken_at_home_on_that_day_are_booked(home: Home, exam: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await bookings.book(home.viewer, replace(HERE, exam_code=exam))
    assert [problem.path for problem in refusal.value.problems] == [path]


async def test_recipients_are_named_with_consent_and_can_be_changed(home: Home) -> None:
    """S3, H8: each keeps the sentence of the moment in which it was named."""
    first, second = await home.world.institution(), await home.world.institution()
    await recipients.change(home.viewer, home.id, [first.id], YES)
    home.clock.forward(minutes=5)
    await recipients.change(home.viewer, home.id, [second.id, first.id], YES)
    named = await recipients.of_sitting(home.viewer, home.id)
    assert [one["institution_id"] for one in named] == [first.id, second.id]
    assert named[1]["named_at"] - named[0]["named_at"] == 5 * MINUTE
    assert first.name in named[0]["consent_text"]
    await recipients.change(home.viewer, home.id, [second.id], None)
    assert [one["institution_id"] for one in await recipients.of_sitting(home.viewer, home.id)] == [second.id]
    assert await recipients.of_sitting(home.proctor, home.id) == []


async def test_nobody_is_named_without_the_consent_of_today_or_who_is_not_approved(home: Home) -> None:
    """S3, O3"""
    approved = await home.world.institution()
    applying = await home.world.institution(status=InstitutionStatus.APPLIED, approved_at=None)
    for consent in (None, Consent("2020-01", "en")):
        with pytest.raises(ConsentOutdated):
            await recipients.change(home.viewer, home.id, [approved.id], consent)
    with pytest.raises(InstitutionNotFound):
        await recipients.change(home.viewer, home.id, [approved.id, applying.id], YES)
    assert await recipients.of_sitting(home.viewer, home.id) == []


# ---- before and at the check-in


async def test_check_in_needs_a_system_check_whose_last_try_passed(home: Home) -> None:
    """H1"""
    home.clock.now = (await home.row())["appointment_at"]
    with pytest.raises(SittingStateForbids):
        await check_ins.start(home.viewer, home.id)
    await home.check_system()
    await bookings.record_system_check(home.viewer, home.id, [part for part in Part if part is not Part.CAMERA])
    with pytest.raises(SittingStateForbids):
        await check_ins.start(home.viewer, home.id)
    await home.check_system()
    await check_ins.start(home.viewer, home.id)
    assert await home.stands() == "CHECKING_IN"


async def test_fifteen_minutes_late_is_in_time(home: Home) -> None:
    """H2"""
    await home.come(late=LAST)
    assert await home.stands() == "CHECKING_IN"


async def test_a_second_later_it_is_missed_though_no_job_has_run(home: Home) -> None:
    """H2, H11"""
    with pytest.raises(SittingStateForbids) as refusal:
        await home.come(late=LAST + SECOND)
    assert refusal.value.state == "MISSED"
    assert (await home.row())["state"] == "SYSTEM_CHECKED"  # as nobody has written it
    assert await home.stands() == "MISSED"


async def test_a_worker_that_was_down_writes_a_miss_as_of_its_moment_and_once(home: Home) -> None:
    """H2, H11"""
    due = (await home.row())["appointment_at"] + LAST
    assert await moves.settle(due + moves.GRACE_OF_ENDS) == 0
    home.clock.now = due + timedelta(days=3)
    assert await moves.settle(home.clock()) == 1
    assert await moves.settle(home.clock()) == 0
    row = await home.row()
    assert (row["state"], row["since"], row["reason"]) == ("MISSED", due, "NOT_STARTED_IN_TIME")
    last = (await views.timeline(home.viewer, home.id))[-1]
    assert (last["kind"], last["happened_at"], last["actor"]) == ("MISSED", due, "CLOCK")


async def test_steps_are_confirmed_in_order_by_the_proctor_who_has_the_sitting(home: Home) -> None:
    """H3"""
    await home.come()
    with pytest.raises(SittingNotFound):  # nobody has it yet
        await check_ins.confirm_step(home.proctor, home.id, Step.DOCUMENT, "x")
    await proctoring.take_next(home.proctor)
    with pytest.raises(StepNotNext) as refusal:
        await check_ins.confirm_step(home.proctor, home.id, Step.RULES)
    assert refusal.value.expected == "DOCUMENT"
    with pytest.raises(NotAllowed):
        await check_ins.confirm_step(home.viewer, home.id, Step.DOCUMENT, "x")
    await home.confirm(*STEPS)
    with pytest.raises(SittingStateForbids):
        await check_ins.confirm_step(home.proctor, home.id, Step.PASSWORD)
    steps = await database.rows("SELECT step FROM check_in_step ORDER BY confirmed_at, id")
    assert [one["step"] for one in steps] == [step.value for step in STEPS]


@pytest.mark.parametrize("step", [Step.DOCUMENT, Step.ROOM, Step.PASSWORD])
async def test_no_step_is_compared_or_confirmed_once_a_check_in_has_ended(home: Home, step: Step) -> None:
    """H3: it is refused with the state it is in."""
    await home.taken()
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "Gone")
    with pytest.raises(SittingStateForbids) as refusal:
        await check_ins.confirm_step(home.proctor, home.id, step, "Somebody else")
    assert refusal.value.state == "ENDED_BY_PROCTOR"


@pytest.mark.parametrize("shown", ["Zoe Tanaka", "ZOË TANAKA", "Zoë  Tanaka", "Zoë Tanake", ""])
async def test_a_name_that_is_not_spelled_as_the_accounts_is_refused_letter_by_letter(
    open_database: None, world: World, clock: ControlledClock, shown: str
) -> None:
    """H3"""
    home = await Home.booked(world, clock, given_name="Zoë", family_name="Tanaka")
    await home.taken()
    with pytest.raises(NameDiffers) as refusal:
        await check_ins.confirm_step(home.proctor, home.id, Step.DOCUMENT, shown)
    assert "".join(letter[1] for letter in refusal.value.letters) == shown
    assert any(not letter[2] for letter in refusal.value.letters)
    assert (await home.row())["steps"] == 0


@pytest.mark.parametrize("shown", ["Zoe\u0308 Tanaka", "Tanaka Zoë", "田中 葵"])
async def test_a_name_is_accepted_in_any_way_in_which_the_account_spells_it(
    open_database: None, world: World, clock: ControlledClock, shown: str
) -> None:
    """H3: in composed and in decomposed signs, and as Japanese documents write it."""
    home = await Home.booked(world, clock, given_name="Zoë", family_name="Tanaka", native_name="田中 葵")
    await home.taken()
    assert (await check_ins.confirm_step(home.proctor, home.id, Step.DOCUMENT, shown)).next is Step.RULES


async def test_the_test_password_is_told_once_works_once_and_is_stored_sealed(home: Home) -> None:
    """H3, G3"""
    await home.begun()
    row = await database.row("SELECT sitting::text AS text FROM sitting")
    assert row is not None
    assert home.released.password not in row["text"]
    assert await home.stands() == "IN_PROGRESS"
    with pytest.raises(SittingStateForbids):
        await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)


async def test_wrong_test_passwords_lock_and_a_new_one_ends_the_old(home: Home) -> None:
    await home.taken()
    await home.confirm(*STEPS)
    old = home.released
    new = await check_ins.release_again(home.proctor, home.id)
    for test_id, password in ((old.test_id, old.password), (new.test_id, old.password), (old.test_id, new.password)):
        with pytest.raises(WrongTestPassword):
            await check_ins.enter_test(home.viewer, home.id, test_id, password)
    for _ in range(2):
        with pytest.raises(WrongTestPassword):
            await check_ins.enter_test(home.viewer, home.id, new.test_id, "guess")
    with pytest.raises(TooManyTries):
        await check_ins.enter_test(home.viewer, home.id, new.test_id, new.password)
    home.clock.forward(minutes=5)
    await check_ins.enter_test(home.viewer, home.id, new.test_id.lower(), new.password)
    assert await home.stands() == "IN_PROGRESS"


async def test_a_new_test_password_can_be_entered_at_once_whatever_was_tried_before(home: Home) -> None:
    """H3"""
    await home.taken()
    await home.confirm(*STEPS)
    for _ in range(5):
        with pytest.raises(WrongTestPassword):
            await check_ins.enter_test(home.viewer, home.id, home.released.test_id, "guess")
    new = await check_ins.release_again(home.proctor, home.id)
    await check_ins.enter_test(home.viewer, home.id, new.test_id, new.password)


async def test_only_the_candidate_can_use_up_the_tries_of_a_test_password_and_only_once_there_is_one(
    home: Home,
) -> None:
    """H3"""
    await home.taken()
    other = home.world.viewer(Kind.CANDIDATE, (await home.world.candidate()).id)
    for _ in range(6):
        with pytest.raises(SittingStateForbids):
            await check_ins.enter_test(home.viewer, home.id, "", "")
    await home.confirm(*STEPS)
    for _ in range(6):
        with pytest.raises(SittingNotFound):
            await check_ins.enter_test(other, home.id, home.released.test_id, home.released.password)
    await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)
    assert await home.stands() == "IN_PROGRESS"


async def test_a_name_without_end_is_shown_as_far_as_a_person_reads(home: Home) -> None:
    await home.taken()
    with pytest.raises(NameDiffers) as refusal:
        await check_ins.confirm_step(home.proctor, home.id, Step.DOCUMENT, "Aoi Tanaka" * 10_000)
    assert len(refusal.value.letters) == check_ins.LONGEST_SHOWN


# ---- the queue


async def test_proctors_take_who_has_the_first_appointment_and_each_another_one(
    open_database: None, world: World, clock: ControlledClock
) -> None:
    """H2: waiting counts as in time."""
    homes = [
        await Home.booked(world, clock, replace(HERE, starts_at=IN_TOKYO + minutes * MINUTE)) for minutes in (5, 0, 10)
    ]
    for home in homes:
        await home.check_system()
    clock.now = (await homes[2].row())["appointment_at"]
    for home in homes:
        await check_ins.start(home.viewer, home.id)
    clock.forward(hours=1)
    assert [one["id"] for one in await proctoring.queue(homes[0].proctor)] == [homes[i].id for i in (1, 0, 2)]
    taken = await asyncio.gather(*(proctoring.take_next(home.proctor) for home in homes[:2]))
    assert set(taken) == {homes[0].id, homes[1].id}
    assert await proctoring.take_next(homes[0].proctor) == homes[2].id
    assert await proctoring.take_next(homes[0].proctor) is None


async def test_a_proctor_watches_no_more_than_a_person_can(
    open_database: None, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proctoring, "MOST_WATCHED", 1)
    one, other = [await Home.booked(world, clock) for _ in range(2)]
    await one.taken()
    await other.check_system()
    await check_ins.start(other.viewer, other.id)
    with pytest.raises(InvalidInput):
        await proctoring.take_next(one.proctor)
    assert await proctoring.take_next(other.proctor) == other.id


async def test_handing_over_is_told_and_ends_what_the_first_proctor_may_do(home: Home) -> None:
    await home.taken()
    other = home.world.viewer(Kind.PROCTOR, (await proctor_of(home.world)).id)
    with pytest.raises(InvalidInput):  # not connected
        await proctoring.hand_over(home.proctor, home.id, other.id or home.id)
    await proctoring.note_presence(other)
    await proctoring.hand_over(home.proctor, home.id, other.id or home.id)
    assert (await home.told())[-1] == "HANDED_OVER"
    with pytest.raises(SittingNotFound):
        await proctoring.note_incident(home.proctor, home.id, "Somebody came in")
    await proctoring.note_incident(other, home.id, "Somebody came in")


# ---- the test


async def test_the_test_is_taken_section_by_section_with_one_break_after_listening(home: Home) -> None:
    """H4, H6"""
    await home.begun()
    await home.sections(1)
    with pytest.raises(SittingStateForbids):
        await running.start_break(home.viewer, home.id)
    await home.sections(1)
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=10)
    await running.end_break(home.viewer, home.id)
    with pytest.raises(SittingStateForbids):
        await running.start_break(home.viewer, home.id)
    with pytest.raises(SittingStateForbids):
        await running.finish(home.viewer, home.id)
    await home.sections(2)
    await running.finish(home.viewer, home.id)
    assert await home.stands() == "FINISHED"
    skills = await database.rows("SELECT skill FROM sitting_section WHERE ended_at IS NOT NULL ORDER BY place")
    assert [one["skill"] for one in skills] == ["READING", "LISTENING", "SPEAKING", "WRITING"]


async def test_back_a_second_late_the_sitting_is_cancelled_and_stays_so(home: Home) -> None:
    """H6, H11"""
    await home.begun()
    await home.sections(2)
    await running.start_break(home.viewer, home.id)
    home.clock.forward(minutes=10, seconds=1)
    with pytest.raises(SittingStateForbids) as refusal:
        await running.end_break(home.viewer, home.id)
    assert refusal.value.state == "BREAK_OVERRUN"
    home.clock.forward(seconds=30)
    assert await moves.settle(home.clock()) == 1
    assert (await home.row())["reason"] == "BACK_LATE"
    assert (await home.told())[-1] == "BREAK_OVERRUN"


async def test_a_lost_connection_interrupts_and_the_same_proctor_resumes(home: Home) -> None:
    """H5"""
    await home.begun()
    home.clock.forward(seconds=15)
    await running.report_connection(home.viewer, home.id)
    assert await home.stands() == "IN_PROGRESS"
    home.clock.forward(seconds=16)
    assert await home.stands() == "INTERRUPTED"
    with pytest.raises(SittingStateForbids):
        await running.resume(home.proctor, home.id)
    await running.report_connection(home.viewer, home.id)
    await running.report_connection(home.proctor, home.id)
    assert await proctoring.queue(home.proctor) == []
    await running.resume(home.proctor, home.id)
    assert (await home.told())[-3:] == ["CONNECTION_LOST", "CONNECTION_BACK", "RESUMED"]
    assert await home.stands() == "IN_PROGRESS"


async def test_when_the_proctor_is_away_the_next_one_takes_over(home: Home) -> None:
    """H5"""
    await home.begun()
    other = (await proctor_of(home.world)).id
    assert await proctoring.take_next(home.world.viewer(Kind.PROCTOR, other)) is None
    home.clock.forward(seconds=16)
    assert await proctoring.take_next(home.world.viewer(Kind.PROCTOR, other)) == home.id
    with pytest.raises(SittingNotFound):
        await running.resume(home.proctor, home.id)
    await running.report_connection(home.viewer, home.id)
    resumed = await running.resume(home.world.viewer(Kind.PROCTOR, other), home.id)
    assert resumed.state.value == "IN_PROGRESS"


# ---- incidents, ends, chat


async def test_an_invalidated_sitting_tells_its_candidate_why_in_the_proctors_words(home: Home) -> None:
    """H7, H9"""
    await home.begun()
    await proctoring.note_incident(home.proctor, home.id, "A second person speaks")
    assert "INCIDENT_NOTED" not in await home.told()
    assert "INCIDENT_NOTED" in await home.told(home.board)
    assert await proctoring.incidents(home.viewer, [home.id]) == []
    assert [one["text"] for one in await proctoring.incidents(home.board, [home.id])] == ["A second person speaks"]
    for nothing in (" ", "\u200b", "\u202e\u2069", "\x07"):
        with pytest.raises(InvalidInput):
            await proctoring.invalidate(home.proctor, home.id, Reason.HELP_BY_OTHERS, nothing)
    await proctoring.invalidate(home.proctor, home.id, Reason.HELP_BY_OTHERS, "Somebody told you answers.")
    row = await home.row()
    assert (row["state"], row["reason"], row["words"]) == (
        "INVALIDATED",
        "HELP_BY_OTHERS",
        "Somebody told you answers.",
    )


@pytest.mark.parametrize("kind", [Kind.VERIFIER, Kind.KEY, Kind.STAFF, Kind.CANDIDATE, Kind.PROCTOR, Kind.ANONYMOUS])
async def test_nobody_else_sees_a_sitting_or_acts_in_it(home: Home, kind: Kind) -> None:
    """U3: another candidate, a proctor who does not have it, a centre's staff, institutions."""
    await home.taken()
    stranger = home.world.viewer(kind, None if kind is Kind.ANONYMOUS else home.id)  # the id of no account
    assert await views.by_ids(stranger, [home.id]) == {}
    assert await views.timeline(stranger, home.id) == []
    with pytest.raises((SittingNotFound, NotAllowed, NotLoggedIn)):
        await chat.send(stranger, home.id, "Hello")
    with pytest.raises((SittingNotFound, NotAllowed, NotLoggedIn)):
        await proctoring.invalidate(stranger, home.id, Reason.HELP_BY_OTHERS, "x")


async def test_waiting_for_an_answer_is_measured_and_unread_is_signalled(home: Home) -> None:
    """H4"""
    await home.taken()
    await chat.send(home.viewer, home.id, "May I drink water?")
    asked_at = home.clock()
    home.clock.forward(seconds=20)
    await chat.send(home.viewer, home.id, "Hello?")
    waits = (await chat.waits(home.proctor, [home.id]))[home.id]
    assert (waits["unread"], waits["waiting_since"]) == (2, asked_at)
    home.clock.forward(seconds=20)
    await chat.send(home.proctor, home.id, "Yes, in the break.")
    waits = (await chat.waits(home.viewer, [home.id]))[home.id]
    assert (waits["unread"], waits["waiting_since"]) == (1, None)
    assert (waits["longest_seconds"], waits["mean_seconds"]) == (40.0, 30.0)
    assert await chat.mark_read(home.viewer, home.id) == 1
    assert (await chat.waits(home.viewer, [home.id]))[home.id]["unread"] == 0
    texts = [one["text"] for one in await chat.of_sitting(home.viewer, home.id)]
    assert texts == ["May I drink water?", "Hello?", "Yes, in the break."]


async def test_a_heartbeat_costs_few_statements(home: Home, statements: Statements) -> None:
    """200 sittings give one every five seconds."""
    await home.begun()
    home.clock.forward(seconds=5)
    with statements.counted():
        await running.report_connection(home.viewer, home.id)
    assert len(statements) <= 4  # with the beginning and the end of the transaction


async def test_a_proctor_logs_in_with_a_code_and_is_a_viewer_of_their_own_kind(home: Home) -> None:
    """A4: and may do nothing that staff may, but change their own password."""
    nobody = home.world.viewer(Kind.ANONYMOUS)
    with pytest.raises(WrongLogin):
        await sessions.log_in(Kind.STAFF, home.staff.email, PASSWORD, nobody)
    logged_in = await sessions.log_in(Kind.STAFF, home.staff.email, PASSWORD, nobody, home.world.code(home.staff))
    assert (logged_in.viewer.kind, logged_in.viewer.id) == (Kind.PROCTOR, home.staff.id)
    with pytest.raises(NotAllowed):
        logged_in.viewer.must_be(Kind.STAFF)
    assert await passwords.change(logged_in.viewer, PASSWORD, "another horse 43", "another horse 43") == 0
