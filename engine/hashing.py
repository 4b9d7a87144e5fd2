"""Password hashing: argon2id at OWASP's minimum, in a small pool of threads so that the event loop goes on.

Parameters: 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet); about 50 ms of one core.
"""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
LONGEST_TYPED = 1000  # no accepted password has so many signs, however it was typed
DUMMY = HASHER.hash("a password that nobody has 00")

_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def use_threads(count: int) -> None:
    """Set how many passwords are hashed at one time; each takes 19 MiB and a core."""
    global _pool
    _pool.shutdown(wait=False)
    _pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """The hash to store."""
    return await asyncio.get_running_loop().run_in_executor(_pool, HASHER.hash, _bytes(password))


async def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes the same time when nothing is stored."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _verify, stored, _bytes(password))


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)


def _verify(stored: str | None, password: bytes) -> bool:
    try:
        HASHER.verify(stored or DUMMY, password)
        return stored is not None
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    """One form for one password, however the keyboard composed it.

    Putting accents in order takes the square of their number; what is too long to be right is left as it is.
    """
    one_form = unicodedata.normalize("NFC", password) if len(password) <= LONGEST_TYPED else password
    return one_form.encode("utf-8", "surrogatepass")
