"""What a password must be (A2), each broken rule told by name."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from errors import Problem
from models.names import folded

SHORTEST = 8
LONGEST = 127


def password_problems(password: str, again: str, personal: Iterable[str] = ()) -> list[Problem]:
    """The broken rules, if any; `personal` is what a password may not be (ID Number, name, e-mail)."""
    if not _is_text(password):
        return [Problem("password", "The password contains characters that cannot be stored.")]
    letters, digits = sum(map(str.isalpha, password)), sum(map(str.isdecimal, password))
    rules = [
        (len(password) >= SHORTEST, f"The password needs at least {SHORTEST} characters."),
        (len(password) <= LONGEST, f"The password may have at most {LONGEST} characters."),
        (letters >= 1, "The password needs at least one letter."),
        (digits >= 2, "The password needs at least 2 digits."),  # the rule itself says two
        (not _is_personal(password, personal), "The password may not be your ID Number, your name or your e-mail."),
        (password.lower() not in breached(), "The password is on a list of passwords that attackers try first."),
        (password == again, "The two passwords are not the same."),
    ]
    return [Problem("password", message) for kept, message in rules if not kept]


@cache
def breached() -> frozenset[str]:
    """Well-known breached passwords, lower case; see breached_passwords.README.md for where they come from."""
    return frozenset(Path(__file__).with_name("breached_passwords.txt").read_text("utf-8").split("\n"))


def _is_personal(password: str, personal: Iterable[str]) -> bool:
    forms = {folded(text).replace(" ", "") for text in personal if text}
    return folded(password).replace(" ", "") in forms


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
