"""What candidates are told to do about the end of a sitting, as things stand (H9)."""

from datetime import timedelta

import pytest
from starlette.applications import Starlette

from errors import AlreadyDecided, SittingStateForbids
from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.sittings.proctoring import AppealOutcome
from models.sittings.reasons import WORDS, Reason
from models.sittings.table import START_WITHIN, TABLE
from models.verifier import StaffRole, StaffUser
from resolvers.shares import Consent
from resolvers.sittings import appeals, official_scores, proctoring, recipients, scores
from resolvers.sittings.appeals import APPEALABLE
from tests.client import Client
from tests.conftest import ControlledClock
from tests.sitting_world import Home
from tests.world import World

REMEDY = "query ($id: ID!) { sitting(id: $id) { canAppeal end { remedy } } }"
SCORES = {"READING": 25, "LISTENING": 24, "SPEAKING": 23, "WRITING": 23}
APPEALABLE_ENDS = {reason for rule in TABLE if rule.next in APPEALABLE for reason in rule.reasons}


async def told(client: Client, home: Home, owner: Candidate | StaffUser) -> str:
    """The remedy as its reader gets it."""
    asked = client.as_(await home.world.token(owner))
    remedy: str = (await asked.ask(REMEDY, id=home.gid))["sitting"]["end"]["remedy"]
    return remedy


@pytest.fixture
async def ended(app: Starlette, world: World, clock: ControlledClock) -> Home:
    """A sitting that its proctor has ended."""
    home = await Home.booked(world, clock)
    await home.begun()
    await proctoring.end(home.proctor, home.id, Reason.LEFT, "You were away for long.")
    return home


def test_whoever_can_appeal_against_an_end_is_told_so() -> None:
    assert len(APPEALABLE_ENDS) == len(Reason) - 3  # what the candidate chose is no matter of appeals
    assert {reason for reason in Reason if "appeal here" in WORDS[reason].remedy} == APPEALABLE_ENDS


async def test_whoever_has_appealed_is_told_to_wait_and_the_proctor_nothing_of_it(client: Client, ended: Home) -> None:
    before = WORDS[Reason.LEFT].remedy
    assert await told(client, ended, ended.candidate) == before
    await appeals.make(ended.viewer, ended.id, "My line was cut.")
    assert await told(client, ended, ended.candidate) == (
        "You have appealed: our staff look at it, and you read their answer here."
    )
    assert await told(client, ended, ended.staff) == before


@pytest.mark.parametrize(
    ("outcome", "remedy"),
    [
        (
            AppealOutcome.STANDS,
            "Your appeal is answered, and the end stands. Book another sitting; the fee of this one is not returned.",
        ),
        (AppealOutcome.NEW_SITTING, "Your appeal is answered: book another sitting, without a fee."),
        (AppealOutcome.FEE_RETURNED, "Your appeal is answered: the fee of this sitting is returned."),
    ],
)
async def test_the_answer_to_an_appeal_takes_the_place_of_what_could_be_done_before(
    client: Client, ended: Home, outcome: AppealOutcome, remedy: str
) -> None:
    await appeals.make(ended.viewer, ended.id, "My line was cut.")
    await appeals.answer(ended.board, ended.id, outcome, "We have looked at it.")
    assert await told(client, ended, ended.candidate) == remedy
    assert await told(client, ended, await ended.world.staff(role=StaffRole.BOARD)) == remedy


async def test_a_second_answer_to_an_appeal_is_refused_with_the_first_one_in_words(ended: Home) -> None:
    await appeals.make(ended.viewer, ended.id, "My line was cut.")
    await appeals.answer(ended.board, ended.id, AppealOutcome.NEW_SITTING, "We are sorry.")
    with pytest.raises(AlreadyDecided, match=r": new sitting\.$"):
        await appeals.answer(ended.board, ended.id, AppealOutcome.STANDS, "No.")


async def test_once_a_result_is_out_it_is_told_how_others_get_it(
    app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """H8: an institution that was suspended at that moment gets nothing by itself afterwards."""
    home = await Home.booked(world, clock)
    await home.finished()
    suspended = await world.institution()
    await recipients.change(home.viewer, home.id, [suspended.id], Consent(CONSENT_VERSION, "en"))
    await scores.report(home.viewer, home.id)
    assert await told(client, home, home.candidate) == WORDS[Reason.CHOSE_TO_REPORT].remedy
    await world.suspend(suspended)
    await official_scores.record(home.board, home.id, 95, SCORES)
    assert await told(client, home, home.candidate) == (
        "Your result was released, and sent to those you named who could receive it then. "
        "You can send it to others, and to whoever did not get it."
    )
    with pytest.raises(SittingStateForbids, match="send it to whom you like from there"):
        await recipients.change(home.viewer, home.id, [], None)
    with pytest.raises(SittingStateForbids, match="amend the result"):
        await official_scores.record(home.board, home.id, 96, SCORES)


async def test_a_cancellation_that_is_final_is_said_to_be(
    app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """H9: both sides of the edge."""
    home = await Home.booked(world, clock)
    await home.finished()
    asked = await scores.cancel(home.viewer, home.id)
    assert asked is not None
    await scores.cancel(home.viewer, home.id, asked.confirmation)
    clock.forward(days=60)
    assert await told(client, home, home.candidate) == WORDS[Reason.CHOSE_TO_CANCEL].remedy
    clock.now += timedelta(microseconds=1)
    assert await told(client, home, home.candidate) == (
        "The 60 days in which you could undo this are over: it is final. You can book another sitting."
    )


async def test_whoever_comes_too_late_is_told_why_and_their_proctor_is_not_told_as_if_it_were_they(
    app: Starlette, world: World, clock: ControlledClock
) -> None:
    """H2, H9"""
    home = await Home.booked(world, clock)
    await home.check_system()
    clock.now = (await home.row())["appointment_at"] + START_WITHIN + timedelta(microseconds=1)
    with pytest.raises(SittingStateForbids, match=r"You did not start the check-in within 15 minutes"):
        await home.start()
    with pytest.raises(SittingStateForbids, match=r"that is missed\.$"):
        await proctoring.invalidate(home.board, home.id, Reason.HELP_BY_OTHERS, "Somebody helped.")
