"""Why a download failed, as it is kept: a sentence that can be said in any language, and the cells at fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from engine.languages import told
from errors import Sentence

NO_USER = "The user who asked for the download can no longer log in."
NO_RIGHT = "The user who asked for the download may not take results away any more."
NO_KEY = "The key that asked for the download has ended, or may not take results away."
NO_INSTITUTION = "The institution's account is not open."
NOTHING_LEFT = "None of these results can be downloaded any more."
TOO_LONG = "The download could not be made within a day. Ask for it again."
NOT_PRINTABLE = "None of our fonts can print some signs of these names. Choose another format, or leave them out."
NO_STATEMENTS = "No statements are given here: choose another format."
FAILURES = (NO_USER, NO_RIGHT, NO_KEY, NO_INSTITUTION, NOTHING_LEFT, TOO_LONG, NOT_PRINTABLE, NO_STATEMENTS)


@dataclass(frozen=True, slots=True)
class FailedCell:
    """Where a text cannot be written: the place of its result in the download, the column, and the signs at fault."""

    place: int
    column: str
    signs: str


class CannotBeMade(Exception):
    """A download that can never be made as it was asked for, and why."""

    def __init__(self, sentence: str, cells: Sequence[FailedCell] = ()) -> None:
        super().__init__(sentence)
        self.sentence, self.cells = sentence, cells

    def kept(self) -> str:
        """As a download keeps it; without names, which it must not keep longer than it may show them."""
        cells = [(cell.place, cell.column, cell.signs) for cell in self.cells]
        kept: dict[str, object] = {"sentence": self.sentence, "facts": {}, "cells": cells}
        if isinstance(self.sentence, Sentence):
            facts = {name: _kept(fact) for name, fact in self.sentence.facts.items()}
            kept |= {"sentence": self.sentence.template, "facts": facts}
        return orjson.dumps(kept, default=str).decode()


def _kept(fact: object) -> object:
    return fact if isinstance(fact, int) else str(fact)


def said(failure: str, language: str) -> str:
    """A failure that is kept, in this language."""
    kept: Mapping[str, dict[str, object]] = orjson.loads(failure)
    return told(Sentence.of(str(kept["sentence"]), **kept["facts"]), language)


def cells_of(failure: str) -> list[FailedCell]:
    """The cells at fault, as far as they are told: the first of them."""
    return [FailedCell(*cell) for cell in orjson.loads(failure)["cells"]]
