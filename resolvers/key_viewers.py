"""Who is behind a key of the API at this moment (P1): looked up as sessions are, by one statement a request."""

from datetime import datetime, timedelta
from uuid import UUID

from engine import database, keys
from engine.allowance import Left, Spending, asker, left_of
from engine.database import Row
from models import key_token
from models.institution import APPROVED
from models.scope import Scope
from models.viewer import Kind, Viewer
from resolvers.office import office

# A key's last use is written at most this often.
USE_IS_NOTED_EVERY = timedelta(minutes=1)
JOINS = "FROM api_key JOIN institution ON institution.id = api_key.institution_id"
VALID = f"api_key.revoked_at IS NULL AND api_key.expires_at > :now AND {APPROVED}"
OWNER = f"""SELECT api_key.id, api_key.institution_id, api_key.scopes, api_key.expires_at, api_key.last_used_at,
       institution.sandbox_of_id IS NOT NULL AS is_sandbox {JOINS}"""


async def viewer_of(token: str, now: datetime, address: str, language: str, spending: Spending | None = None) -> Viewer:
    """The viewer with this key; anonymous if nobody has it, or not any more. This is a use of it.

    What is being spent is counted against the allowances of the key and of its institution; raises AllowanceUsedUp.

    What cannot be a key of this deployment costs no statement; what nobody has costs as many as what somebody has.
    """
    nobody = Viewer(Kind.ANONYMOUS, now, address, language=language)
    if not key_token.is_whole(token, office().is_production):
        return nobody
    statement = f"{OWNER} WHERE api_key.hash = :hash AND {VALID}"
    found = await asker(statement, spending, "asker.id", hash=keys.hashed(token), now=now)
    if found is None:
        return nobody
    left = left_of(found, spending, has_key=True)
    used_at = found["last_used_at"]
    if used_at is None or now - used_at >= USE_IS_NOTED_EVERY:
        await _note_use(found["id"], now)
    return _viewer(found, now, address, language, left)


async def viewer_of_key(key_id: UUID, now: datetime, address: str) -> Viewer:
    """The viewer with the key of this id; anonymous if it has ended. This is no use of it."""
    found = await database.row(f"{OWNER} WHERE api_key.id = :id AND {VALID}", id=key_id, now=now)
    return Viewer(Kind.ANONYMOUS, now, address) if found is None else _viewer(found, now, address, "en")


async def _note_use(key_id: UUID, now: datetime) -> None:
    """By whichever request of many is first; none waits for another, nor for an order about the key."""
    await database.rows(
        """UPDATE api_key SET last_used_at = :now WHERE id = (
               SELECT id FROM api_key WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :before)
               FOR NO KEY UPDATE SKIP LOCKED)""",
        now=now,
        before=now - USE_IS_NOTED_EVERY,
        id=key_id,
    )


def _viewer(found: Row, now: datetime, address: str, language: str, left: Left | None = None) -> Viewer:
    """What asks whether its session still lasts (streams, files) asks for the key by `session_id`."""
    return Viewer(
        Kind.KEY,
        now,
        address,
        id=found["id"],
        institution_id=found["institution_id"],
        session_id=found["id"],
        session_ends_at=found["expires_at"],
        scopes=frozenset(map(Scope, found["scopes"])),
        is_sandbox=found["is_sandbox"],
        language=language,
        allowance=left,
    )
