"""The check-in: started by the candidate, confirmed step by step by a proctor, ended by entering the test (H2, H3)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from uuid import UUID

from engine import database, keys
from engine.database import Row
from engine.limits import Attempt, Lock, forget, take
from errors import NameDiffers, SittingNotFound, SittingStateForbids, StepNotNext, TooManyTries, WrongTestPassword
from models.base import new_id
from models.sittings.check_in import Step, is_same_name, letters, nearest, next_step
from models.sittings.rules import RULES_VERSION, rules_text
from models.sittings.sitting import Sitting
from models.sittings.states import Act, SittingState
from models.sittings.table import is_done
from models.viewer import Kind, Viewer
from resolvers.sittings.moves import Held, Told, held_of, move, note

SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # that nobody takes for others
TEST_ID_SIGNS, PASSWORD_SIGNS = 10, 10
NOTHING_ACCEPTED = dict.fromkeys(("rules_version", "rules_text", "rules_language"))
TEST_PASSWORDS = Lock("test password", tries=5, length=timedelta(minutes=5))
LONGEST_SHOWN = 200  # signs of a name that are shown letter by letter


@dataclass(frozen=True, slots=True)
class Released:
    """What opens the test, told to the proctor once; the password works once."""

    test_id: str
    password: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The step that was confirmed, the one that comes next, and with the last one what opens the test."""

    step: Step
    next: Step | None
    released: Released | None


async def start(viewer: Viewer, sitting_id: UUID) -> None:
    """Start the check-in, from the appointment on for 15 minutes; from then on the candidate waits for a proctor.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        if not is_done(sitting.facts, Act.START_CHECK_IN):
            await move(sitting, Act.START_CHECK_IN, Told(sets={"check_in_started_at": viewer.at}))


async def confirm_step(viewer: Viewer, sitting_id: UUID, step: Step, name_on_document: str = "") -> Confirmed:
    """Confirm the next step; of the document, that its name is the account's, exactly as spelled.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids, StepNotNext or NameDiffers.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.PROCTOR, sitting_id)
        is_checking_in = sitting.facts.state is SittingState.CHECKING_IN
        expected = next_step(sitting.facts.steps) if is_checking_in else None  # elsewhere the table refuses each step
        if expected is not None and step is not expected:
            raise StepNotNext(expected.value)
        if expected is Step.DOCUMENT:
            await _compare(sitting, name_on_document.strip())
        released = _new_release() if step is Step.PASSWORD else None
        done = await move(sitting, Act.CONFIRM_STEP, Told(detail=step.value, sets=_sets(sitting.id, released)))
        accepted = await _accepted(sitting.row) if step is Step.RULES else NOTHING_ACCEPTED
        await _note(sitting_id, step, viewer, accepted)
        return Confirmed(step, next_step(done.steps), released)


async def _compare(sitting: Held, shown: str) -> None:
    """Raises NameDiffers, letter by letter, unless the name is one of the ways in which the account is spelled."""
    spelled = await _spelled(sitting.row)
    if not any(is_same_name(name, shown) for name in spelled):
        shown = shown[:LONGEST_SHOWN]
        raise NameDiffers(letters(nearest(spelled, shown), shown))


async def _spelled(row: Row) -> list[str]:
    found = await database.row(
        "SELECT given_name, family_name, native_name FROM candidate WHERE id = :id", id=row["candidate_id"]
    )
    assert found is not None
    given, family = found["given_name"], found["family_name"]
    names = [f"{given} {family}".strip(), f"{family} {given}".strip(), found["native_name"]]
    return [name for name in names if name]


def _new_release() -> Released:
    return Released(_drawn(TEST_ID_SIGNS).upper(), _drawn(PASSWORD_SIGNS))


def _drawn(length: int) -> str:
    return "".join(secrets.choice(SIGNS) for _ in range(length))


def _sets(sitting_id: UUID, released: Released | None) -> dict[str, object]:
    if released is None:
        return {}
    return {"test_id": released.test_id, "test_password_seal": _sealed(sitting_id, released.password)}


def _sealed(sitting_id: UUID, password: str) -> bytes:
    """What is stored of a test password, under a key that is not in the database (G3)."""
    return keys.seal("test-password", f"{sitting_id}:{password}")


async def _accepted(row: Row) -> dict[str, str | None]:
    """The rules as they are told to the candidate at this moment, who accepts them (H1)."""
    language = await database.value("SELECT language FROM candidate WHERE id = :id", id=row["candidate_id"])
    return {"rules_version": RULES_VERSION, "rules_text": rules_text(language), "rules_language": language}


async def _note(sitting_id: UUID, step: Step, viewer: Viewer, accepted: Mapping[str, str | None]) -> None:
    await database.rows(
        """INSERT INTO check_in_step (id, sitting_id, step, confirmed_at, proctor_id,
                                      rules_version, rules_text, rules_language)
           VALUES (:id, :sitting_id, :step, :now, :proctor_id, :rules_version, :rules_text, :rules_language)""",
        id=new_id(),
        sitting_id=sitting_id,
        step=step.value,
        now=viewer.at,
        proctor_id=viewer.id,
        **accepted,
    )


async def release_again(viewer: Viewer, sitting_id: UUID) -> Released:
    """Another test ID and password in place of those that were lost on the way; the old ones end.

    Raises NotLoggedIn, NotAllowed, SittingNotFound or SittingStateForbids.
    """
    async with database.transaction():
        sitting = await held_of(viewer, Kind.PROCTOR, sitting_id)
        if sitting.row["test_password_seal"] is None:
            raise SittingStateForbids(sitting.facts.state.value)
        released = _new_release()
        await database.rows(
            "UPDATE sitting SET test_id = :test_id, test_password_seal = :test_password_seal WHERE id = :id",
            id=sitting_id,
            **_sets(sitting_id, released),
        )
        await note(sitting)
        await forget(TEST_PASSWORDS, str(sitting_id))  # what was tried opens nothing any more
        return released


async def enter_test(viewer: Viewer, sitting_id: UUID, test_id: str, password: str) -> None:
    """Begin the test with what the proctor released; it works once.

    Raises NotLoggedIn, NotAllowed, SittingNotFound, SittingStateForbids, WrongTestPassword or TooManyTries.
    """
    viewer.must_be(Kind.CANDIDATE)
    attempt = await _attempt(viewer, sitting_id)
    async with database.transaction():
        sitting = await held_of(viewer, Kind.CANDIDATE, sitting_id)
        is_released = sitting.row["test_password_seal"] is not None
        if is_released and not (attempt and _fits(sitting, test_id, password)):
            raise WrongTestPassword
        await move(sitting, Act.ENTER_TEST)
        if attempt:
            await attempt.right()


async def _attempt(viewer: Viewer, sitting_id: UUID) -> Attempt | None:
    """This try, which stays counted unless it is right; None where there is nothing yet that could be guessed.

    Raises SittingNotFound or TooManyTries.
    """
    sitting = await Sitting.visible_to(viewer).get_or_none(sitting_id)
    if sitting is None:
        raise SittingNotFound
    if sitting.test_password_seal is None:
        return None
    attempt = await take(TEST_PASSWORDS, str(sitting_id), viewer.at)
    if attempt.is_refused and attempt.locked_until:
        raise TooManyTries(attempt.locked_until)
    return attempt


def _fits(sitting: Held, test_id: str, password: str) -> bool:
    is_id = compare_digest(sitting.row["test_id"].encode(), test_id.strip().upper().encode())
    return compare_digest(sitting.row["test_password_seal"], _sealed(sitting.id, password.strip())) and is_id
