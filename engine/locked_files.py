"""Files that only a holder of the service's key can read, locked piece by piece: however large, never whole in memory.

Each piece is locked by itself (AES-256-GCM) with its number and whether it is the last: none can be changed, moved,
left out or added without being found out.
"""

from collections.abc import AsyncIterator, Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine import keys

PIECE = 256 * 1024
ADDED = keys.NONCE + 16  # bytes that locking adds to a piece


class Damaged(Exception):
    """A file is not what was locked under this name."""


def locked(purpose: str, name: str, content: IO[bytes]) -> Iterator[bytes]:
    """What is left in a file, locked, piece by piece."""
    box, number = keys.box(purpose), 0
    piece, following = content.read(PIECE), content.read(PIECE)
    while True:
        nonce = keys.new_nonce()
        yield nonce + box.encrypt(nonce, piece, _place(purpose, name, number, is_last=not following))
        if not following:
            return
        piece, following, number = following, content.read(PIECE), number + 1


async def unlocked(purpose: str, name: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What was locked under this name, whatever pieces it comes in. Raises Damaged."""
    box, number, held = keys.box(purpose), 0, b""
    async for some in pieces:
        held += some
        while len(held) > PIECE + ADDED:
            piece, held = held[: PIECE + ADDED], held[PIECE + ADDED :]
            yield _opened(box, piece, _place(purpose, name, number, is_last=False))
            number += 1
    yield _opened(box, held, _place(purpose, name, number, is_last=True))


def _opened(box: AESGCM, piece: bytes, place: bytes) -> bytes:
    try:
        return box.decrypt(piece[: keys.NONCE], piece[keys.NONCE :], place)
    except (InvalidTag, ValueError) as error:
        raise Damaged from error


def _place(purpose: str, name: str, number: int, is_last: bool) -> bytes:
    return f"{purpose}:{name}:{number}:{'last' if is_last else 'on'}".encode()
