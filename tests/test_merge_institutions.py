"""Merging two accounts of one institution: nothing is lost, shown twice, or seen by the wrong ones (O4, U1, U3, S4)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.institution import Institution, InstitutionStatus
from models.join_request import JoinRequest, JoinRequestStatus
from models.journal import EventKind, JournalEvent
from models.result import Result
from models.session import Session
from models.share import Share
from models.template import DownloadFormat, DownloadTemplate
from models.verifier import VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import mergers, trail
from tests.client import Client
from tests.conftest import START, ControlledClock, Statements
from tests.dashboards import live_cursor
from tests.dying import deaths_at_each_statement
from tests.events import events
from tests.locks import holding, queued
from tests.world import World, gid

MERGED = """... on InstitutionsMerged { institution { id shownAs aliases } sharesMoved sharesHeldBefore usersMoved }
    ... on InvalidInput { problems { path message } }"""
INBOX = """{ inbox(first: 50) { totalCount unreadCount edges { node { id status openedAt result { statementNumber }
    institution { shownAs } consent { institutionName } } } } }"""
SHARED = """{ me { shares(first: 50) { edges { node { id status openedAt institution { id shownAs }
    consent { institutionName } } } } } }"""


@dataclass
class Two:
    """Two accounts of one institution, each with its Primary User."""

    world: World
    client: Client
    board: Client
    kept: Institution
    duplicate: Institution
    kept_user: VerifierUser
    other_user: VerifierUser

    async def merge(self, **facts: Any) -> Any:
        """The answer to merging the duplicate into the kept one."""
        wanted = {"duplicateId": gid(self.duplicate), "intoId": gid(self.kept), "reason": "The same faculty."}
        return await self.board.order("mergeInstitutions", MERGED, **wanted | facts)

    async def inbox(self, user: VerifierUser) -> Any:
        """What a user sees after logging in."""
        return (await self.client.as_(await self.world.token(user)).ask(INBOX))["inbox"]

    async def shared_by(self, result: Result) -> list[Any]:
        """What the candidate sees of whom the result was sent to."""
        own = self.client.as_(await self.world.token(await (await result.entry).candidate))
        return [edge["node"] for edge in (await own.ask(SHARED))["me"]["shares"]["edges"]]

    async def share(self, result: Result, institution: Institution, **facts: Any) -> Share:
        """A share in some state."""
        share_id = await self.world.share(result, institution)
        await Share.filter(id=share_id).update(**facts)
        return await Share.get(id=share_id)


@pytest.fixture
async def two(app: Starlette, client: Client, world: World) -> Two:
    """Two accounts."""
    kept = await world.institution("Suzume University", aliases=["雀大学"])
    duplicate = await world.institution("Suzume Univ.", aliases=["すずめ大学"])
    users = [await world.verifier(one, is_primary=True) for one in (kept, duplicate)]
    return Two(world, client, client.as_(await world.token(await world.staff())), kept, duplicate, *users)


async def told(institution: Institution, kind: EventKind = EventKind.SHARE_SENT) -> list[Any]:
    """The shares that an institution's journal tells of, in order."""
    return [one.share_id for one in await JournalEvent.filter(institution_id=institution.id, kind=kind).order_by("id")]


# ---- shares


async def test_all_shares_are_the_kept_accounts(two: Two) -> None:
    """O4, S6: live ones, with their opening and the name that was agreed to."""
    result = await two.world.result()
    share = await two.share(result, two.duplicate, is_read=True, opened_at=START)
    other = await two.share(await two.world.result(), two.duplicate)
    answer = await two.merge()
    assert (answer["sharesMoved"], answer["sharesHeldBefore"], answer["usersMoved"]) == (2, 0, 1)
    seen = await two.inbox(two.kept_user)
    assert {edge["node"]["id"]: edge["node"]["status"] for edge in seen["edges"]} == {
        gid(share): "READ",
        gid(other): "UNREAD",
    }
    [shown] = await two.shared_by(result)
    assert (shown["id"], shown["openedAt"]) == (gid(share), "2026-11-22T09:00:00+00:00")
    assert shown["institution"] == {"id": gid(two.kept), "shownAs": "Suzume University"}
    assert shown["consent"] == {"institutionName": "Suzume Univ."}


async def test_shares_that_came_are_told_as_sent_in_their_order(
    two: Two, app: Starlette, clock: ControlledClock
) -> None:
    """N6: to dashboards that are open, once each; the kept account's own are not told again."""
    await two.share(await two.world.result(), two.kept)
    shares = []
    for _ in range(3):
        clock.forward(seconds=1)
        shares.append(await two.share(await two.world.result(), two.duplicate))
    own = await told(two.kept)
    token = await two.world.token(two.kept_user)
    after = await live_cursor(two.client.as_(token))
    stream = "subscription ($after: String) { newShares(after: $after) { share { id } } }"
    async with events(app, stream, {"after": after}, token) as open_stream:
        await two.merge()
        live = [await open_stream.next() for _ in shares]
    assert [one["data"]["newShares"]["share"]["id"] for one in live if one] == [gid(share) for share in shares]
    assert await told(two.kept) == [*own, *(share.id for share in shares)]


async def test_shares_that_had_ended_come_too_and_are_not_told(two: Two) -> None:
    """O4, S10: the candidate still sees them, as they ended; the institution hears nothing new."""
    result = await two.world.result()
    await two.share(result, two.duplicate, withdrawn_at=START)
    await two.share(result, two.duplicate, expires_at=START, expiry_told_at=START)
    assert (await two.merge())["sharesMoved"] == 2
    assert await told(two.kept) == []
    assert {one["status"] for one in await two.shared_by(result)} == {"WITHDRAWN", "EXPIRED"}
    assert {one["institution"]["id"] for one in await two.shared_by(result)} == {gid(two.kept)}
    assert (await two.inbox(two.kept_user))["totalCount"] == 0


async def test_one_whose_day_has_come_is_told_where_it_was(two: Two) -> None:
    """S9: it is over, and leaves room for the other one."""
    result = await two.world.result()
    over = await two.share(result, two.duplicate, expires_at=START)
    await two.share(result, two.kept)
    assert (await two.merge())["sharesHeldBefore"] == 0
    assert await told(two.duplicate, EventKind.SHARE_EXPIRED) == [over.id]
    assert len(await two.shared_by(result)) == 2


def read(hours: int) -> dict[str, Any]:
    """A share that was opened so many hours later, and is read."""
    return {"is_read": True, "opened_at": START + timedelta(hours=hours)}


def unread(hours: int) -> dict[str, Any]:
    """One that was opened then, and marked unread again."""
    return read(hours) | {"is_read": False}


@pytest.mark.parametrize(
    ("kept", "double", "status", "hours"),
    [
        ({}, {}, "UNREAD", None),
        (read(2), {}, "READ", 2),
        ({}, read(1), "READ", 1),
        (read(2), read(1), "READ", 1),
        (read(1), read(2), "READ", 1),
        (unread(1), unread(2), "UNREAD", 1),
    ],
)
async def test_where_both_hold_a_result_one_share_stays_with_the_earlier_opening(
    two: Two, kept: dict[str, Any], double: dict[str, Any], status: str, hours: int | None
) -> None:
    """S4, S6: nothing is shown twice, and the other one is kept as history."""
    result = await two.world.result()
    stays = await two.share(result, two.kept, **kept)
    goes = await two.share(result, two.duplicate, **double)
    answer = await two.merge()
    assert (answer["sharesMoved"], answer["sharesHeldBefore"]) == (0, 1)
    [shown] = await two.shared_by(result)
    assert (shown["id"], shown["status"]) == (gid(stays), status)
    assert shown["openedAt"] == ((START + timedelta(hours=hours)).isoformat() if hours else None)
    seen = await two.inbox(two.kept_user)
    assert ([edge["node"]["id"] for edge in seen["edges"]], seen["unreadCount"]) == (
        [gid(stays)],
        int(status == "UNREAD"),
    )
    history = await Share.get(id=goes.id)
    assert (history.institution_id, history.merged_into_id) == (two.duplicate.id, stays.id)
    assert await told(two.kept) == [stays.id]
    becomes_read = [stays.id] if double.get("is_read") and not kept.get("is_read") else []
    assert await told(two.kept, EventKind.SHARE_READ) == becomes_read


async def test_an_opening_before_the_kept_share_was_sent_counts_from_its_sending(
    two: Two, clock: ControlledClock
) -> None:
    """S6: no share is opened before it is sent."""
    result = await two.world.result()
    await two.share(result, two.duplicate, is_read=True, opened_at=START)
    clock.forward(minutes=5)
    await two.share(result, two.kept)
    await two.merge()
    assert [one["openedAt"] for one in await two.shared_by(result)] == ["2026-11-22T09:05:00+00:00"]


async def test_the_history_of_a_double_is_seen_by_no_path_and_never_ends_twice(two: Two) -> None:
    """S6, S10: withdrawing what stands is one withdrawal."""
    result = await two.world.result()
    stays = await two.share(result, two.kept)
    goes = await two.share(result, two.duplicate)
    await two.merge()
    own = two.client.as_(await two.world.token(await (await result.entry).candidate))
    query = "query ($id: ID!) { share(id: $id) { id } }"
    assert (await own.ask(query, id=gid(goes)))["share"] is None
    assert (await own.order("withdrawShare", "", shareId=gid(goes)))["__typename"] == "ShareNotFound"
    assert (await own.order("withdrawShare", "", shareId=gid(stays)))["__typename"] == "ShareWithdrawn"
    assert await told(two.duplicate, EventKind.SHARE_WITHDRAWN) == []
    assert await told(two.kept, EventKind.SHARE_WITHDRAWN) == [stays.id]


async def test_a_result_can_be_sent_to_the_kept_account_once(two: Two) -> None:
    """S4: what came is the share that is there; the duplicate is found no more."""
    result = await two.world.result()
    share = await two.share(result, two.duplicate)
    await two.merge()
    assert await two.world.share(result, two.kept) == share.id
    search = await two.client.ask('{ institutions(search: "suzume") { id } }')
    assert search["institutions"] == [{"id": gid(two.kept)}]


async def test_a_duplicate_of_a_duplicate_leads_to_the_last_one(two: Two) -> None:
    """O4: shares, history and names."""
    result = await two.world.result()
    first = await two.world.institution("Suzume Daigaku")
    shares = [await two.share(result, one) for one in (first, two.duplicate, two.kept)]
    await two.merge(duplicateId=gid(first), intoId=gid(two.duplicate))
    await two.merge()
    assert (await Institution.get(id=first.id)).merged_into_id == two.kept.id
    assert [(await Share.get(id=one.id)).merged_into_id for one in shares] == [shares[2].id, shares[2].id, None]
    assert [one["id"] for one in await two.shared_by(result)] == [gid(shares[2])]


async def test_the_trail_tells_the_candidate_and_names_the_reason(two: Two, clock: ControlledClock) -> None:
    """G1, S11"""
    result = await two.world.result()
    await two.share(result, two.duplicate)
    clock.forward(seconds=1)
    await two.merge()
    own = two.client.as_(await two.world.token(await (await result.entry).candidate))
    query = "{ me { accessLog(first: 1) { edges { node { act purpose result { id } } } } } }"
    [edge] = (await own.ask(query))["me"]["accessLog"]["edges"]
    assert edge["node"] == {"act": "CHANGED", "purpose": "The same faculty.", "result": {"id": gid(result)}}


async def test_who_read_at_the_duplicate_is_a_holder_at_the_kept_account(two: Two) -> None:
    """R11: a correction is told where its readers are now."""
    result = await two.world.result()
    share = await two.share(result, two.duplicate)
    own = two.client.as_(await two.world.token(two.other_user))
    await own.order("openShare", "", shareId=gid(share))
    assert await trail.holders(result.id, 1) == [two.duplicate.id]
    await two.merge()
    assert await trail.holders(result.id, 1) == [two.kept.id]


# ---- users


async def test_users_move_are_logged_out_and_the_primary_stays_one(two: Two) -> None:
    """U1, U3"""
    await two.world.verifier(two.duplicate)
    gone = await two.world.verifier(two.duplicate, status=VerifierStatus.REMOVED)
    before = two.client.as_(await two.world.token(two.other_user))
    assert (await two.merge())["usersMoved"] == 2
    assert (await before.ask(INBOX))["inbox"] is None
    assert await Session.filter(verifier_id=two.other_user.id, ended_at=None).count() == 0
    users = await VerifierUser.filter(institution_id=two.kept.id)
    assert len(users) == 4
    assert [user.id for user in users if user.is_primary] == [two.kept_user.id]
    assert (await VerifierUser.get(id=gone.id)).institution_id == two.kept.id
    assert (await two.inbox(two.other_user))["totalCount"] == 0


async def test_the_duplicates_primary_stays_one_where_the_kept_account_has_none(two: Two) -> None:
    """U1: whoever else is active there."""
    empty = await two.world.institution("Suzume College")
    await two.world.verifier(empty, status=VerifierStatus.INVITED)
    await two.merge(intoId=gid(empty))
    assert (await VerifierUser.get(is_primary=True, institution_id=empty.id)).id == two.other_user.id


async def test_an_open_stream_of_a_user_who_moved_ends(two: Two, app: Starlette) -> None:
    """U3: and tells nothing of the kept account before."""
    query = "subscription { newShares { share { id } } }"
    async with events(app, query, {}, await two.world.token(two.other_user)) as stream:
        await two.merge()
        await two.share(await two.world.result(), two.kept)
        last = await stream.next()
        assert last is not None
        assert [error["extensions"]["code"] for error in last["errors"]] == ["UNAUTHENTICATED"]


# ---- all the rest


async def test_names_of_the_duplicate_become_aliases(two: Two) -> None:
    """S1: nobody who looks for it finds nothing."""
    answer = await two.merge()
    assert answer["institution"]["aliases"] == ["雀大学", "Suzume Univ.", "すずめ大学"]
    for name in ("suzume univ.", "すずめ", "雀"):
        found = await two.client.ask("query ($s: String!) { institutions(search: $s) { id } }", s=name)
        assert found["institutions"] == [{"id": gid(two.kept)}]


async def test_departments_templates_and_requests_to_join_move(two: Two) -> None:
    """O4, O5: of two requests of one person one is left."""
    department = await two.world.institution("Suzume Law", parent_id=two.duplicate.id)
    facts: dict[str, Any] = {"format": DownloadFormat.CSV, "columns": [], "created_at": START}
    for institution in (two.kept, two.duplicate):
        await DownloadTemplate.create(name="All", institution_id=institution.id, **facts)
    asked: dict[str, Any] = {"name": "A B", "status": JoinRequestStatus.ASKED, "asked_at": START}
    for institution, email in (
        (two.kept, "a@b.example"),
        (two.duplicate, "A@b.example"),
        (two.duplicate, "c@b.example"),
    ):
        await JoinRequest.create(institution_id=institution.id, email=email, **asked)
    await two.merge()
    assert (await Institution.get(id=department.id)).parent_id == two.kept.id
    names = [one.name for one in await DownloadTemplate.filter(institution_id=two.kept.id).order_by("id")]
    assert names[0] == "All"
    assert names[1].startswith("All ")
    open_ones = await JoinRequest.filter(status=JoinRequestStatus.ASKED)
    assert {(one.institution_id, one.email) for one in open_ones} == {
        (two.kept.id, "a@b.example"), (two.kept.id, "c@b.example")
    }  # fmt: skip


async def test_an_account_can_go_up_in_its_own_department(two: Two) -> None:
    """O4: which is no department any more."""
    await Institution.filter(id=two.kept.id).update(parent_id=two.duplicate.id)
    assert (await two.merge())["__typename"] == "InstitutionsMerged"
    assert (await Institution.get(id=two.kept.id)).parent_id is None


# ---- who may, and what cannot be


@pytest.mark.parametrize("who", ["stranger", "candidate", "verifier", "centre"])
async def test_only_the_boards_staff_merge(two: Two, who: str) -> None:
    world = two.world
    owners: dict[str, Any] = {
        "candidate": await world.candidate(),
        "verifier": two.kept_user,
        "centre": await world.staff(centre=await world.centre()),
    }
    two.board = two.client.as_(await world.token(owners[who]) if who in owners else None)
    assert (await two.merge())["__typename"] == ("NotLoggedIn" if who == "stranger" else "NotAllowed")
    assert (await Institution.get(id=two.duplicate.id)).status is InstitutionStatus.APPROVED


async def test_what_cannot_be_merged_is_refused(two: Two) -> None:
    """O3: the users of a suspended account must not come in by another one's door."""
    same = await two.merge(intoId=gid(two.duplicate))
    assert [one["path"] for one in same["problems"]] == ["intoId"]
    assert [one["path"] for one in (await two.merge(reason=" "))["problems"]] == ["reason"]
    assert (await two.merge(intoId="x"))["__typename"] == "InstitutionNotFound"
    applied = await two.world.institution(status=InstitutionStatus.EMAIL_CONFIRMED, approved_at=None)
    assert (await two.merge(intoId=gid(applied)))["__typename"] == "InstitutionNotFound"
    await two.world.suspend(two.duplicate)
    assert (await two.merge())["__typename"] == "InstitutionNotFound"


async def test_merging_again_changes_nothing(two: Two) -> None:
    """Whoever doubts whether it was done asks again."""
    await two.share(await two.world.result(), two.duplicate)
    first = await two.merge()
    again = await two.merge()
    assert again["institution"] == first["institution"]
    assert (again["sharesMoved"], len(await told(two.kept))) == (0, 1)
    elsewhere = await two.merge(intoId=gid(await two.world.institution()))
    assert elsewhere["__typename"] == "InstitutionNotFound"


# ---- at the same moment


async def test_what_is_sent_meanwhile_was_sent_before_or_finds_no_institution(two: Two, database_url: str) -> None:
    """S4: one that has begun holds the duplicate, and moves; one that comes later is refused."""
    result, later = await two.world.result(), await two.world.result()
    sent = f"SELECT 1 FROM institution WHERE id = '{two.duplicate.id}' FOR SHARE"
    async with holding(database_url, sent):
        merging = asyncio.ensure_future(two.merge())
        await queued(1)
        share = await two.world.share(result, two.duplicate)
    assert (await merging)["sharesMoved"] == 1
    assert (await Share.get(id=share)).institution_id == two.kept.id
    assert await send(two, later) == "InstitutionNotFound"


async def test_what_waits_for_the_merging_finds_no_institution(two: Two, database_url: str) -> None:
    """S4: nobody sends to an account that is not there any more."""
    result = await two.world.result()
    held = await two.share(await two.world.result(), two.duplicate)
    async with holding(database_url, f"SELECT 1 FROM share WHERE id = '{held.id}' FOR UPDATE"):
        merging = asyncio.ensure_future(two.merge())
        await queued(1)
        sending = asyncio.ensure_future(send(two, result))
        await queued(2)
    assert (await merging)["__typename"] == "InstitutionsMerged"
    assert await sending == "InstitutionNotFound"
    assert await Share.filter(institution_id=two.duplicate.id).count() == 0


async def send(two: Two, result: Result) -> str:
    """What becomes of sending a result to the duplicate."""
    own = two.client.as_(await two.world.token(await (await result.entry).candidate))
    shown = {"resultId": gid(result), "institutionId": gid(two.duplicate), "consentVersion": "2026-11-22"}
    answer: str = (await own.order("sendResult", "", **shown))["__typename"]
    return answer


async def test_what_is_withdrawn_or_opened_meanwhile_is_told_where_it_is(two: Two, database_url: str) -> None:
    """S10: the event goes to the account that holds the share by then."""
    result = await two.world.result()
    share = await two.share(result, two.duplicate)
    own = two.client.as_(await two.world.token(await (await result.entry).candidate))
    async with holding(database_url, f"SELECT 1 FROM share WHERE id = '{share.id}' FOR UPDATE"):
        merging = asyncio.ensure_future(two.merge())
        await queued(1)
        withdrawing = asyncio.ensure_future(own.order("withdrawShare", "", shareId=gid(share)))
        await queued(2)
    assert (await merging)["sharesMoved"] == 1
    assert (await withdrawing)["__typename"] == "ShareWithdrawn"
    assert await told(two.kept, EventKind.SHARE_WITHDRAWN) == [share.id]


async def test_two_who_merge_at_once_merge_once(two: Two) -> None:
    """And each into the other, only one of them."""
    await two.share(await two.world.result(), two.duplicate)
    answers = await asyncio.gather(*(two.merge() for _ in range(3)))
    assert sorted(one["sharesMoved"] for one in answers) == [0, 0, 1]
    one, other = [await two.world.institution() for _ in range(2)]
    crossed = [{"duplicateId": gid(a), "intoId": gid(b)} for a, b in ((one, other), (other, one))]
    both = await asyncio.gather(*(two.merge(**facts) for facts in crossed))
    assert sorted(answer["__typename"] for answer in both) == ["InstitutionNotFound", "InstitutionsMerged"]


TABLES = ["institution", "institution_name", "share", "journal", "verifier_user", "session", "trail", "join_request",
          "download_template"]  # fmt: skip


async def test_a_process_that_dies_while_merging_leaves_everything_as_it_was(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O4: whichever statement is its last."""
    double = await two.world.result()
    for institution in (two.kept, two.duplicate):
        await two.share(double, institution)
    await two.share(await two.world.result(), two.duplicate)
    viewer = two.world.viewer(Kind.STAFF, (await two.world.staff()).id, is_board=True)
    merge = partial(mergers.merge, viewer, two.duplicate.id, two.kept.id, "The same.")
    assert await deaths_at_each_statement(monkeypatch, merge, TABLES) > 10


async def test_many_shares_cost_no_more_statements_than_few(two: Two, statements: Statements) -> None:
    """However many there are, beside an entry of the trail for each 500."""
    counts = []
    for number in (1, 12):
        duplicate = await two.world.institution()
        for _ in range(number):
            await two.share(await two.world.result(), duplicate)
        with statements.counted():
            assert (await two.merge(duplicateId=gid(duplicate)))["sharesMoved"] == number
        counts.append(len(statements))
    assert counts[1] - counts[0] <= 1  # one more alias
    assert await database.value("SELECT count(*) FROM trail WHERE viewer_kind = 'staff' AND act = 'CHANGED'") == 2
