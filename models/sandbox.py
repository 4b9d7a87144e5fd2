"""What is in a sandbox (P4): numbers that can never be real, and invented candidates with results of every sort."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

from models.terms import Terms

PREFIX = "SANDBOX-"  # of statement numbers; no real one begins so
ID_LETTERS = "XXX"  # of ID Numbers; none is drawn with them (see models/id_numbers.py)
SECRET_NUMBER = "0000"  # noqa: S105  # told to whoever asks
CENTRE_LETTERS = "XX"  # of the numbers of invented centres: no country
CENTRE_NAME = "Sandbox Examination Centre (invented)"
MOST_CASES = 999


@dataclass(frozen=True, slots=True)
class Case:
    """One invented candidate with a result, as a row of a file would load it, and what becomes of it afterwards.

    `sent` are the terms of its share with the sandbox, None where it is not sent; `days` is how long an expiry lies
    ahead, where the share has one. `then` are orders of `Simulation`, in order. `answer` is what a look-up answers.
    """

    about: str
    given_name: str
    family_name: str
    native_name: str | None
    date_of_birth: date
    exam: str
    exam_date: date
    result: Mapping[str, str]
    is_released: bool = True
    sent: Terms | None = None
    days: int | None = None
    then: Sequence[str] = field(default_factory=tuple)
    answer: str = "GENUINE"


@cache
def cases() -> tuple[Case, ...]:
    """The cases, in the order of their numbers."""
    text = files("models").joinpath("sandbox.json").read_text("utf-8")
    return tuple(_case(one) for one in json.loads(text))


def _case(one: dict[str, Any]) -> Case:
    sent = one.get("sent")
    dates = {name: date.fromisoformat(one[name]) for name in ("date_of_birth", "exam_date")}
    return Case(**one | dates | {"sent": None if sent is None else Terms(**sent)})


def code_of(sandbox_id: UUID) -> str:
    """Seven letters and digits that the numbers of one sandbox hold; the same for ever."""
    return base64.b32encode(sandbox_id.bytes[-5:]).decode()[:7]


def statement_number(sandbox_id: UUID, case: int) -> str:
    """The statement number of a case, counted from 1; the same after every reset."""
    return f"{PREFIX}{code_of(sandbox_id)}-{case:03}"


def is_invented(number: str) -> bool:
    """Whether a statement number is one of a sandbox."""
    return number.startswith(PREFIX)


def certificate_number(statement: str) -> str:
    """The certificate number that goes with an invented statement number."""
    return statement[:-4] + "C" + statement[-3:]


def centre_number(sandbox_id: UUID) -> str:
    """The number of the invented centre of a sandbox."""
    return f"{CENTRE_LETTERS}{code_of(sandbox_id)}"


def released_on(exam_date: date) -> date:
    """About six weeks after the exam (R3)."""
    return exam_date + timedelta(days=42)
