"""One-time codes at the log-in of staff: all but a centre's always, and everybody's who has an authenticator."""

from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from models.totp import step_of
from models.verifier import StaffRole

NONE_NEEDED = 0
NOBODY = UUID(int=0)


def step(account: Row | None, code: str, now: datetime) -> int | None:
    """The time step of the code that an account gave; NONE_NEEDED for who needs none, None for a wrong one.

    Takes for an unknown account the time that it takes for a known one.
    """
    if account is None:
        step_of(NOBODY, 1, code, now, 0)
        return None
    if account["secret_version"] is None:
        return NONE_NEEDED if account["role"] == StaffRole.CENTRE.value else None
    return step_of(account["id"], account["secret_version"], code, now, account["last_step"])


async def use(account: Row, step: int, now: datetime) -> bool:
    """Use a code up; False if another log-in was first."""
    if step == NONE_NEEDED:
        return True
    used = await database.rows(
        """UPDATE staff_totp SET last_step = :step, confirmed_at = coalesce(confirmed_at, :now)
           WHERE staff_id = :id AND secret_version = :version AND last_step < :step RETURNING staff_id""",
        step=step,
        now=now,
        id=account["id"],
        version=account["secret_version"],
    )
    return bool(used)
