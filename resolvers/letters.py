"""Letters: written in the transaction that causes them, sent after it, tried again until they are taken."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from mailers.letters import Envelope, Mail, password_reset
from mailers.post import Refused, TryLater
from models.letter import Letter
from models.session import reset_token

Send = Callable[[Mail], Awaitable[None]]
MOST_TRIES = 10
LONGEST_WAIT = timedelta(hours=6)

log = structlog.get_logger()


async def write(kind: str, address: str, language: str, facts: dict[str, str], now: datetime) -> None:
    """Have a letter sent once the surrounding transaction has committed; never put a secret into `facts`."""
    await Letter.create(kind=kind, address=address, language=language, facts=facts, written_at=now, next_try_at=now)


async def send_next(send: Send, public_url: str, now: datetime) -> bool:
    """Send the letter that has waited longest, if one is due; tells whether there was one.

    The row stays locked while it is sent, so no other worker takes it; a worker that dies leaves it to the next,
    which sends it with the same Message-ID.
    """
    async with database.transaction():
        letter = await database.row(
            f"""SELECT * FROM letter WHERE sent_at IS NULL AND refused_at IS NULL AND tries < {MOST_TRIES}
                AND next_try_at <= :now ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
            now=now,
        )
        if letter is None:
            return False
        await _send(letter, send, public_url, now)
        return True


async def _send(letter: Row, send: Send, public_url: str, now: datetime) -> None:
    row, tries = Letter.filter(id=letter["id"]), letter["tries"] + 1
    try:
        await send(_composed(letter, public_url))
    except Refused as error:
        log.warning("letter.refused", letter=str(letter["id"]), reason=str(error))
        await row.update(refused_at=now, tries=tries, last_error=str(error))
    except TryLater as error:
        log.warning("letter.delayed", letter=str(letter["id"]), tries=tries, reason=str(error))
        await row.update(next_try_at=now + wait_after(tries), tries=tries, last_error=str(error))
    except Exception as error:  # a fault of ours in one letter must not stop all behind it
        log.exception("letter.failed", letter=str(letter["id"]), tries=tries)
        await row.update(next_try_at=now + wait_after(tries), tries=tries, last_error=type(error).__name__)
    else:
        await row.update(sent_at=now, tries=tries, last_error=None)


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many tries: one minute, then twice as long each time, six hours at most."""
    return min(timedelta(minutes=2 ** (tries - 1)), LONGEST_WAIT)


def _composed(letter: Row, public_url: str) -> Mail:
    """The letter as a mail; what is secret in it is made here and stored nowhere."""
    facts = letter["facts"]
    envelope = Envelope(str(letter["id"]), letter["address"], letter["language"], letter["written_at"])
    match letter["kind"]:
        case "password_reset":
            link = f"{public_url}/reset-password#{reset_token(UUID(facts['reset_id']))}"
            return password_reset(envelope, link)
        case kind:
            raise LookupError(f"There is no letter of kind {kind!r}.")
