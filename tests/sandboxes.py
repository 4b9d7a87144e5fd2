"""An institution with a sandbox, its Primary User, and a program with a key of the sandbox."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.institution import Institution
from models.sandbox import Case, cases
from models.verifier import VerifierUser
from schema.ids import key_of
from tests.client import Client
from tests.world import World

SANDBOX = """sandbox { institution { id name isSandbox } samples {
    about statementNumber dateOfBirth idNumber secretNumber version checkToken answer } }"""
CREATED = f"... on SandboxCreated {{ wasThere {SANDBOX} }}"
RESET = f"... on SandboxReset {{ {SANDBOX} }}"
SIMULATED = "... on ChangeSimulated { shareId resultId }"
FIND = """query ($input: FindResultInput!) { findResult(input: $input) { verdict } }"""
CHECK = "query ($number: String!, $token: String!) { checkStatement(number: $number, token: $token) { verdict } }"
INBOX = "{ inbox(first: 100) { edges { node { id status candidate { id } result { id statementNumber } } } } }"
Sample = dict[str, Any]


@dataclass
class Playground:
    """What a test of sandboxes needs."""

    owner: Institution
    primary: Client
    program: Client
    sandbox: Institution
    user: VerifierUser
    samples: list[Sample]

    @classmethod
    async def of(cls, client: Client, world: World, owner: Institution | None = None) -> "Playground":
        """A fresh sandbox, and a key of it with every scope."""
        owner = owner or await world.institution()
        user = await world.verifier(owner)
        primary = client.as_(await world.token(user))
        made = await primary.order("createSandbox", CREATED)
        sandbox = await Institution.get(id=key_of(made["sandbox"]["institution"]["id"], "Institution"))
        _, key = await world.key(sandbox, made_by=user)
        return cls(owner, primary, client.as_(key), sandbox, user, made["sandbox"]["samples"])

    async def shares(self) -> list[Any]:
        """What the program sees in the sandbox's inbox."""
        return [edge["node"] for edge in (await self.program.ask(INBOX))["inbox"]["edges"]]

    async def simulate(self, kind: str, share: str | None = None) -> Any:
        """What became of something that the program let happen."""
        return await self.program.order("simulateChange", SIMULATED, kind=kind, shareId=share)

    @property
    def id(self) -> UUID:
        """The sandbox."""
        return self.sandbox.id


def papers(sample: Sample) -> list[dict[str, Any]]:
    """Both pairs of numbers of a sample."""
    return [
        {name: sample[name] for name in ("statementNumber", "dateOfBirth")},
        {name: sample[name] for name in ("idNumber", "secretNumber")},
    ]


async def verdict(client: Client, numbers: dict[str, Any]) -> str:
    """What a look-up answers."""
    found = await client.ask(FIND, input=numbers | {"purpose": "Trying things out"})
    return str(found["findResult"]["verdict"])


async def checked(client: Client, sample: Sample) -> str:
    """What the check of a statement answers."""
    found = await client.ask(CHECK, number=sample["statementNumber"], token=sample["checkToken"])
    return str(found["checkStatement"]["verdict"])


def live_cases() -> list[Case]:
    """The cases of which the sandbox's inbox shows a share."""
    return [one for one in cases() if one.sent is not None and not {"SHARE_WITHDRAWN", "SHARE_EXPIRED"} & set(one.then)]
