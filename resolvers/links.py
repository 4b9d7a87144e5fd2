"""Links that were mailed to candidates: each works once, in its time, and ends when another has been used (A5, A9)."""

from datetime import datetime
from uuid import UUID

from engine import database
from engine.database import Row
from errors import LinkNotValid
from models.session import EMAIL_CHANGE_VALID, RESET_VALID

VALID = {"password_reset": RESET_VALID, "email_change": EMAIL_CHANGE_VALID}


async def use(table: str, link_id: UUID, now: datetime) -> Row:
    """Use a link up; its row. Inside the transaction that does what the link is for. Raises LinkNotValid."""
    used = await database.row(
        f"""UPDATE {table} SET used_at = :now
            WHERE id = :id AND used_at IS NULL AND asked_at > :asked_after RETURNING *""",
        now=now,
        id=link_id,
        asked_after=now - VALID[table],
    )
    if used is None:
        raise LinkNotValid
    return used


async def end_of_user(verifier_id: UUID, now: datetime) -> None:
    """End the open links of an institution's user, to set the first password or another one."""
    await database.rows(
        "UPDATE verifier_link SET used_at = :now WHERE verifier_id = :id AND used_at IS NULL", now=now, id=verifier_id
    )


async def end(candidate_id: UUID, now: datetime, *tables: str) -> None:
    """End a candidate's open links, of these kinds or of all."""
    for table in tables or VALID:
        await database.rows(
            f"UPDATE {table} SET used_at = :now WHERE candidate_id = :id AND used_at IS NULL", now=now, id=candidate_id
        )
