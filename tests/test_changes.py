"""What happened to an institution's shares and results, pulled by its own programs with a cursor (P2)."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.applications import Starlette

from engine import database
from engine.events import START as BEGINNING
from engine.events import Cursor
from models.entry import Entry
from models.institution import Institution
from models.journal import EventKind
from models.result import Result
from models.scope import Scope
from models.share import Share
from models.verifier import VerifierUser
from models.viewer import Kind, Viewer
from resolvers import changes, corrections, journal, mergers, shares, trail, withdrawals
from resolvers.corrections import Facts, Order
from schema.change import ChangeKind
from schema.ids import global_id
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.rows import board
from tests.test_journal import WRITERS, event_ids, viewer_of, writers
from tests.world import World, gid, settled

CHANGES = """query ($after: String, $first: Int! = 100) { changes(after: $after, first: $first) { cursor hasMore
    nodes { cursor kind happenedAt shareId resultId resultVersion
      share { id status candidate { name } result { headline version skillScores { skill score } } } } } }"""


class Office:
    """An institution with a user, and what happens to the results that it is sent."""

    def __init__(self, world: World, clock: ControlledClock, client: Client, user: VerifierUser, token: str) -> None:
        self.world = world
        self.clock = clock
        self.user = user
        self.client = client.as_(token)

    @property
    def viewer(self) -> Viewer:
        """The user, logged in."""
        return self.world.viewer(Kind.VERIFIER, self.user.id, institution_id=self.user.institution_id, is_primary=True)

    async def receive(self, result: Result | None = None, **facts: Any) -> Share:
        """A share that is sent now."""
        institution = await Institution.get(id=self.user.institution_id)
        share_id = await self.world.share(result or await self.world.result(**facts), institution)
        return await Share.get(id=share_id)

    async def withdraw(self, share: Share) -> None:
        """Its candidate takes it back."""
        await withdrawals.withdraw(self.world.viewer(Kind.CANDIDATE, share.candidate_id), share.id)

    async def pull(self, after: str | None = None, first: int = 100) -> Any:
        """What a program is answered."""
        await settled()
        return (await self.client.ask(CHANGES, after=after, first=first))["changes"]


@pytest.fixture
async def office(app: Starlette, client: Client, world: World, clock: ControlledClock) -> Office:
    """An institution that nothing was sent to."""
    user = await world.verifier()
    return Office(world, clock, client, user, await world.token(user))


def kinds(answer: Any) -> list[str]:
    """What happened, in order."""
    return [one["kind"] for one in answer["nodes"]]


# ---- nothing missed, nothing twice, in order


async def pulls_all(viewer: Viewer, chance: random.Random, done: asyncio.Event) -> list[Cursor]:
    """A program that asks for pages of any size, and sometimes dies before it has kept what it was told."""
    seen: list[Cursor] = []
    after: Cursor | None = None
    while True:
        finished = done.is_set()
        found = await changes.page(viewer, after, chance.randint(1, 9))
        assert found is not None
        if chance.random() < 0.8:
            seen += [one.cursor for one in found.changes]
            after = found.cursor
        if finished and not found.changes:
            return seen
        await asyncio.sleep(chance.choice([0, 0.001, 0.01]))


@pytest.mark.parametrize("seed", [1, 2])
async def test_programs_pull_every_committed_event_once_in_the_order_of_the_journal_while_others_write(
    app: Starlette, world: World, clock: ControlledClock, seed: int
) -> None:
    """P2: transactions commit out of order, and some not at all."""
    viewer = await viewer_of(await world.verifier(), world, clock)
    done = asyncio.Event()
    programs = [asyncio.create_task(pulls_all(viewer, random.Random(seed * 7 + number), done)) for number in range(3)]
    written = await writers(viewer, random.Random(seed))
    await settled()
    done.set()
    behind = await event_ids()
    for program in programs:
        assert await program == sorted(behind)
    assert set(behind.values()) == set(written.committed)
    assert len(written.undone) > WRITERS


async def test_an_event_is_not_told_before_older_transactions_have_ended(office: Office) -> None:
    """P2: or the cursor would go past what they write."""
    await office.receive()
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def older() -> None:
        async with database.transaction():
            await database.rows("SELECT pg_current_xact_id()")
            has_begun.set()
            await may_end.wait()
            await journal.write(
                EventKind.SHARE_UNREAD, office.viewer.institution_id or UUID(int=0), share.id, share.result_id,
                office.clock(),
            )  # fmt: skip

    share = await Share.get()
    await settled()
    writing = asyncio.create_task(older())
    try:
        await has_begun.wait()
        await shares.open_share(office.viewer, share.id)
        first = await changes.page(office.viewer, None, 100)
        assert first is not None
        assert [one.kind for one in first.changes] == [EventKind.SHARE_SENT]
        assert not first.has_more
    finally:
        may_end.set()
        await writing
    await settled()
    rest = await changes.page(office.viewer, first.cursor, 100)
    assert rest is not None
    assert [one.kind for one in rest.changes] == [EventKind.SHARE_UNREAD, EventKind.SHARE_READ]


async def test_pages_begin_at_the_beginning_and_the_cursor_behind_an_empty_one_serves_for_ever(office: Office) -> None:
    """P2: both sides of the page's edge."""
    nothing = await office.pull()
    assert nothing == {"nodes": [], "cursor": "0.0", "hasMore": False}
    for _ in range(3):
        await office.receive()
    whole = await office.pull(first=3)
    assert (kinds(whole), whole["hasMore"]) == (["SHARE_SENT"] * 3, False)
    assert await office.pull(nothing["cursor"], first=3) == whole
    begun = await office.pull(first=2)
    assert (begun["nodes"], begun["hasMore"]) == (whole["nodes"][:2], True)
    assert begun["cursor"] == whole["nodes"][1]["cursor"]
    rest = await office.pull(begun["cursor"], first=2)
    assert (rest["nodes"], rest["hasMore"], rest["cursor"]) == (whole["nodes"][2:], False, whole["cursor"])
    end = await office.pull(whole["cursor"])
    assert end == {"nodes": [], "cursor": whole["cursor"], "hasMore": False}
    office.clock.forward(days=7)
    office.client.token = await office.world.token(office.user)
    await office.receive()
    assert kinds(await office.pull(end["cursor"])) == ["SHARE_SENT"]


# ---- what is told of each


async def test_every_kind_of_event_is_told_with_the_share_as_it_is_now(office: Office) -> None:
    """P2, R11, S10: after a correction each shows the version that stands; ids and versions are those of the event."""
    share = await office.receive()
    await shares.open_share(office.viewer, share.id)
    await shares.mark(office.viewer, share.id, is_read=False)
    staff = board(office.world)
    await corrections.amend(staff, Order(share.result_id, 1, "A slip."), Facts(overall_score=185, skill_scores={}))
    await corrections.withhold(staff, Order(share.result_id, 2, "A doubt."))
    await corrections.release_again(staff, Order(share.result_id, 3, "No doubt."))
    answer = await office.pull()
    assert kinds(answer) == [
        "SHARE_SENT", "SHARE_READ", "SHARE_UNREAD", "RESULT_AMENDED", "RESULT_WITHHELD", "RESULT_RELEASED_AGAIN",
    ]  # fmt: skip
    assert [one["resultVersion"] for one in answer["nodes"]] == [1, 1, 1, 2, 3, 4]
    assert {one["shareId"] for one in answer["nodes"]} == {gid(share)}
    assert {one["resultId"] for one in answer["nodes"]} == {str(global_id("Result", share.result_id))}
    assert {one["share"]["result"]["version"] for one in answer["nodes"]} == {4}
    assert {one["share"]["status"] for one in answer["nodes"]} == {"UNREAD"}


def test_the_kinds_of_changes_are_those_of_the_journal() -> None:
    assert {one.name for one in ChangeKind} == {one.name for one in EventKind}


async def expires(office: Office, share: Share) -> None:
    office.clock.forward(seconds=1)
    await Share.filter(id=share.id).update(expires_at=office.clock())
    await shares.tell_expired(office.clock())


async def is_withdrawn(office: Office, share: Share) -> None:
    await office.withdraw(share)


@pytest.mark.parametrize(("end", "kind"), [(is_withdrawn, "SHARE_WITHDRAWN"), (expires, "SHARE_EXPIRED")])
async def test_of_a_share_that_has_ended_only_its_ids_are_told(
    office: Office, end: Callable[[Office, Share], Any], kind: str
) -> None:
    """S9, S10: by the events before its end, too; another share beside it is shown."""
    share, other = await office.receive(), await office.receive()
    await end(office, share)
    sent, beside, ended = (await office.pull())["nodes"]
    assert [sent["kind"], ended["kind"]] == ["SHARE_SENT", kind]
    assert sent["share"] is None
    assert ended["share"] is None
    assert {sent["shareId"], ended["shareId"]} == {gid(share)}
    assert beside["share"]["id"] == gid(other)


async def test_a_holder_without_a_share_is_told_that_a_result_is_revoked(office: Office) -> None:
    """R11: by the id of the result, under which it may have kept it."""
    share = await office.receive()
    await office.pull()
    await office.withdraw(share)
    await corrections.revoke(board(office.world), Order(share.result_id, 1, "A mistake."))
    last = (await office.pull())["nodes"][-1]
    assert (last["kind"], last["share"], last["shareId"], last["resultVersion"]) == ("RESULT_REVOKED", None, None, 2)
    assert last["resultId"] == str(global_id("Result", share.result_id))


# ---- the trail


async def test_what_is_pulled_is_written_down_in_its_version_and_told_to_the_candidate(office: Office) -> None:
    """G1, S11, R11: once per page and in one entry; the puller is a holder of that version from then on."""
    share = await office.receive()
    await office.withdraw(await office.receive())
    assert await trail.holders(share.result_id, 1) == []
    await office.pull()
    [entry] = await database.rows("SELECT * FROM trail WHERE act <> 'CHANGED'")
    assert (entry["act"], entry["viewer_kind"], entry["path"]) == ("PULLED", "verifier", "query changes")
    assert (entry["results"], entry["versions"]) == ([share.result_id], [1])
    assert await trail.holders(share.result_id, 1) == [office.user.institution_id]
    candidate = await (await Entry.get(id=(await Result.get(id=share.result_id)).entry_id)).candidate
    own = office.client.as_(await office.world.token(candidate))
    log = (await own.ask("{ me { accessLog { edges { node { act } } } } }"))["me"]["accessLog"]["edges"]
    assert [one["node"]["act"] for one in log].count("PULLED") == 1


async def test_an_empty_page_leaves_nothing_in_the_trail(office: Office) -> None:
    await office.receive()
    end = await office.pull()
    before = await database.value("SELECT count(*) FROM trail")
    await office.pull(end["cursor"])
    assert await database.value("SELECT count(*) FROM trail") == before


# ---- cost


async def test_a_page_takes_four_statements_for_one_event_and_for_a_thousand_and_an_empty_one_two(
    office: Office, statements: Statements
) -> None:
    """P2: the session; the events; the shares with all that hangs on them; the trail."""
    share = await office.receive()
    whole = (
        "{ changes(first: 1000) { hasMore nodes { kind share { status result { headline } candidate { name } } } } }"
    )
    for more, shown, has_more in ((0, 1, False), (999, 1000, False), (1, 1000, True)):
        await database.rows(
            """INSERT INTO journal (institution_id, kind, share_id, result_id, result_version, happened_at)
               SELECT institution_id, 'SHARE_READ', id, result_id, 1, sent_at FROM share, generate_series(1, :more)
               WHERE share.id = :id""",
            more=more,
            id=share.id,
        )
        await settled()
        with statements.counted():
            answer = (await office.client.ask(whole))["changes"]
        assert (len(answer["nodes"]), answer["hasMore"]) == (shown, has_more)
        assert answer["nodes"][-1]["share"]["result"]["headline"]
        assert len(statements) == 4, statements.sent
    end = journal.cursor_text(max(await event_ids()))
    with statements.counted():
        await office.client.ask(CHANGES, after=end)
    assert len(statements) == 2, statements.sent


# ---- who may


@pytest.mark.parametrize("first", [0, -1, 1001])
async def test_a_page_of_no_or_too_many_events_is_refused(office: Office, first: int) -> None:
    """P2: 1 and 1000 are asked for above."""
    errors = await office.client.errors(f"{{ changes(first: {first}) {{ cursor }} }}")
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


async def test_a_cursor_that_we_did_not_make_is_refused(office: Office) -> None:
    errors = await office.client.errors('{ changes(after: "yesterday") { cursor } }')
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


async def test_nobody_but_the_institution_is_told(office: Office, clock: ControlledClock) -> None:
    """U3, O3: not another institution, its candidate, staff, a stranger, or its own users once it is suspended."""
    share = await office.receive()
    await settled()
    world = office.world
    candidate = await (await Entry.get(id=(await Result.get(id=share.result_id)).entry_id)).candidate
    others = [None, await world.token(candidate), await world.token(await world.staff())]
    for token in others:
        assert (await office.client.as_(token).ask(CHANGES))["changes"] is None
    elsewhere = office.client.as_(await world.token(await world.verifier()))
    assert (await elsewhere.ask(CHANGES))["changes"]["nodes"] == []
    assert kinds(await office.pull()) == ["SHARE_SENT"]
    await world.suspend(await Institution.get(id=office.user.institution_id))
    clock.forward(seconds=1)
    assert (await office.client.ask(CHANGES))["changes"] is None


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_pulls_only_with_the_scope_to_read_shares(office: Office, scope: Scope) -> None:
    """P1"""
    await office.receive()
    await settled()
    key = office.world.viewer(
        Kind.KEY, UUID(int=3), institution_id=office.user.institution_id, scopes=frozenset({scope})
    )
    found = await changes.page(key, None, 100)
    assert (found is not None) is (scope is Scope.READ_SHARES)


# ---- merged accounts


async def test_the_kept_account_is_told_of_the_events_of_the_one_that_went_up_in_it(
    office: Office, client: Client
) -> None:
    """O4, P2: with the cursor of either, nothing that was not told yet is missed, and shares that came are SENT."""
    user = await office.world.verifier()
    gone = Office(office.world, office.clock, client, user, await office.world.token(user))
    kept, came, left = await office.receive(), await gone.receive(), await gone.receive()
    office_has, gone_has = (await office.pull())["cursor"], (await gone.pull())["cursor"]
    await gone.withdraw(left)
    staff = board(office.world)
    await mergers.merge(staff, user.institution_id, office.user.institution_id, "The same.")
    ids = {gid(kept): "kept", gid(came): "came", gid(left): "left"}

    async def told(after: str | None) -> list[tuple[str, str, bool]]:
        nodes = (await office.pull(after))["nodes"]
        return [(one["kind"], ids[one["shareId"]], one["share"] is not None) for one in nodes]

    rest = [("SHARE_WITHDRAWN", "left", False), ("SHARE_SENT", "came", True)]
    assert await told(gone_has) == rest
    assert [one for one in await told(office_has) if one[1] != "left"][-1:] == rest[1:]
    assert {one[1] for one in await told(None)} == {"kept", "came", "left"}
    office.clock.forward(seconds=timedelta(seconds=1).total_seconds())
    assert (await client.as_(gone.client.token).ask(CHANGES))["changes"] is None


async def test_the_beginning_is_a_cursor_too(office: Office) -> None:
    await office.receive()
    assert await office.pull(journal.cursor_text(BEGINNING)) == await office.pull()
