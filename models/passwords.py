"""What a password must be (A2), each broken rule told by name."""

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from engine.hashing import LONGEST_TYPED
from errors import Problem, Sentence
from models.names import folded, full_name

SHORTEST = 8
LONGEST = 127
TOO_LONG = Sentence.of("The password may have at most {longest} characters.", longest=LONGEST)
TOO_SHORT = Sentence.of("The password needs at least {shortest} characters.", shortest=SHORTEST)


def password_problems(password: str, again: str, personal: Iterable[str] = ()) -> list[Problem]:
    """The broken rules, if any; `personal` is what a password may not be (ID Number, name, e-mail)."""
    if len(password) > LONGEST_TYPED:
        return [Problem("password", TOO_LONG)]
    if not _is_text(password):
        return [Problem("password", "The password contains characters that cannot be stored.")]
    password, again = (unicodedata.normalize("NFC", text[: LONGEST_TYPED + 1]) for text in (password, again))
    letters, digits = sum(map(str.isalpha, password)), sum(map(str.isdecimal, password))
    rules = [
        (len(password) >= SHORTEST, TOO_SHORT),
        (len(password) <= LONGEST, TOO_LONG),
        (letters >= 1, "The password needs at least one letter."),
        (digits >= 2, "The password needs at least 2 digits."),  # the rule itself says two
        (not is_personal(password, personal), "The password may not be your ID Number, your name or your e-mail."),
        (password.lower() not in breached(), "The password is on a list of passwords that attackers try first."),
    ]
    problems = [Problem("password", message) for kept, message in rules if not kept]
    if password != again:
        problems.append(Problem("passwordAgain", "The two passwords are not the same."))
    return problems


def forms_of_name(given_name: str, family_name: str, native_name: str | None) -> list[str]:
    """A person's name as it might be tried as a password: in both orders, by its parts, in its own script."""
    orders = full_name(given_name, family_name), full_name(family_name, given_name)
    return [*orders, given_name, family_name, native_name or ""]


@cache
def breached() -> frozenset[str]:
    """Well-known breached passwords, lower case; see breached_passwords.README.md for where they come from."""
    return frozenset(Path(__file__).with_name("breached_passwords.txt").read_text("utf-8").split())


def is_personal(password: str, personal: Iterable[str]) -> bool:
    """Whether a password is one of these, however it is written."""
    forms = {folded(text).replace(" ", "") for text in personal if len(text) <= LONGEST_TYPED}
    return folded(password).replace(" ", "") in forms - {""}


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
