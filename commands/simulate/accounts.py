"""The people of a simulation: made as the board's staff make them on the machine, then logged in through the door."""

import asyncio
import json
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyotp

from commands.simulate.door import App, Door, Fault
from commands.simulate.stories import Room, Story
from commands.viewer import board
from engine.clock import system_clock
from models.names import full_name
from models.verifier import StaffRole
from resolvers import centres, entering, staff
from resolvers.rows import Given

PASSWORD = "a-quiet-room-26"  # noqa: S105  # of people who are made up
AT_ONCE = 8  # wrong numbers are counted before they are compared, so that too many at once are refused
# Given names, and how a document may spell them that is not accepted.
SPELLINGS = (("Zoë", "Zoe"), ("José", "Jose"), ("Łukasz", "Lukasz"), ("Renée", "Renee"), ("Søren", "Soren"))
ENTERED_FOR = "C1_ADVANCED"  # an entry makes the account
OLD_ENOUGH = timedelta(days=7000)


class NotPossible(Exception):
    """The simulation cannot be played here; the message is for whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What stands on a candidate's Confirmation of Entry."""

    id_number: str
    secret_number: str


@dataclass(frozen=True, slots=True)
class Member:
    """What one of the staff logs in with."""

    name: str
    email: str
    password: str
    authenticator: pyotp.TOTP


@dataclass(frozen=True, slots=True)
class Login:
    """An institution's user, of the demo."""

    email: str
    password: str


def dashboard_login(var: Path) -> Login:
    """The user whose dashboard is looked at. Raises NotPossible."""
    path = var / "demo.json"
    if not path.exists():
        raise NotPossible(f"There is no {path}: the service must have the demo, whose institutions get the results.")
    user = json.loads(path.read_text("utf-8"))["verifiers"][0]
    return Login(user["email"], user["password"])


def rooms(stories: Sequence[Story]) -> list[Room]:
    """A candidate's room for each story; no two of them bear one name."""
    run = _letters(secrets.randbelow(26**4)).rjust(4, "a")
    made = []
    for number, story in enumerate(stories):
        given, nearly = SPELLINGS[number % len(SPELLINGS)]
        family = f"Played{run}{_letters(number)}".capitalize()
        made.append(Room(story, given, family, nearly=full_name(nearly, family)))
    return made


def _letters(number: int) -> str:
    letters = ""
    while True:
        number, place = divmod(number, 26)
        letters = string.ascii_lowercase[place] + letters
        if number == 0:
            return letters


async def enter(people: Sequence[Room]) -> list[Numbers]:
    """Enter candidates, as `cli.py enter` does. Raises NotPossible."""
    there = await centres.every()
    if not there:
        raise NotPossible("There is no exam centre: the service must have the demo.")
    now, run = system_clock(), secrets.token_hex(3)
    rows = [
        Given(
            line,
            {
                "centre": there[0]["number"], "examCode": ENTERED_FOR, "examDate": now.date().isoformat(),
                "candidateNumber": f"{run}{line:04}", "familyName": person.family, "givenName": person.given,
                "dateOfBirth": (now - OLD_ENOUGH).date().isoformat(),
            },
        )
        for line, person in enumerate(people)
    ]  # fmt: skip
    made: dict[int, Numbers] = {}
    async for entered in entering.enter(board(now, "simulate"), rows):
        if entered.bad:
            raise NotPossible(str(entered.bad[0].faults))
        made |= {new.line: Numbers(new.id_number, new.secret_number) for new in entered.new}
    return [made[line] for line in range(len(people))]


async def engage(role: StaffRole, count: int) -> list[Member]:
    """Make so many accounts of staff, as `cli.py staff add` does, each with an authenticator."""
    run = secrets.token_hex(4)
    made = []
    for number in range(count):
        name, email = (
            f"Played {role.value.lower()} {run} {number}",
            f"{role.value.lower()}-{run}-{number}@played.example",
        )
        access = await staff.add(name, email, role, None, system_clock())
        authenticator = pyotp.parse_uri(access.otpauth or "")
        assert isinstance(authenticator, pyotp.TOTP)
        made.append(Member(name, email, access.password, authenticator))
    return made


# ---- through the door


async def log_in(door: Door, name: str, **input: object) -> App:
    """An app with a session. Raises Fault."""
    app = App(door)
    payload = await app.insist(name, **input)
    if "token" not in payload:
        raise Fault(payload)
    app.token = payload["token"]
    return app


async def register(door: Door, numbers: Sequence[Numbers]) -> list[App]:
    """Everybody's app, once they have claimed their entries; some at a time. Raises Fault."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(own: Numbers) -> App:
        email = f"{own.id_number.lower()}@played.example"
        async with gate:
            return await log_in(
                door, "register", idNumber=own.id_number, secretNumber=own.secret_number, email=email, emailAgain=email,
                password=PASSWORD, passwordAgain=PASSWORD, acceptsTerms=True,
            )  # fmt: skip

    return await asyncio.gather(*(one(own) for own in numbers))
