"""What names look like: two that look alike have one skeleton, whatever signs they are written with (UTS #39, O4)."""

import unicodedata
from functools import cache
from pathlib import Path

from models.names import folded

CONFUSABLES = Path(__file__).parent / "lists" / "confusables.txt"
# Small letters that UTS #39 tells apart, and people do not: a small l for a capital I.
ALSO = str.maketrans({"i": "l"})


def skeleton(name: str) -> str:
    """What a name looks like: its signs as they stand, then folded, because capitals look like other capitals."""
    seen = _looked(unicodedata.normalize("NFKC", name))
    return _looked(folded(seen)).casefold().translate(ALSO)


def same_text(name: str, other: str) -> bool:
    """Whether two names are the same as written, but for case and blanks."""
    return _text(name) == _text(other)


def _text(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _looked(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).translate(_confusables()))


@cache
def _confusables() -> dict[int, str]:
    """What each sign looks like, by its code."""
    lines = CONFUSABLES.read_text("utf-8").splitlines()
    pairs = (line.split(";") for line in lines if not line.startswith("#"))
    return {int(sign, 16): "".join(chr(int(code, 16)) for code in like.split()) for sign, like in pairs}
