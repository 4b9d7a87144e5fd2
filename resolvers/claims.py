"""Further entries of an account: claimed by their numbers, from then on they are the account's (A11)."""

from dataclasses import dataclass
from uuid import UUID

from engine import database
from engine.database import Row
from errors import ClaimedElsewhere, DateOfBirthDiffers, InvalidInput, NotLoggedIn, WrongNumbers
from models.base import required
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import entries, trail
from resolvers.candidates import entry_with_secret, number_problems


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry that is the account's now, and whether it was before."""

    entry: Row
    was_claimed: bool


async def claim(viewer: Viewer, id_number: str, secret_number: str) -> Claimed:
    """Claim one more entry for the viewer's account; its date of birth must be the account's. Once more is no harm.

    Raises NotLoggedIn, NotAllowed, InvalidInput, WrongNumbers, RegistrationLocked, TooManyTries, DateOfBirthDiffers or
    ClaimedElsewhere.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    if problems := number_problems(id_number, secret_number):
        raise InvalidInput(problems)
    born = await database.value("SELECT date_of_birth FROM candidate WHERE id = :id", id=candidate_id)

    def check(entry: Row) -> None:
        if entry["date_of_birth"] != born:
            raise DateOfBirthDiffers

    proved = await entry_with_secret(viewer, id_number, secret_number, check)
    async with database.transaction():
        await _hold_account(candidate_id)
        was_claimed = await _take(viewer, candidate_id, proved)
    return Claimed((await entries.by_ids(viewer, [proved["id"]]))[proved["id"]], was_claimed)


async def _hold_account(candidate_id: UUID) -> None:
    """Nobody closes the account meanwhile."""
    is_open = "SELECT 1 FROM candidate WHERE id = :id AND closed_at IS NULL FOR NO KEY UPDATE"
    if not await database.rows(is_open, id=candidate_id):
        raise NotLoggedIn


async def _take(viewer: Viewer, candidate_id: UUID, proved: Row) -> bool:
    """Make the entry the account's, as long as its Secret Number stands; tells whether it was before."""
    entry = await database.row(
        """SELECT id, candidate_id, claimed_at, secret_hash FROM entry WHERE id = :id FOR UPDATE""", id=proved["id"]
    )
    if required(entry)["secret_hash"] != proved["secret_hash"]:
        raise WrongNumbers
    former_id = required(entry)["candidate_id"]
    if required(entry)["claimed_at"] is not None:
        if former_id == candidate_id:
            return True
        raise ClaimedElsewhere
    if former_id != candidate_id:
        await _leave(former_id, candidate_id, proved["id"])
    await database.rows(
        "UPDATE entry SET claimed_at = :now, candidate_id = :account WHERE id = :id",
        now=viewer.at,
        account=candidate_id,
        id=proved["id"],
    )
    await trail.note(viewer, TrailAct.CHANGED, [About(candidate_id), About(former_id)])
    return False


async def _leave(former_id: UUID, account_id: UUID, entry_id: UUID) -> None:
    """Let the entry go from the candidate it was entered for, who is nobody's account; with it goes what was shared.

    One who has no other entry is this account's owner from now on.
    """
    former = await database.row(
        """SELECT registered_at IS NOT NULL AND closed_at IS NULL AS is_account FROM candidate
           WHERE id = :id FOR NO KEY UPDATE""",
        id=former_id,
    )
    if required(former)["is_account"]:
        raise ClaimedElsewhere
    await database.rows(
        """UPDATE share SET candidate_id = :account WHERE id IN (
               SELECT id FROM share WHERE result_id IN (SELECT id FROM result WHERE entry_id = :entry)
               ORDER BY id FOR UPDATE)""",
        account=account_id,
        entry=entry_id,
    )
    await database.rows(
        """UPDATE candidate SET merged_into_id = :account WHERE id = :id
           AND NOT EXISTS (SELECT 1 FROM entry WHERE candidate_id = :id AND id <> :entry)""",
        account=account_id,
        id=former_id,
        entry=entry_id,
    )
