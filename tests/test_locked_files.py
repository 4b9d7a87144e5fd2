"""Locked files: nobody without the key reads them, and nothing of them can be changed, moved, cut or exchanged."""

import io
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from engine import keys, locked_files
from engine.locked_files import Damaged

NAME = "folder/name"


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    keys.use(b"k" * 32)
    monkeypatch.setattr(locked_files, "PIECE", 10)


def locked(text: bytes, name: str = NAME) -> list[bytes]:
    return list(locked_files.locked("tests", name, io.BytesIO(text)))


async def unlocked(held: bytes, sizes: int = 7, name: str = NAME, purpose: str = "tests") -> bytes:
    """What is read of a file that comes in pieces of another size."""

    async def come() -> AsyncIterator[bytes]:
        for place in range(0, len(held), sizes):
            yield held[place : place + sizes]

    return b"".join([piece async for piece in locked_files.unlocked(purpose, name, come())])


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 20, 35])
async def test_what_was_locked_is_read_again_in_whatever_pieces_it_comes(length: int) -> None:
    text = bytes(range(length))
    held = locked(text)
    assert all(len(piece) <= 10 + locked_files.ADDED for piece in held)
    assert not any(text[:8] in piece for piece in held if length >= 8)
    for sizes in (1, 38, 1000):
        assert await unlocked(b"".join(held), sizes) == text


DAMAGE: dict[str, Callable[[list[bytes]], Iterator[bytes] | list[bytes]]] = {
    "without its last piece": lambda held: held[:-1],
    "without its first piece": lambda held: held[1:],
    "two pieces exchanged": lambda held: [held[1], held[0], *held[2:]],
    "a piece twice": lambda held: [held[0], held[0], *held[1:]],
    "the end of another file": lambda held: [*held[:-1], locked(b"x" * 35, "folder/other")[-1]],
    "one sign changed": lambda held: [held[0][:-1] + bytes([held[0][-1] ^ 1]), *held[1:]],
    "nothing left": lambda _: [],
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_file_that_is_not_what_was_locked_is_found_out(damage: str) -> None:
    with pytest.raises(Damaged):
        await unlocked(b"".join(DAMAGE[damage](locked(b"x" * 35))))


async def test_a_file_is_read_under_its_name_and_purpose_alone() -> None:
    held = b"".join(locked(b"x" * 35))
    for name, purpose in (("folder/other", "tests"), (NAME, "others")):
        with pytest.raises(Damaged):
            await unlocked(held, name=name, purpose=purpose)
