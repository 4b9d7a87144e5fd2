"""The check-in (H3): its steps in order, and whether a name is exactly the one of the account."""

import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from enum import Enum
from itertools import zip_longest
from typing import NamedTuple


class Step(Enum):
    """The steps of a check-in, in order; a proctor confirms each, and the last releases the test."""

    DOCUMENT = "DOCUMENT"
    RULES = "RULES"
    SCREEN = "SCREEN"
    MIRROR = "MIRROR"
    ROOM = "ROOM"
    BROWSER = "BROWSER"
    PASSWORD = "PASSWORD"  # noqa: S105  # it is no password


STEPS = tuple(Step)


def next_step(confirmed: int) -> Step | None:
    """The step that comes after so many; None when all are confirmed."""
    return STEPS[confirmed] if confirmed < len(STEPS) else None


class Letter(NamedTuple):
    """One place of two names beside one another; empty where one of them has no letter there."""

    expected: str
    shown: str
    is_same: bool


def is_same_name(expected: str, shown: str) -> bool:
    """Whether two names are spelled alike, letter for letter: composed (NFC), and nothing else is forgiven."""
    return _composed(expected) == _composed(shown)


def letters(expected: str, shown: str) -> list[Letter]:
    """Two names letter by letter, so that a person sees where they differ; a letter is what is read as one."""
    left, right = list(_clusters(_composed(expected))), list(_clusters(_composed(shown)))
    found: list[Letter] = []
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        pairs = zip_longest(left[a:b], right[c:d], fillvalue="")
        found.extend(Letter(one, other, kind == "equal") for one, other in pairs)
    return found


def nearest(names: Iterable[str], shown: str) -> str:
    """Of several ways in which an account spells its name, the one that this is meant to be."""
    return max(names, key=lambda name: SequenceMatcher(None, _composed(name), _composed(shown), autojunk=False).ratio())


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _clusters(text: str) -> Iterator[str]:
    """A sign together with the marks and variation selectors that follow it."""
    cluster = ""
    for sign in text:
        if cluster and not _joins(sign):
            yield cluster
            cluster = ""
        cluster += sign
    if cluster:
        yield cluster


def _joins(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Me", "Mc") or sign == "\u200d"
