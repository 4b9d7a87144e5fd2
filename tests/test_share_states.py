"""Who sees what of a shared result, in every state that a share can be in, by every way of reading.

The table below is the rule; the test asks every viewer by every way, and compares.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.institution import Institution
from models.photo import Photo
from models.result import Result
from models.share import Share
from models.terms import Terms
from models.viewer import Kind
from resolvers import shares, withdrawals
from resolvers.shares import Consent
from tests.client import Client
from tests.conftest import ControlledClock
from tests.events import events
from tests.scene import WAYS, said, without
from tests.selecting import PAGE, Everything, leads_to_a_row
from tests.world import World, gid, settled

# P the person, R the result, A what was awarded, K the skill scores, I the photo, S the share, F a former share of the
# result, or one with somebody else; . nothing at all. `verifier` and `primary` are of the institution it was sent to,
# `centre` is staff of the exam centre that entered the candidate.
TABLE = """
state                          owner     other     verifier  primary   elsewhere board     centre
unread                         PRAKIS    .         PRAKIS    PRAKIS    .         PRAKIS    PRAK
read                           PRAKIS    .         PRAKIS    PRAKIS    .         PRAKIS    PRAK
without_skills                 PRAKIS    .         PRAIS     PRAIS     .         PRAKIS    PRAK
without_photo                  PRAKIS    .         PRAKS     PRAKS     .         PRAKIS    PRAK
expires_in_a_second            PRAKIS    .         PRAKIS    PRAKIS    .         PRAKIS    PRAK
expires_this_moment            PRAKIS    .         .         .         .         PRAKIS    PRAK
expired_a_second_ago           PRAKIS    .         .         .         .         PRAKIS    PRAK
expired_and_told               PRAKIS    .         .         .         .         PRAKIS    PRAK
expired_and_sent_again         PRAKISF   .         PRAKIS    PRAKIS    .         PRAKISF   PRAK
withdrawn                      PRAKIS    .         .         .         .         PRAKIS    PRAK
withdrawn_and_sent_again       PRAKISF   .         PRAKIS    PRAKIS    .         PRAKISF   PRAK
sent_again_without_skills      PRAKISF   .         PRAIS     PRAIS     .         PRAKISF   PRAK
sent_again_with_skills         PRAKISF   .         PRAKIS    PRAKIS    .         PRAKISF   PRAK
elsewhere_without_skills       PRAKISF   .         PRAKIS    PRAKIS    PRAIF     PRAKISF   PRAK
withdrawn_but_still_elsewhere  PRAKISF   .         .         .         PRAKIF    PRAKISF   PRAK
institution_suspended          PRAKIS    .         .         .         .         PRAKIS    PRAK
result_withheld                PRIS      .         PRIS      PRIS      .         PRIS      PR
result_revoked                 PRIS      .         PRIS      PRIS      .         PRIS      PR
result_not_released            P         .         .         .         .         PRAKIS    P
"""
HEAD, *LINES = [line.split() for line in TABLE.strip().splitlines()]
VIEWERS = HEAD[1:]
EXPECTED = {state: dict(zip(VIEWERS, cells, strict=True)) for state, *cells in LINES}
LAST = "Lastperson"  # of the share that every stream tells last
SECOND = timedelta(seconds=1)


@dataclass
class Case:
    """One result in one state, the share in question, and the texts that tell each part of them."""

    world: World
    number: int
    institution: Institution
    elsewhere: Institution
    owner: Candidate
    result: Result
    shares: dict[str, Share] = field(default_factory=dict)

    @classmethod
    async def begun(cls, world: World, number: int, institution: Institution, elsewhere: Institution) -> "Case":
        """A result that nobody has been sent yet."""
        owner = await world.candidate(family_name=f"Person{number}x")
        award: dict[str, Any] = {"headline": f"Headline{number}x", "statement_number": f"S26{number}x"}
        entry = await world.entry(owner)
        result = await world.result(entry, {"READING": 100 + number}, **award)
        picture: dict[str, Any] = {"file": "a.jpg", "width": 10, "height": 10, "size": 9, "digest": bytes(32)}
        await Photo.create(entry_id=entry.id, added_at=world.clock(), **picture)
        return cls(world, number, institution, elsewhere, owner, result)

    def texts(self) -> dict[str, str]:
        """What tells a part, by the part's letter; skill scores are numbers, and looked for apart."""
        parts = {"P": "Person", "R": "S26", "A": "Headline", "S": "Purpose", "F": "Former"}
        return {letter: f"{begins}{self.number}x" for letter, begins in parts.items()}

    async def sent(self, letter: str = "S", to: Institution | None = None, **terms: Any) -> Share:
        """The result, sent through the front door; its purpose tells it."""
        viewer = self.world.viewer(Kind.CANDIDATE, self.owner.id)
        wanted = Terms(purpose=self.texts()[letter], **terms)
        to = to or self.institution
        sent = await shares.send(viewer, self.result.id, to.id, Consent(CONSENT_VERSION, "en"), wanted)
        assert not sent.was_there
        self.shares[letter] = await Share.get(id=sent.share["share_id"])
        return self.shares[letter]

    async def withdrawn(self, letter: str = "S") -> None:
        """A share of it, withdrawn by its candidate."""
        await withdrawals.withdraw(self.world.viewer(Kind.CANDIDATE, self.owner.id), self.shares[letter].id)

    async def read(self) -> None:
        """Its share, opened."""
        viewer = self.world.viewer(Kind.VERIFIER, self.owner.id, institution_id=self.institution.id)
        await shares.open_share(viewer, self.shares["S"].id)

    async def expires(self, letter: str, after: timedelta) -> None:
        """A share of it, which expires, or expired, so long after the moment at which it is asked for."""
        asked_at = self.world.clock() + timedelta(minutes=1)
        await Share.filter(id=self.shares[letter].id).update(expires_at=asked_at + after)

    async def told_expired(self, letter: str) -> None:
        """A share of it whose day has come, as the worker leaves it."""
        await Share.filter(id=self.shares[letter].id).update(expires_at=self.world.clock())
        assert await shares.tell_expired(self.world.clock()) == 1


# ---- how each state comes about


async def unread(case: Case) -> None:
    await case.sent()


async def read(case: Case) -> None:
    await case.sent()
    await case.read()


async def without_skills(case: Case) -> None:
    await case.sent(includes_skills=False)


async def without_photo(case: Case) -> None:
    await case.sent(includes_photo=False)


async def expires_in_a_second(case: Case) -> None:
    await case.sent()
    await case.expires("S", SECOND)


async def expires_this_moment(case: Case) -> None:
    await case.sent()
    await case.expires("S", 0 * SECOND)


async def expired_a_second_ago(case: Case) -> None:
    await case.sent()
    await case.expires("S", -SECOND)


async def expired_and_told(case: Case) -> None:
    await case.sent()
    await case.told_expired("S")


async def expired_and_sent_again(case: Case) -> None:
    await case.sent("F", includes_skills=False)
    await case.told_expired("F")
    await case.sent()


async def withdrawn(case: Case) -> None:
    await case.sent()
    await case.withdrawn()


async def withdrawn_and_sent_again(case: Case) -> None:
    await case.sent("F")
    await case.withdrawn("F")
    await case.sent()


async def sent_again_without_skills(case: Case) -> None:
    await case.sent("F")
    await case.withdrawn("F")
    await case.sent(includes_skills=False)


async def sent_again_with_skills(case: Case) -> None:
    await case.sent("F", includes_skills=False)
    await case.withdrawn("F")
    await case.sent()


async def elsewhere_without_skills(case: Case) -> None:
    """The other institution has a share of its own, on its own terms."""
    await case.sent()
    await case.sent("F", to=case.elsewhere, includes_skills=False)


async def withdrawn_but_still_elsewhere(case: Case) -> None:
    await case.sent()
    await case.sent("F", to=case.elsewhere)
    await case.withdrawn()


async def institution_suspended(case: Case) -> None:
    await case.sent()
    await case.world.suspend(case.institution)


async def result_withheld(case: Case) -> None:
    await case.sent()
    await Result.filter(id=case.result.id).update(withheld_at=case.world.clock())


async def result_revoked(case: Case) -> None:
    await case.sent()
    await Result.filter(id=case.result.id).update(revoked_at=case.world.clock())


async def result_not_released(case: Case) -> None:
    """Its release was put off, to one second after the moment at which it is asked for."""
    await case.sent()
    await Result.filter(id=case.result.id).update(released_at=case.world.clock() + timedelta(seconds=61))


STATES: dict[str, Callable[[Case], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        unread, read, without_skills, without_photo, expires_in_a_second, expires_this_moment, expired_a_second_ago,
        expired_and_told, expired_and_sent_again, withdrawn, withdrawn_and_sent_again, sent_again_without_skills,
        sent_again_with_skills, elsewhere_without_skills, withdrawn_but_still_elsewhere, institution_suspended,
        result_withheld, result_revoked, result_not_released,
    )
}  # fmt: skip


# ---- the ways of reading

LISTS = {
    "Query.me": "Candidate",
    "Query.inbox": "InboxConnection",
    "Query.changes": "ChangePage",
    "Subscription.newShares": "NewShare",
}
# Ways to one thing by its id: the letters of what they can begin at.
BY_ID = {
    "Query.result": "R",
    "Query.share": "SF",
    "Query.node Candidate": "P",
    "Query.node Result": "R",
    "Query.node Share": "SF",
    "Query._entities Candidate": "P",
    "Query._entities Result": "R",
    "Query._entities Share": "SF",
}
# Ways that are no reading of shares: each begins at something else, and the tests of visibility walk them.
BESIDE = {
    "Query.viewer",
    "Query.institutions",
    "Query.organisation",
    "Query.staff",
    "Query.listCheck",
    "Subscription.resultChanges",  # a candidate's own, of whatever state
}
LETTERS = {"P": "Candidate", "R": "Result", "S": "Share", "F": "Share"}


def documents() -> dict[str, str]:
    """A document per way, which asks for everything three rows deep: enough to come from each part to all others."""
    texts = {}
    for name in [*LISTS, *BY_ID]:
        way, root = WAYS[name], name.partition(".")[0].lower()
        everything = Everything()
        leads_to = LISTS.get(name) or LETTERS[BY_ID[name][0]]
        selection = everything.of(leads_to, 3)
        if way.on:
            selection = f"{{ __typename ... on {leads_to} {selection} }}"
        call, declares = way.call, way.declares
        if name in ("Query.inbox", "Query.changes"):
            call, declares = f"{name.partition('.')[2]}(first: {PAGE}, after: $after)", "($after: String)"
        texts[name] = everything.document(f"{root} {declares} {{ {call} {selection} }}")
    return texts


DOCUMENTS = documents()


def test_every_way_of_reading_is_in_the_matrix() -> None:
    """A way that leads to a share, and is new, needs its place above."""
    reading = {name for name in WAYS if not name.startswith("Mutation.")}
    other_nodes = {name for name in reading if name.partition(" ")[2] not in {"", *LETTERS.values()}}
    assert reading - other_nodes - BESIDE == {*LISTS, *BY_ID}
    assert set(LETTERS.values()) <= leads_to_a_row()


def test_the_table_has_a_line_for_every_state() -> None:
    assert set(EXPECTED) == set(STATES)


# ---- asking


@dataclass
class Matrix:
    """All cases in one world, and the session of every viewer."""

    app: Starlette
    client: Client
    cases: dict[str, Case]
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    lists: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def seen(self, state: str, viewer: str) -> dict[str, str]:
        """The letters of what the viewer sees of a case, by each way that this kind of viewer has."""
        case, token = self.cases[state], self.tokens[state, viewer]
        found = {}
        for name, letters in BY_ID.items():
            for letter in letters:
                row = {"P": case.owner, "R": case.result, **case.shares}.get(letter)
                if row is not None:
                    found[f"{name} from {letter}"] = letters_in(await self._one(name, row, token), case)
        if viewer in ("owner", "other"):
            found["Query.me"] = letters_in(await self._post("Query.me", token), case)
        if viewer in ("verifier", "primary", "elsewhere"):
            reads = (self._inbox, self._changes, self._streamed)
            for name, read in zip(("Query.inbox", "Query.changes", "Subscription.newShares"), reads, strict=True):
                if (name, token) not in self.lists:  # they tell of all cases at once
                    self.lists[name, token] = await read(token)
                found[name] = letters_in(self.lists[name, token], case)
        return found

    async def _one(self, name: str, row: Any, token: str) -> Any:
        if "_entities" in name:
            return await self._post(name, token, r=[{"__typename": type(row).__name__, "id": gid(row)}])
        return await self._post(name, token, id=gid(row))

    async def _post(self, name: str, token: str, **variables: Any) -> Any:
        body = (await self.client.as_(token).post(DOCUMENTS[name], **variables)).json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    async def _inbox(self, token: str) -> Any:
        pages = [await self._post("Query.inbox", token)]
        while (inbox := pages[-1]["inbox"]) and inbox["pageInfo"]["hasNextPage"]:
            pages.append(await self._post("Query.inbox", token, after=inbox["pageInfo"]["endCursor"]))
        return pages

    async def _changes(self, token: str) -> Any:
        """All events; the ids beside a share are told of what may no longer be seen, too (see test_changes.py)."""
        await settled()
        pages = [await self._post("Query.changes", token)]
        while (page := pages[-1]["changes"]) and page["hasMore"]:
            pages.append(await self._post("Query.changes", token, after=page["cursor"]))
        return without(pages, WAYS["Query.changes"].leaves_out)

    async def _streamed(self, token: str) -> Any:
        told = []
        async with events(self.app, DOCUMENTS["Subscription.newShares"], {}, token) as stream:
            while (event := await stream.next()) is not None:
                told.append(event.get("data"))
                if LAST in str(event):
                    break
        return told


def letters_in(answer: Any, case: Case) -> str:
    """Which parts of a case an answer tells, in the order of the table."""
    told = said({"data": answer})
    seen = {letter for letter, words in case.texts().items() if told.holds(words)}
    for one in told.objects():
        kind = one.get("__typename")
        if kind == "SkillScore" and one["score"] == 100 + case.number:
            seen.add("K")
        if kind == "Result" and one["id"] == gid(case.result) and one["photo"] is not None:
            seen.add("I")
    return "".join(letter for letter in "PRAKISF" if letter in seen)


@pytest.fixture
async def matrix(app: Starlette, client: Client, world: World, clock: ControlledClock) -> Matrix:
    """Every state there is, a minute after it came about."""
    home, elsewhere = await world.institution("Home"), await world.institution("Elsewhere")
    cases, shut = {}, await world.institution("Shut")
    tokens: dict[tuple[str, str], str] = {}
    everywhere: dict[str, Any] = {"other": await world.candidate(), "elsewhere": await world.verifier(elsewhere),
                  "board": await world.staff(), "centre": await world.staff(centre=await world.centre())}  # fmt: skip
    shared = {name: await world.token(account) for name, account in everywhere.items()}
    offices = {one.id: {"verifier": await world.token(await world.verifier(one)),
                        "primary": await world.token(await world.verifier(one, is_primary=True))}
               for one in (home, shut)}  # fmt: skip
    for number, (state, comes_about) in enumerate(STATES.items(), start=10):
        institution = shut if state == "institution_suspended" else home
        cases[state] = await Case.begun(world, number, institution, elsewhere)
        await comes_about(cases[state])
        viewers = shared | offices[institution.id] | {"owner": await world.token(cases[state].owner)}
        tokens |= {(state, viewer): viewers[viewer] for viewer in VIEWERS}
    last = await world.candidate(family_name=LAST)
    result = await world.result(await world.entry(last))
    for institution in (home, elsewhere):
        await world.share(result, institution)
    clock.forward(minutes=1)
    return Matrix(app, client, cases, tokens)


def expected_by(way: str, parts: str) -> str:
    """What a way tells to whom these parts are for: all of them, if what it begins at is among them, or nothing."""
    begins = way.partition(" from ")[2] or {"Query.me": "P"}.get(way, "SF")
    return parts if set(begins) & set(parts) else ""


async def test_every_viewer_sees_what_the_table_says_by_every_way(matrix: Matrix) -> None:
    """S9, S10, O3, R3, R6, R11, U3."""
    wrong = {}
    asked = 0
    for state, cells in EXPECTED.items():
        for viewer, cell in cells.items():
            parts = cell.strip(".")
            for way, seen in (await matrix.seen(state, viewer)).items():
                asked += 1
                if seen != (wanted := expected_by(way, parts)):
                    wrong[state, viewer, way] = f"sees {seen or 'nothing'}, not {wanted or 'nothing'}"
    assert wrong == {}
    assert asked > 1000
