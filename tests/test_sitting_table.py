"""The table of sittings: random acts against it and an oracle of its own, and every edge of its timed rules (H2-H9)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from errors import SittingStateForbids
from models.sittings.check_in import STEPS
from models.sittings.reasons import IN_OWN_WORDS, WORDS, Reason
from models.sittings.states import BY_CLOCK, ENDS, LIVE, Act, SittingState, actors
from models.sittings.table import (
    OTHERWISE,
    RULES,
    TABLE,
    Facts,
    after,
    always,
    possible,
    standing,
    turns,
)

AT = datetime(2027, 3, 28, 0, 0, tzinfo=UTC)  # the night in which clocks are put forward in Europe
SECTIONS = ("READING", "LISTENING", "SPEAKING", "WRITING")
TICK = timedelta(microseconds=1)
S = SittingState


def booked(state: S = S.BOOKED, **facts: Any) -> Facts:
    """A sitting in a state since its appointment, unless told otherwise."""
    known: dict[str, Any] = {"since": AT, "appointment_at": AT, "sections": SECTIONS}
    return Facts(state, **known | facts)


def refused(facts: Facts, act: Act, now: datetime, reason: Reason | None = None) -> str:
    """The state that an act is refused with."""
    with pytest.raises(SittingStateForbids) as refusal:
        after(facts, act, now, reason)
    return refusal.value.state


# ---- the table itself


def test_each_act_is_decided_once_in_each_state() -> None:
    assert len(RULES) == len(TABLE)


def test_every_state_and_every_act_stands_in_the_table() -> None:
    assert {rule.state for rule in TABLE} | {rule.next for rule in TABLE} == set(SittingState)
    assert {rule.act for rule in TABLE} == set(Act)


def test_every_state_can_be_reached_from_a_booking() -> None:
    reached = {S.BOOKED}
    while more := {rule.next for rule in TABLE if rule.state in reached} - reached:
        reached |= more
    assert reached == set(SittingState)


def test_nothing_leaves_an_end_but_the_undoing_of_a_cancellation() -> None:
    assert [(rule.state, rule.act, rule.next) for rule in TABLE if rule.state in ENDS] == [
        (S.CANCELLED, Act.UNDO, S.FINISHED)
    ]


def test_every_way_into_an_end_has_a_reason_and_no_other_has_one() -> None:
    """H9"""
    assert {rule.next in ENDS for rule in TABLE if rule.reasons} == {True}
    assert [rule for rule in TABLE if rule.next in ENDS and not rule.reasons] == []


def test_every_reason_is_told_in_words_with_what_can_be_done() -> None:
    """H9"""
    assert set(WORDS) == set(Reason)
    assert [reason for reason, words in WORDS.items() if not (words.reason and words.remedy)] == []
    assert {reason for rule in TABLE for reason in rule.reasons} == set(Reason)


def test_every_guard_has_its_words() -> None:
    assert {rule.guard for rule in TABLE if rule.act not in BY_CLOCK} - {always} == set(OTHERWISE)


def test_what_ends_in_own_words_is_never_what_the_clock_or_the_candidate_ends() -> None:
    """H7"""
    by_people = {reason for rule in TABLE if rule.act in (Act.END, Act.INVALIDATE) for reason in rule.reasons}
    assert by_people == IN_OWN_WORDS


# ---- both sides of every edge


def test_check_in_opens_at_the_appointment_and_not_before() -> None:
    """H2"""
    ready = booked(S.SYSTEM_CHECKED)
    assert refused(ready, Act.START_CHECK_IN, AT - TICK) == "SYSTEM_CHECKED"
    assert after(ready, Act.START_CHECK_IN, AT).state is S.CHECKING_IN


@pytest.mark.parametrize("late", [TICK, timedelta(seconds=1), timedelta(days=400)])
def test_fifteen_minutes_after_the_appointment_is_in_time_and_later_is_missed(late: timedelta) -> None:
    """H2, H11: whether or not a job has written it."""
    ready, last = booked(S.SYSTEM_CHECKED), AT + timedelta(minutes=15)
    assert after(ready, Act.START_CHECK_IN, last).state is S.CHECKING_IN
    assert refused(ready, Act.START_CHECK_IN, last + late) == "MISSED"
    missed = standing(ready, last + late)
    assert (missed.state, missed.since, missed.reason) == (S.MISSED, last, Reason.NOT_STARTED_IN_TIME)
    assert standing(ready, last) == ready


def test_check_in_waits_for_a_system_check_that_passes() -> None:
    """H1: whoever has none is told so."""
    with pytest.raises(SittingStateForbids) as told:
        after(booked(S.BOOKED), Act.START_CHECK_IN, AT)
    assert "The system check must pass first." in str(told.value)


def test_a_system_check_does_not_help_after_the_fifteen_minutes() -> None:
    """H1, H2"""
    last = AT + timedelta(minutes=15)
    assert after(booked(), Act.PASS_CHECK, last).state is S.SYSTEM_CHECKED
    assert refused(booked(), Act.PASS_CHECK, last + TICK) == "MISSED"


def test_who_started_in_time_may_wait_for_a_proctor_as_long_as_it_takes() -> None:
    """H2"""
    waiting = after(booked(S.SYSTEM_CHECKED), Act.START_CHECK_IN, AT + timedelta(minutes=15))
    silent = standing(waiting, AT + timedelta(hours=5))
    assert silent == replace(waiting, lost_at=AT + timedelta(minutes=15, seconds=15))
    assert Act.TAKE in possible(silent, AT + timedelta(hours=5))


@pytest.mark.parametrize("late", [TICK, timedelta(seconds=1), timedelta(days=1)])
def test_ten_minutes_of_break_are_in_time_and_more_are_an_overrun(late: timedelta) -> None:
    """H6, H11"""
    resting, last = booked(S.ON_BREAK, break_started_at=AT), AT + timedelta(minutes=10)
    assert after(resting, Act.END_BREAK, last).state is S.IN_PROGRESS
    assert refused(resting, Act.END_BREAK, last + late) == "BREAK_OVERRUN"
    overrun = standing(resting, last + late)
    assert (overrun.state, overrun.since, overrun.reason) == (S.BREAK_OVERRUN, last, Reason.BACK_LATE)


def test_after_fifteen_seconds_without_a_sign_the_connection_is_lost() -> None:
    """H5"""
    seen = booked(S.IN_PROGRESS, seen_at=AT)
    last = AT + timedelta(seconds=15)
    assert standing(seen, last).state is S.IN_PROGRESS
    lost = standing(seen, last + TICK)
    assert (lost.state, lost.since, lost.reason) == (S.INTERRUPTED, last, None)


@pytest.mark.parametrize("state", [S.CHECKING_IN, S.INTERRUPTED, S.ON_BREAK])
def test_a_silence_in_check_in_break_and_interruption_is_told_once_and_ends_nothing(state: SittingState) -> None:
    """H5, H10: as of 15 seconds after the last sign, and again after the next one."""
    seen = booked(state, seen_at=AT, break_started_at=AT)
    last = AT + timedelta(seconds=15)
    assert turns(seen, last) == []
    [turn] = turns(seen, last + TICK)
    assert (turn.act, turn.at, turn.facts) == (Act.LOSE, last, replace(seen, lost_at=last))
    assert turns(turn.facts, last + timedelta(minutes=9)) == []
    back = after(turn.facts, Act.GIVE_SIGN, last + timedelta(minutes=1))
    assert (back.state, back.since, back.lost_at) == (state, seen.since, None)
    assert [turn.at for turn in turns(back, last + timedelta(minutes=2))] == [last + timedelta(minutes=1, seconds=15)]


def test_what_fell_due_first_is_told_first() -> None:
    """H6, H11: who falls silent shortly before the end of the break is late and not lost; else lost, and late then."""
    end = AT + timedelta(minutes=10)
    for seen_at, expected in ((end - timedelta(seconds=14), [Act.OVERRUN]), (AT, [Act.LOSE, Act.OVERRUN])):
        resting = booked(S.ON_BREAK, seen_at=seen_at, break_started_at=AT)
        assert [turn.act for turn in turns(resting, end + timedelta(hours=1))] == expected


def test_a_cancellation_can_be_undone_for_sixty_days_and_not_a_moment_longer() -> None:
    """H9, H11"""
    cancelled = booked(S.CANCELLED, reason=Reason.CHOSE_TO_CANCEL, cancel_asked_at=AT)
    last = AT + timedelta(days=60)
    undone = after(cancelled, Act.UNDO, last)
    assert (undone.state, undone.reason, undone.cancel_asked_at) == (S.FINISHED, None, None)
    assert refused(cancelled, Act.UNDO, last + TICK) == "CANCELLED"


def test_a_lost_candidate_is_resumed_only_once_back() -> None:
    """H5"""
    lost = standing(booked(S.IN_PROGRESS, seen_at=AT), AT + timedelta(minutes=1))
    assert refused(lost, Act.RESUME, AT + timedelta(minutes=1)) == "INTERRUPTED"
    back = after(lost, Act.GIVE_SIGN, AT + timedelta(minutes=2))
    assert back.state is S.INTERRUPTED
    assert after(back, Act.RESUME, AT + timedelta(minutes=2, seconds=15)).state is S.IN_PROGRESS
    assert refused(back, Act.RESUME, AT + timedelta(minutes=2, seconds=15) + TICK) == "INTERRUPTED"


def test_a_proctor_takes_over_only_from_one_who_is_away() -> None:
    """H5: the same proctor if connected, else the next."""
    lost = booked(S.INTERRUPTED, has_proctor=True, proctor_seen_at=AT)
    assert refused(lost, Act.TAKE, AT + timedelta(seconds=15)) == "INTERRUPTED"
    assert after(lost, Act.TAKE, AT + timedelta(seconds=15) + TICK).proctor_seen_at == AT + timedelta(seconds=15) + TICK


@pytest.mark.parametrize("done", range(len(SECTIONS) + 1))
def test_the_break_comes_after_listening_and_nowhere_else(done: int) -> None:
    """H6"""
    facts = booked(S.IN_PROGRESS, sections_done=done, seen_at=AT)
    assert (Act.START_BREAK in possible(facts, AT)) is (done == 2)
    assert Act.START_BREAK not in possible(replace(facts, is_in_section=done < len(SECTIONS), steps=7), AT) or done == 4
    assert Act.START_BREAK not in possible(replace(facts, break_started_at=AT), AT)


def test_an_end_needs_a_reason_that_fits_where_the_sitting_stands() -> None:
    """H5, H7, H9"""
    facts = booked(S.IN_PROGRESS, seen_at=AT)
    assert refused(facts, Act.END, AT) == "IN_PROGRESS"
    assert refused(facts, Act.END, AT, Reason.NAME_DIFFERS) == "IN_PROGRESS"
    assert refused(facts, Act.INVALIDATE, AT, Reason.LEFT) == "IN_PROGRESS"
    assert after(facts, Act.END, AT, Reason.LEFT).reason is Reason.LEFT


# ---- random acts against an oracle that knows no table


SECOND = 10**6  # microseconds


class Oracle:
    """What a sitting should do, told as plainly as the rules are, in microseconds after the appointment."""

    def __init__(self, start: int) -> None:
        self.state, self.changed_at, self.now = "booked", start, start
        self.is_checked = self.is_taken = self.is_open = self.was_asked = self.had_break = self.is_lost = False
        self.steps = self.sections = 0
        self.seen_at = self.break_at = self.proctor_at = 0
        self.ended_because = ""

    def set(self, state: str, because: str = "", at: int | None = None) -> None:
        self.state, self.ended_because = state, because
        self.changed_at = self.now if at is None else at

    def tick(self, now: int) -> None:
        """Time goes on, and what is late is late."""
        self.now = now
        if self.state == "booked" and now > 900 * SECOND:
            self.set("missed", "NOT_STARTED_IN_TIME", 900 * SECOND)
        if self.state == "on break" and now > self.break_at + 600 * SECOND:
            self.set("break overrun", "BACK_LATE", self.break_at + 600 * SECOND)
        if self.state == "in progress" and now > self.seen_at + 15 * SECOND:
            self.set("interrupted", at=self.seen_at + 15 * SECOND)
        if self.state in ("checking in", "interrupted", "on break") and now > self.seen_at + 15 * SECOND:
            self.is_lost = True

    def does(self, act: Act, reason: Reason | None) -> bool:
        """Whether it can be done; then it is done."""
        live = self.state in ("checking in", "in progress", "interrupted", "on break")
        if act is Act.GIVE_SIGN and live:
            self.is_lost = False
        elif act in (Act.PASS_CHECK, Act.FAIL_CHECK) and self.state == "booked":
            self.is_checked = act is Act.PASS_CHECK
        elif act is Act.START_CHECK_IN and self.state == "booked" and self.is_checked and self.now >= 0:
            self.set("checking in")
        elif act is Act.TAKE and live and (not self.is_taken or self.now > self.proctor_at + 15 * SECOND):
            self.is_taken, self.proctor_at = True, self.now
            return True
        elif act is Act.CONFIRM_STEP and self.state == "checking in" and self.is_taken and self.steps < 7:
            self.steps += 1
            return True
        elif act is Act.ENTER_TEST and self.state == "checking in" and self.steps == 7:
            self.set("in progress")
        elif act is Act.START_SECTION and self.is_between_sections() and self.sections < 4:
            self.is_open = True
        elif act is Act.FINISH_SECTION and self.state == "in progress" and self.is_open:
            self.is_open, self.sections = False, self.sections + 1
        elif act is Act.START_BREAK and self.is_between_sections() and self.sections == 2 and not self.had_break:
            self.had_break, self.break_at = True, self.now
            self.set("on break")
        elif act is Act.END_BREAK and self.state == "on break":
            self.set("in progress")
        elif act is Act.RESUME and self.state == "interrupted" and self.now <= self.seen_at + 15 * SECOND:
            self.set("in progress")
            return True
        elif act is Act.FINISH and self.is_between_sections() and self.sections == 4:
            self.set("finished")
        else:
            return self.ends(act, reason, live)
        self.seen_at, self.is_lost = self.now, False
        return True

    def is_between_sections(self) -> bool:
        return self.state == "in progress" and not self.is_open

    def can_be_undone(self) -> bool:
        return self.ended_because == "CHOSE_TO_CANCEL" and self.now <= self.changed_at + 60 * 86400 * SECOND

    def ends(self, act: Act, reason: Reason | None, live: bool) -> bool:
        name = reason.value if reason else ""
        conduct = name in ("SUSPICIOUS_CONDUCT", "HELP_BY_OTHERS", "FORBIDDEN_OBJECT")
        anywhere = name in ("RULES_NOT_ACCEPTED", "TECHNICAL_FAULT", "LEFT")
        at_check_in = name in ("NAME_DIFFERS", "DOCUMENT_NOT_ACCEPTED", "ROOM_NOT_SUITABLE")
        if act is Act.INVALIDATE and conduct and (live or self.state == "finished"):
            self.set("invalidated", name)
        elif act is Act.END and live and self.fits(anywhere, at_check_in, name):
            self.set("ended by proctor", name)
        elif act is Act.ASK_TO_CANCEL and self.state == "finished":
            self.was_asked = True
        elif act is Act.CANCEL and self.state == "finished" and self.was_asked:
            self.set("cancelled", "CHOSE_TO_CANCEL")
        elif act is Act.REPORT and self.state == "finished":
            self.set("reported", "CHOSE_TO_REPORT")
        elif act is Act.CLOSE_ACCOUNT and (live or self.state == "booked"):
            self.set("cancelled", "ACCOUNT_CLOSED")
        elif act is Act.UNDO and self.can_be_undone():
            self.was_asked = False
            self.set("finished")
        else:
            return False
        return True

    def fits(self, anywhere: bool, at_check_in: bool, name: str) -> bool:
        if at_check_in:
            return self.state == "checking in"
        return anywhere or (name == "CANNOT_BE_RESUMED" and self.state == "interrupted")

    @property
    def edge(self) -> int | None:
        """The last moment of what ends by itself."""
        edges = {
            "booked": 900 * SECOND,
            "on break": self.break_at + 600 * SECOND,
            "in progress": self.seen_at + 15 * SECOND,
            "cancelled": self.changed_at + 60 * 86400 * SECOND,
        }
        return edges.get(self.state)

    @property
    def told(self) -> str:
        """The name of its state as the table says it."""
        if self.state == "booked" and self.is_checked:
            return "SYSTEM_CHECKED"
        return self.state.upper().replace(" ", "_")


FORWARD = [Act.PASS_CHECK, Act.START_CHECK_IN, Act.TAKE, *[Act.CONFIRM_STEP] * 7, Act.ENTER_TEST]
FORWARD += [Act.START_SECTION, Act.FINISH_SECTION] * 2 + [Act.START_BREAK, Act.END_BREAK]
FORWARD += [Act.START_SECTION, Act.FINISH_SECTION] * 2 + [Act.FINISH, Act.ASK_TO_CANCEL, Act.CANCEL, Act.UNDO]
PEOPLES = sorted(set(Act) - BY_CLOCK, key=lambda act: act.value)
# Steps of time, most of them to an edge of a rule or just beside it, in microseconds.
EDGES = [seconds * SECOND for seconds in (15, 600, 900, 60 * 86400)]
LEAPS = st.sampled_from([edge + beside for edge in EDGES for beside in (-1, 0, 1)] + [1, SECOND, 3 * SECOND])


LAST_CHANCES = {
    "BOOKED": Act.PASS_CHECK, "SYSTEM_CHECKED": Act.START_CHECK_IN, "IN_PROGRESS": Act.GIVE_SIGN,
    "ON_BREAK": Act.END_BREAK, "CANCELLED": Act.UNDO,
}  # fmt: skip


class Sittings(RuleBasedStateMachine):
    """One sitting, at times that only this clock tells."""

    @initialize(start=st.sampled_from([-86400, -60, 0]), far=st.integers(0, len(FORWARD)))
    def book(self, start: int, far: int) -> None:
        """A sitting that has come so far already."""
        self.now = AT + timedelta(seconds=start)
        self.facts = booked(since=self.now)
        self.oracle = Oracle(start * SECOND)
        for act in FORWARD[:far]:
            if act is Act.START_CHECK_IN:
                self._at(AT)
            self._does(act, None)

    @rule(leap=LEAPS)
    def wait(self, leap: int) -> None:
        self._at(self.now + timedelta(microseconds=leap))

    @rule(beside=st.sampled_from([-1, 0, 0, 1, 1]))
    def come_at_the_edge(self, beside: int) -> None:
        """At the moment at which something ends, or just beside it, do what it ends."""
        edge, last = self.oracle.edge, LAST_CHANCES.get(self.oracle.told)
        assume(edge is not None and last is not None)
        self._at(max(self.now, AT + ((edge or 0) + beside) * TICK))
        self._does(last or Act.GIVE_SIGN, None)

    @rule(act=st.sampled_from(PEOPLES))
    def act(self, act: Act) -> None:
        self._does(act, None)

    @rule(act=st.sampled_from([Act.END, Act.INVALIDATE]), reason=st.sampled_from(list(Reason)))
    def end(self, act: Act, reason: Reason) -> None:
        self._does(act, reason)

    @rule(seconds=st.sampled_from([0, 1, 15]))
    def go_on(self, seconds: int) -> None:
        """The next thing that leads on, so that random acts come far."""
        self._at(self.now + timedelta(seconds=seconds))
        able = [act for act in FORWARD if act in possible(self.facts, self.now)]
        assume(able)
        self._does(able[-1], None)

    def _at(self, now: datetime) -> None:
        self.now = now
        self.oracle.tick((now - AT) // TICK)

    def _does(self, act: Act, reason: Reason | None) -> None:
        allowed = self.oracle.does(act, reason)
        try:
            done = after(self.facts, act, self.now, reason)
        except SittingStateForbids as refusal:
            assert not allowed, (act, refusal)
            assert refusal.state == standing(self.facts, self.now).state.value
            return
        assert allowed, act
        assert self.facts.state not in ENDS or act is Act.UNDO
        self.facts = done

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "facts"):
            return
        told = standing(self.facts, self.now)
        assert told.state.value == self.oracle.told
        assert (told.reason.value if told.reason else "") == self.oracle.ended_because
        assert (told.state in ENDS) is (told.reason is not None)
        assert told.reason is None or WORDS[told.reason].remedy
        assert (told.steps, told.sections_done) == (self.oracle.steps, self.oracle.sections)
        assert told.state not in LIVE or (told.lost_at is not None) is self.oracle.is_lost
        if told.state not in (S.BOOKED, S.SYSTEM_CHECKED):
            assert told.since == AT + self.oracle.changed_at * TICK

    @invariant()
    def whenever_a_job_writes_it_down_it_is_the_same(self) -> None:
        if not hasattr(self, "facts"):
            return
        told = standing(self.facts, self.now)
        assert standing(told, self.now) == told
        assert all(turn.at < self.now for turn in turns(self.facts, self.now))
        assert set(possible(self.facts, self.now)) <= {act for act in Act if actors(act)}
        assert told.state in LIVE or Act.GIVE_SIGN not in possible(told, self.now)


WORDS_OF_AN_END = {act: [None, *Reason] for act in (Act.END, Act.INVALIDATE)}


@pytest.mark.parametrize("waits", [(0,), (16,), (901,), (10, 10)])
@pytest.mark.parametrize("far", range(len(FORWARD) + 1))
def test_every_act_is_decided_in_every_state_as_the_rules_are_told(far: int, waits: tuple[int, ...]) -> None:
    """However chance has it: wherever a sitting has come to, and some time later, with signs of life between."""
    for act in PEOPLES:
        for reason in WORDS_OF_AN_END.get(act, [None]):
            one = Sittings()
            one.book(start=0, far=far)
            one.wait(waits[0] * SECOND)
            for seconds in waits[1:]:
                one._does(Act.GIVE_SIGN, None)
                one.wait(seconds * SECOND)
            one._does(act, reason)
            one.both_say_the_same()


class TestSittings(Sittings.TestCase):  # type: ignore[misc, valid-type]  # made by hypothesis  # hypothesis makes the class
    settings = settings(
        max_examples=120, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )


def test_check_in_has_seven_steps() -> None:
    """H3"""
    assert [step.value for step in STEPS] == ["DOCUMENT", "RULES", "SCREEN", "MIRROR", "ROOM", "BROWSER", "PASSWORD"]
