"""What tests of look-ups have in common: an officer who asks, and how the numbers of a result are asked for."""

from dataclasses import dataclass
from typing import Any

from engine.limits import Rate
from models.entry import Entry
from models.institution import Institution
from models.result import Result
from models.tries import RateWindow
from models.verifier import VerifierUser
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import SECRET, World

PURPOSE = "Admission in April"
RESULT = """id name nativeName dateOfBirth qualification examDate statementNumber certificateNumber outcome headline
    grade cefr overallScore overallScoreShown scale skillScores { skill score } version correctedAt"""
VERIFICATION = f"verdict result {{ {RESULT} }} problems {{ path message }} retryAfter"
FIND = f"query ($input: FindResultInput!) {{ findResult(input: $input) {{ {VERIFICATION} }} }}"
VERIFY = f"query ($input: VerifyResultsInput!) {{ verifyResults(input: $input) {{ {VERIFICATION} }} }}"
NOT_MATCHED: dict[str, Any] = {"verdict": "NOT_MATCHED", "result": None, "problems": [], "retryAfter": None}
BORN = "2001-02-03"  # as all of the world's candidates
Numbers = dict[str, Any]


def paper(result: Result, **facts: Any) -> Numbers:
    """The numbers of whoever holds the statement."""
    return {"statementNumber": result.statement_number, "dateOfBirth": BORN} | facts


def secrets(entry: Entry, **facts: Any) -> Numbers:
    """The numbers of the Confirmation of Entry."""
    return {"idNumber": entry.id_number, "secretNumber": SECRET} | facts


@dataclass
class Office:
    """An officer of an institution, logged in."""

    client: Client
    user: VerifierUser
    institution: Institution

    async def log_in(self, world: World) -> None:
        """A fresh session, after the old one has ended."""
        self.client = self.client.as_(await world.token(self.user))

    async def find(self, numbers: Numbers, purpose: str = PURPOSE) -> Any:
        """The answer to one pair."""
        return (await self.client.ask(FIND, input=numbers | {"purpose": purpose}))["findResult"]

    async def verify(self, *pairs: Numbers, purpose: str = PURPOSE) -> Any:
        """The answers to a list."""
        return (await self.client.ask(VERIFY, input={"pairs": list(pairs), "purpose": purpose}))["verifyResults"]

    async def verdicts(self, *pairs: Numbers) -> list[str]:
        """The verdicts on a list."""
        return [one["verdict"] for one in await self.verify(*pairs)]

    async def refusal(self, *pairs: Numbers, purpose: str = PURPOSE) -> dict[str, Any]:
        """The extensions of the error that refuses a list."""
        (error,) = await self.client.errors(VERIFY, input={"pairs": list(pairs), "purpose": purpose})
        found: dict[str, Any] = error["extensions"]
        return found


async def office(client: Client, world: World, institution: Institution | None = None, **facts: Any) -> Office:
    """An officer with a session; of an institution of their own unless one is given."""
    institution = institution or await world.institution()
    user = await world.verifier(institution, **facts)
    return Office(client.as_(await world.token(user)), user, institution)


async def used_up(clock: ControlledClock, rate: Rate, subject: str, left: int) -> None:
    """Let so many be left of a rate, in the window of this moment."""
    await RateWindow.update_or_create(
        kind=rate.kind,
        subject=subject,
        window_started_at=rate.started_at(clock()),
        defaults={"count": rate.most - left},
    )
