"""What the examples of the developers' page are run on: for each program language people and rows of their own."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.entry import Entry
from models.institution import Institution
from models.result import Result
from models.sittings.proctoring import ProctorPresence
from models.statement import check_token
from models.verifier import StaffUser, VerifierRole, VerifierUser
from models.viewer import Kind
from resolvers.withdrawals import withdraw
from schema.ids import global_id
from tests.sitting_world import proctor_of
from tests.world import PASSWORD, SECRET, World, gid
from transport.developers.examples import YOURS, scopes_of

NEW_PASSWORD = "staple battery 77"
Owner = Candidate | VerifierUser | StaffUser
Words = dict[str, str]


@dataclass
class Filled:
    """Whose credential an example is run with, and the words that are filled in; a code is good for half a minute."""

    token: str
    words: Words
    code: Callable[[], str]

    def now(self) -> Words:
        """The words, to be used at once."""
        return self.words | {"YOUR_ONE_TIME_CODE": self.code()}


@dataclass
class Cast:
    """The people and rows of one language; what an example uses up, it gets for itself."""

    world: World
    candidate: Candidate
    entry: Entry
    result: Result
    institution: Institution
    users: dict[str, Owner]
    newcomer: StaffUser  # who has not logged in yet
    words: Words = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def of(cls, world: World) -> "Cast":
        """A candidate with a result, shared with an institution; its users, and staff."""
        candidate, institution = await world.candidate(), await world.institution(f"Kamome University {world.count}")
        entry = await world.entry(candidate)
        result = await world.result(entry)
        users: dict[str, Owner] = {
            "candidate": candidate,
            "primary": await world.verifier(institution),
            "officer": await world.verifier(institution),
            "reader": await world.verifier(institution, role=VerifierRole.READER),
            "proctor": await proctor_of(world),
            "board": await world.staff(),
            "centre": await world.staff(centre=await world.centre()),
        }
        cast = cls(world, candidate, entry, result, institution, users, await world.staff())
        await cast._common()
        return cast

    async def _common(self) -> None:
        share_id = await self.world.share(self.result, self.institution)
        gone = await self.world.result(await self.world.entry(self.candidate))
        withdrawn = await self.world.share(gone, self.institution)
        await withdraw(self.world.viewer(Kind.CANDIDATE, self.candidate.id), withdrawn)
        connected_until = self.world.clock() + timedelta(hours=1)
        await ProctorPresence.create(staff_id=self.users["proctor"].id, seen_at=connected_until)
        officer = self.users["officer"]
        assert isinstance(officer, VerifierUser)
        self.words = {
            "YOUR_RESULT_ID": gid(self.result),
            "YOUR_SHARE_ID": str(global_id("Share", share_id)),
            "YOUR_INSTITUTION_ID": gid(self.institution),
            "YOUR_INSTITUTION_NAME": self.institution.name,
            "YOUR_EXAM_ID": str(global_id("Exam", "C1_ADVANCED")),
            "YOUR_STATEMENT_NUMBER": self.result.statement_number,
            "YOUR_CHECK_TOKEN": check_token(self.result.statement_number, 1),
            "YOUR_DATE_OF_BIRTH": str(self.candidate.date_of_birth),
            "YOUR_ID_NUMBER": self.entry.id_number,
            "YOUR_SECRET_NUMBER": SECRET,
            "YOUR_LIST_ID": gid(await self.world.list_check(officer)),
            "YOUR_CENTRE_NUMBER": (await self.world.centre()).number,
            "YOUR_CONSENT_VERSION": CONSENT_VERSION,
            "YOUR_ENTRY_ID": gid(self.entry),
            "YOUR_PASSWORD": PASSWORD,
            "YOUR_NEW_PASSWORD": NEW_PASSWORD,
        }

    async def token(self, who: str) -> str:
        """The credential of one of the kinds that examples name."""
        if who not in self.tokens:
            self.tokens[who] = await self._token(who)
        return self.tokens[who]

    async def _token(self, who: str) -> str:
        if who == "anybody":
            return ""
        if who.startswith("key"):
            return (await self.world.key(self.institution, *scopes_of(who)))[1]
        return await self.world.token(self.users[who])

    def email(self) -> str:
        """An address that nobody has."""
        self.world.count += 1
        return f"reader{self.world.count}@office{self.world.count}.example"


def in_place(program: str, words: Words) -> str:
    """A program with the reader's words filled in."""
    return re.sub(r'"(\w+)"', lambda found: f'"{words[found[1]]}"' if found[1] in YOURS else found[0], program)
