"""The life of a sitting as one table: in which state which act leads where, if which guard holds, for which reason.

Nothing else decides where a sitting stands, and everything here is plain facts and a moment: what the clock ends is
ended by the clock, whenever a job comes to write it down (H11).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from errors import Sentence, SittingStateForbids
from models.sittings.check_in import STEPS
from models.sittings.reasons import AT_CHECK_IN, CONDUCT, DURING_THE_TEST, WHILE_INTERRUPTED, WORDS, Reason
from models.sittings.states import BESIDE, BY_CLOCK, Act, Actor, SittingState, actors

START_WITHIN = timedelta(minutes=15)
BREAK = timedelta(minutes=10)
LOST_AFTER = timedelta(seconds=15)
UNDO_WITHIN = timedelta(days=60)
BREAK_AFTER = "LISTENING"


def interval(duration: timedelta) -> str:
    """The same in SQL."""
    return f"interval '{duration.total_seconds():.0f} seconds'"


S = SittingState


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides what can be done with a sitting. Moments are UTC; `since` is when its state began."""

    state: SittingState
    since: datetime
    appointment_at: datetime
    sections: Sequence[str]  # skills, in the order of the test
    steps: int = 0  # of the check-in, confirmed
    sections_done: int = 0
    is_in_section: bool = False
    seen_at: datetime | None = None  # the candidate's last sign of life
    lost_at: datetime | None = None  # since when they are silent for too long
    has_proctor: bool = False
    proctor_seen_at: datetime | None = None
    break_started_at: datetime | None = None
    cancel_asked_at: datetime | None = None
    reason: Reason | None = None


# ---- guards: whether an act is possible now


def always(facts: Facts, now: datetime) -> bool:
    return True


def system_is_checked(facts: Facts, now: datetime) -> bool:
    return facts.state is S.SYSTEM_CHECKED


def check_in_is_open(facts: Facts, now: datetime) -> bool:
    """From the appointment on, and for 15 minutes, both to the moment (H2)."""
    return facts.appointment_at <= now <= facts.appointment_at + START_WITHIN


def start_is_over(facts: Facts, now: datetime) -> bool:
    return now > facts.appointment_at + START_WITHIN


def nobody_watches(facts: Facts, now: datetime) -> bool:
    """No proctor has it, or the one who has it is not connected (H5)."""
    return not facts.has_proctor or facts.proctor_seen_at is None or now - facts.proctor_seen_at > LOST_AFTER


def steps_are_left(facts: Facts, now: datetime) -> bool:
    return facts.has_proctor and facts.steps < len(STEPS)


def all_steps_are_confirmed(facts: Facts, now: datetime) -> bool:
    return facts.steps == len(STEPS)


def next_section_can_start(facts: Facts, now: datetime) -> bool:
    return not facts.is_in_section and facts.sections_done < len(facts.sections)


def section_is_open(facts: Facts, now: datetime) -> bool:
    return facts.is_in_section


def break_is_due(facts: Facts, now: datetime) -> bool:
    """After Listening and before the next section, once (H6)."""
    done = facts.sections[: facts.sections_done]
    is_after_listening = bool(done) and done[-1] == BREAK_AFTER and facts.sections_done < len(facts.sections)
    return is_after_listening and not facts.is_in_section and facts.break_started_at is None


def back_in_time(facts: Facts, now: datetime) -> bool:
    return now <= _break_ends(facts)


def break_is_over(facts: Facts, now: datetime) -> bool:
    return now > _break_ends(facts)


def is_connected(facts: Facts, now: datetime) -> bool:
    return facts.seen_at is not None and now - facts.seen_at <= LOST_AFTER


def is_lost(facts: Facts, now: datetime) -> bool:
    """Silent for 15 seconds, which is told once."""
    return facts.lost_at is None and now > due_at(facts, Act.LOSE)


def all_sections_are_done(facts: Facts, now: datetime) -> bool:
    return facts.sections_done == len(facts.sections)


def was_asked(facts: Facts, now: datetime) -> bool:
    return facts.cancel_asked_at is not None


def can_be_undone(facts: Facts, now: datetime) -> bool:
    return facts.reason is Reason.CHOSE_TO_CANCEL and now <= facts.since + UNDO_WITHIN


Guard = Callable[[Facts, datetime], bool]

# What is said when a guard does not hold.
OTHERWISE: Mapping[Guard, str] = {
    system_is_checked: Sentence.of("The system check must pass first."),
    check_in_is_open: Sentence.of("Check-in opens at the time of the appointment."),
    nobody_watches: Sentence.of("Another proctor has this sitting and is connected."),
    steps_are_left: Sentence.of("No step of the check-in is left to confirm."),
    all_steps_are_confirmed: Sentence.of("The proctor has not confirmed all steps of the check-in yet."),
    next_section_can_start: Sentence.of("A section is open already, or none is left."),
    section_is_open: Sentence.of("No section is open."),
    break_is_due: Sentence.of("There is one break, after Listening and before the next section."),
    back_in_time: Sentence.of("The break is over."),
    is_connected: Sentence.of("The candidate is not connected."),
    all_sections_are_done: Sentence.of("Not all sections are finished."),
    was_asked: Sentence.of("Cancelling is asked twice."),
    can_be_undone: Sentence.of("A cancellation can be undone for 60 days; this one is final."),
}


# ---- the table


@dataclass(frozen=True, slots=True)
class Rule:
    """In this state, this act leads to the next one if the guard holds; an end has one reason, or one of several."""

    state: SittingState
    act: Act
    guard: Guard
    next: SittingState
    reasons: tuple[Reason, ...] = ()


BEFORE_THE_END = (S.BOOKED, S.SYSTEM_CHECKED, S.CHECKING_IN, S.IN_PROGRESS, S.INTERRUPTED, S.ON_BREAK)
TABLE = (
    # before the appointment, and until 15 minutes after it (H1, H2)
    Rule(S.BOOKED, Act.PASS_CHECK, always, S.SYSTEM_CHECKED),
    Rule(S.BOOKED, Act.FAIL_CHECK, always, S.BOOKED),
    Rule(S.BOOKED, Act.START_CHECK_IN, system_is_checked, S.CHECKING_IN),
    Rule(S.BOOKED, Act.MISS, start_is_over, S.MISSED, (Reason.NOT_STARTED_IN_TIME,)),
    Rule(S.SYSTEM_CHECKED, Act.PASS_CHECK, always, S.SYSTEM_CHECKED),
    Rule(S.SYSTEM_CHECKED, Act.FAIL_CHECK, always, S.BOOKED),
    Rule(S.SYSTEM_CHECKED, Act.START_CHECK_IN, check_in_is_open, S.CHECKING_IN),
    Rule(S.SYSTEM_CHECKED, Act.MISS, start_is_over, S.MISSED, (Reason.NOT_STARTED_IN_TIME,)),
    # check-in; whoever started in time may wait for a proctor as long as it takes (H2, H3)
    Rule(S.CHECKING_IN, Act.GIVE_SIGN, always, S.CHECKING_IN),
    Rule(S.CHECKING_IN, Act.TAKE, nobody_watches, S.CHECKING_IN),
    Rule(S.CHECKING_IN, Act.CONFIRM_STEP, steps_are_left, S.CHECKING_IN),
    Rule(S.CHECKING_IN, Act.ENTER_TEST, all_steps_are_confirmed, S.IN_PROGRESS),
    Rule(S.CHECKING_IN, Act.LOSE, is_lost, S.CHECKING_IN),
    Rule(S.CHECKING_IN, Act.END, always, S.ENDED_BY_PROCTOR, AT_CHECK_IN),
    Rule(S.CHECKING_IN, Act.INVALIDATE, always, S.INVALIDATED, CONDUCT),
    # the test (H4, H7)
    Rule(S.IN_PROGRESS, Act.GIVE_SIGN, always, S.IN_PROGRESS),
    Rule(S.IN_PROGRESS, Act.TAKE, nobody_watches, S.IN_PROGRESS),
    Rule(S.IN_PROGRESS, Act.START_SECTION, next_section_can_start, S.IN_PROGRESS),
    Rule(S.IN_PROGRESS, Act.FINISH_SECTION, section_is_open, S.IN_PROGRESS),
    Rule(S.IN_PROGRESS, Act.START_BREAK, break_is_due, S.ON_BREAK),
    Rule(S.IN_PROGRESS, Act.FINISH, all_sections_are_done, S.FINISHED),
    Rule(S.IN_PROGRESS, Act.LOSE, is_lost, S.INTERRUPTED),
    Rule(S.IN_PROGRESS, Act.END, always, S.ENDED_BY_PROCTOR, DURING_THE_TEST),
    Rule(S.IN_PROGRESS, Act.INVALIDATE, always, S.INVALIDATED, CONDUCT),
    # connection lost (H5)
    Rule(S.INTERRUPTED, Act.GIVE_SIGN, always, S.INTERRUPTED),
    Rule(S.INTERRUPTED, Act.TAKE, nobody_watches, S.INTERRUPTED),
    Rule(S.INTERRUPTED, Act.RESUME, is_connected, S.IN_PROGRESS),
    Rule(S.INTERRUPTED, Act.LOSE, is_lost, S.INTERRUPTED),
    Rule(S.INTERRUPTED, Act.END, always, S.ENDED_BY_PROCTOR, WHILE_INTERRUPTED),
    Rule(S.INTERRUPTED, Act.INVALIDATE, always, S.INVALIDATED, CONDUCT),
    # the break (H6)
    Rule(S.ON_BREAK, Act.GIVE_SIGN, always, S.ON_BREAK),
    Rule(S.ON_BREAK, Act.TAKE, nobody_watches, S.ON_BREAK),
    Rule(S.ON_BREAK, Act.END_BREAK, back_in_time, S.IN_PROGRESS),
    Rule(S.ON_BREAK, Act.LOSE, is_lost, S.ON_BREAK),
    Rule(S.ON_BREAK, Act.OVERRUN, break_is_over, S.BREAK_OVERRUN, (Reason.BACK_LATE,)),
    Rule(S.ON_BREAK, Act.END, always, S.ENDED_BY_PROCTOR, DURING_THE_TEST),
    Rule(S.ON_BREAK, Act.INVALIDATE, always, S.INVALIDATED, CONDUCT),
    # at the end: report or cancel (H8, H9)
    Rule(S.FINISHED, Act.REPORT, always, S.REPORTED, (Reason.CHOSE_TO_REPORT,)),
    Rule(S.FINISHED, Act.ASK_TO_CANCEL, always, S.FINISHED),
    Rule(S.FINISHED, Act.CANCEL, was_asked, S.CANCELLED, (Reason.CHOSE_TO_CANCEL,)),
    Rule(S.FINISHED, Act.INVALIDATE, always, S.INVALIDATED, CONDUCT),
    Rule(S.CANCELLED, Act.UNDO, can_be_undone, S.FINISHED),
    # the account is closed: what is booked or runs is over, and whoever watches is free (G2)
    *(Rule(state, Act.CLOSE_ACCOUNT, always, S.CANCELLED, (Reason.ACCOUNT_CLOSED,)) for state in BEFORE_THE_END),
)
RULES = {(rule.state, rule.act): rule for rule in TABLE}
OF_THE_CLOCK = {state: [rule for rule in TABLE if rule.state is state and rule.act in BY_CLOCK] for state in S}


# ---- what an act changes beside the state


def _noted(act: Act, facts: Facts, at: datetime) -> dict[str, Any]:
    """The facts that this act sets, by name."""
    match act:
        case Act.TAKE:
            return {"has_proctor": True, "proctor_seen_at": at}
        case Act.CONFIRM_STEP:
            return {"steps": facts.steps + 1}
        case Act.START_SECTION:
            return {"is_in_section": True}
        case Act.FINISH_SECTION:
            return {"is_in_section": False, "sections_done": facts.sections_done + 1}
        case Act.START_BREAK:
            return {"break_started_at": at}
        case Act.ASK_TO_CANCEL:
            return {"cancel_asked_at": at}
        case Act.UNDO:
            return {"cancel_asked_at": None}
        case Act.LOSE:
            return {"lost_at": at}
    return {}


def _signs(act: Act, facts: Facts, at: datetime) -> dict[str, Any]:
    """Whatever the candidate does is a sign of life; one that was overtaken takes nothing back."""
    if Actor.CANDIDATE not in actors(act):
        return {}
    return {"seen_at": max(at, facts.seen_at or at), "lost_at": None}


# ---- the clock


def _break_ends(facts: Facts) -> datetime:
    assert facts.break_started_at is not None
    return facts.break_started_at + BREAK


def due_at(facts: Facts, act: Act) -> datetime:
    """The last moment at which what the clock ends still holds."""
    if act is Act.MISS:
        return facts.appointment_at + START_WITHIN
    if act is Act.OVERRUN:
        return _break_ends(facts)
    return (facts.seen_at or facts.since) + LOST_AFTER


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that the clock did: which act, when it fell due, and the facts after it."""

    act: Act
    at: datetime
    facts: Facts


def turns(facts: Facts, now: datetime) -> list[Turn]:
    """What the clock has done by now to a sitting with these facts, in order."""
    due = [(due_at(facts, rule.act), rule) for rule in OF_THE_CLOCK[facts.state] if rule.guard(facts, now)]
    if not due:
        return []
    at, rule = min(due, key=itemgetter(0))
    turn = Turn(rule.act, at, _moved(facts, rule, at, next(iter(rule.reasons), None)))
    return [turn, *turns(turn.facts, now)]


def standing(facts: Facts, now: datetime) -> Facts:
    """The facts at a moment, also where nobody has written down yet what the clock has done."""
    done = turns(facts, now)
    return done[-1].facts if done else facts


# ---- what was ordered before


LED_TO: Mapping[tuple[Act, SittingState], Callable[[Facts], bool]] = {
    (Act.START_CHECK_IN, S.CHECKING_IN): lambda facts: True,
    (Act.START_SECTION, S.IN_PROGRESS): lambda facts: facts.is_in_section,
    (Act.FINISH_SECTION, S.IN_PROGRESS): lambda facts: facts.sections_done > 0 and not facts.is_in_section,
    (Act.START_BREAK, S.ON_BREAK): lambda facts: True,
    (Act.END_BREAK, S.IN_PROGRESS): lambda facts: facts.break_started_at is not None,
    (Act.FINISH, S.FINISHED): lambda facts: True,
    (Act.REPORT, S.REPORTED): lambda facts: True,
    (Act.CANCEL, S.CANCELLED): lambda facts: facts.reason is Reason.CHOSE_TO_CANCEL,
    (Act.UNDO, S.FINISHED): lambda facts: True,
}


# ---- the one way to change a state


def after(facts: Facts, act: Act, now: datetime, reason: Reason | None = None) -> Facts:
    """The facts after an act at a moment, by the clock of that moment.

    Raises SittingStateForbids with the state it stands in; the reason of an end must be one that fits.
    """
    facts = standing(facts, now)
    rule = RULES.get((facts.state, act))
    if rule is None or act in BY_CLOCK:
        raise SittingStateForbids(facts.state.value, _why_over(facts, act))
    if not rule.guard(facts, now):
        raise SittingStateForbids(facts.state.value, OTHERWISE[rule.guard])
    return _moved(facts, rule, now, _reason(rule, reason))


def _why_over(facts: Facts, act: Act) -> str:
    """Why there is nothing more to do, in the words that its candidate reads; nothing for others, and before an end."""
    if facts.reason is None or Actor.CANDIDATE not in actors(act):
        return ""
    return WORDS[facts.reason].reason


def closed(facts: Facts, now: datetime) -> Facts | None:
    """The facts after the account was closed; None where that changes nothing, because the sitting was over."""
    facts = standing(facts, now)
    rule = RULES.get((facts.state, Act.CLOSE_ACCOUNT))
    return None if rule is None else _moved(facts, rule, now, rule.reasons[0])


def _reason(rule: Rule, given: Reason | None) -> Reason | None:
    """The reason of an end: the only one that there is, or the one that was given if it fits."""
    if len(rule.reasons) < 2:  # there is no choice
        return rule.reasons[0] if rule.reasons else None
    if given not in rule.reasons:
        raise SittingStateForbids(rule.state.value, Sentence.of("This is no reason to end it now."))
    return given


def is_done(facts: Facts, act: Act) -> bool:
    """Whether a candidate's act has led here before: who got no answer orders it once more, and nothing happens twice.

    Not so the test password, which works once, and the first word of a cancellation, which is another one each time.
    """
    return (act, facts.state) in LED_TO and LED_TO[act, facts.state](facts)


def possible(facts: Facts, now: datetime) -> list[Act]:
    """What people can do with the sitting at this moment, in the order of the table."""
    facts = standing(facts, now)
    rules = (rule for rule in TABLE if rule.state is facts.state and rule.act not in BY_CLOCK | BESIDE)
    return [rule.act for rule in rules if rule.guard(facts, now)]


def hindered(facts: Facts, now: datetime) -> dict[Act, str]:
    """What people can do in this state, but not at this moment, each with the reason why not."""
    facts = standing(facts, now)
    rules = (rule for rule in TABLE if rule.state is facts.state and rule.act not in BY_CLOCK | BESIDE)
    return {rule.act: OTHERWISE[rule.guard] for rule in rules if not rule.guard(facts, now)}


def _moved(facts: Facts, rule: Rule, at: datetime, reason: Reason | None) -> Facts:
    since = facts.since if rule.next is facts.state else at
    noted = _noted(rule.act, facts, at) | _signs(rule.act, facts, at)
    return replace(facts, state=rule.next, since=since, reason=reason, **noted)
