"""Telling a Primary User that a key ends soon: 30 days, 7 days and a day before (P1)."""

from datetime import datetime, timedelta

from engine import database
from models.institution import APPROVED
from resolvers import api_keys

KIND = "key_ends"
DAYS = (30, 7, 1)
AT_ONCE = 500  # letters of one transaction

# A key that has come within several of them since it was last looked at (no worker ran, its account was suspended, it
# had no Primary User) is told of once, by the nearest; and of none that it was made within. An hour of a day more or
# less, as clocks are changed, must not decide: so days are 24 hours.
DUE = f"""
    UPDATE api_key SET warned_days = due.days FROM (
        SELECT api_key.id, nearest.days FROM api_key
        JOIN institution ON institution.id = api_key.institution_id AND {APPROVED}
        JOIN verifier_user ON verifier_user.institution_id = coalesce(institution.sandbox_of_id, institution.id)
        AND verifier_user.is_primary AND verifier_user.status = 'ACTIVE'
        CROSS JOIN LATERAL (
            SELECT min(days) AS days FROM unnest(:days::int[]) AS days
            WHERE api_key.expires_at - days * interval '24 hours' <= :now
            AND api_key.expires_at - days * interval '24 hours' > api_key.created_at) AS nearest
        WHERE api_key.revoked_at IS NULL AND api_key.expires_at > :now AND api_key.expires_at <= :until
        AND nearest.days IS NOT NULL AND (api_key.warned_days IS NULL OR api_key.warned_days > nearest.days)
        ORDER BY api_key.expires_at LIMIT {AT_ONCE} FOR NO KEY UPDATE OF api_key SKIP LOCKED) AS due
    WHERE api_key.id = due.id RETURNING api_key.id"""


async def tell(now: datetime) -> int:
    """Write the letters of all keys that are due; tells how many. Several workers share them."""
    told = 0
    while some := await _tell_some(now):
        told += some
    return told


async def _tell_some(now: datetime) -> int:
    """One batch: each letter, and that it was written, in one transaction."""
    async with database.transaction():
        due = await database.rows(DUE, days=list(DAYS), now=now, until=now + timedelta(days=max(DAYS)))
        await api_keys.tell(KIND, [key["id"] for key in due], now)
        return len(due)
