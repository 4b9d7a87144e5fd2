"""The trail: nobody but the candidate is shown a candidate's data without leaving an entry first (G1)."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from graphql import GraphQLUnionType, get_named_type, is_leaf_type
from starlette.applications import Starlette
from tortoise.models import Model

from engine import database
from engine.database import ROOMS, Row
from engine.together import WRITERS
from models.candidate import Candidate
from models.result import Result
from models.share import Share
from models.trail import BOARD_CHAIN, TrailAct
from models.viewer import Kind
from models.visit import About
from resolvers import trail
from schema.extensions import AWAY
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.door import standing
from tests.events import events
from tests.printed import fields_of, implements, members_of, printed
from tests.scene import WAYS, Asker, Said, scene_of, told_by
from tests.selecting import given
from tests.served import until
from tests.world import PASSWORD, World, gid

INBOX = "{ inbox { edges { node { id result { id headline } candidate { id name } } } } }"
OPEN = """mutation ($input: OpenShareInput!) { openShare(input: $input) {
    __typename ... on ShareOpened { share { status result { headline } } } } }"""
NEW_SHARES = "subscription { newShares { share { id result { headline } } } }"
FROM_NOW = "subscription { newShares { share { result { headline } } } }"
LATER = 'subscription { newShares(after: "0.0") { share { result { headline } } } }'


async def entries(after: int = 0) -> list[Row]:
    """What others than candidates left in the trail behind an id, in order; whoever sends a result leaves an entry."""
    others = "SELECT * FROM trail WHERE id > :after AND viewer_kind <> 'candidate' ORDER BY id"
    return await database.rows(others, after=after)


async def last_id() -> int:
    last: int = await database.value("SELECT coalesce(max(id), 0) FROM trail")
    return last


async def candidate_of(result: Result) -> Candidate:
    return await (await result.entry).candidate


@dataclass(slots=True)
class Office:
    """An institution with a verifier who is logged in."""

    institution: Any
    user: Any
    client: Client


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    institution = await world.institution()
    user = await world.verifier(institution)
    return Office(institution, user, client.as_(await world.token(user)))


# ---- what an entry says


async def test_a_page_of_the_inbox_leaves_one_entry_with_everybody_on_it(
    office: Office, world: World, clock: ControlledClock
) -> None:
    """Who, what, when, from where, on which path; each version of each result once."""
    shown = [await world.result(version=number) for number in (1, 2, 3)]
    for result in shown:
        await world.share(result, office.institution)
    await world.share(await world.result(), await world.institution())
    answer = await office.client.post(INBOX)
    (entry,) = await entries()
    assert (entry["act"], entry["at"], entry["path"]) == ("READ", clock(), "query inbox")
    assert (entry["viewer_kind"], entry["viewer_id"], entry["address"]) == ("verifier", office.user.id, "127.0.0.1")
    assert entry["institution_id"] == entry["chain"] == office.institution.id
    assert entry["request_id"] == answer.headers["X-Request-Id"]
    pairs = list(zip(entry["results"], entry["versions"], strict=True))
    assert sorted(pairs) == sorted((result.id, result.version) for result in shown)
    assert sorted(entry["candidates"]) == sorted([(await candidate_of(result)).id for result in shown])


async def test_what_is_asked_ten_times_in_one_request_stands_there_once(office: Office, world: World) -> None:
    result = await world.result()
    await world.share(result, office.institution)
    fields = " ".join(f"a{number}: result(id: $id) {{ candidate {{ results {{ id }} }} }}" for number in range(9))
    query = f"query Name ($id: ID!) {{ {fields} ... F }} fragment F on Query {{ me {{ id }} }}"
    await office.client.ask(query, id=gid(result))
    (entry,) = await entries()
    assert (entry["results"], entry["path"]) == ([result.id], "query result, me")
    assert entry["candidates"] == [(await candidate_of(result)).id]


async def test_pages_of_one_request_leave_each_result_once(office: Office, world: World) -> None:
    """The statement that reads a page writes its entry; what else the request shows is told beside it, and no more."""
    shown = [await world.result() for _ in range(4)]
    for result in shown:
        await world.share(result, office.institution)
    node = "{ edges { node { result { headline } } } }"
    query = f"""query ($old: ID!, $new: ID!) {{ a: inbox(first: 2) {node} b: inbox(first: 3) {node}
        c: inbox(first: 2) {node} old: result(id: $old) {{ id }} new: result(id: $new) {{ id }} }}"""
    await office.client.ask(query, old=gid(shown[0]), new=gid(shown[3]))
    page, *others = [entry["results"] for entry in await entries()]
    told = [one for some in others for one in some]
    assert sorted([*page, *told]) == sorted(result.id for result in shown)
    assert len(others) == 1


async def test_a_page_tells_of_nobody_behind_its_end(office: Office, world: World) -> None:
    """One more row is read than is shown, to know whether there are more."""
    for _ in range(4):
        await world.share(await world.result(), office.institution)
    shown, after = [], None
    for first, expected in ((1, 1), (2, 2), (2, 1)):
        last = await last_id()
        query = "query ($first: Int!, $after: String) { inbox(first: $first, after: $after) { %s } }"
        inside = "edges { node { result { id } } } pageInfo { endCursor }"
        answer = (await office.client.ask(query % inside, first=first, after=after))["inbox"]
        after = answer["pageInfo"]["endCursor"]
        (entry,) = await entries(last)
        told = [gid(await Result.get(id=id)) for id in entry["results"]]
        assert sorted(told) == sorted(edge["node"]["result"]["id"] for edge in answer["edges"])
        assert len(told) == len(entry["candidates"]) == expected
        shown += told
    assert len(set(shown)) == 4


async def test_candidates_leave_no_trail_with_their_own_data(client: Client, world: World) -> None:
    result = await world.result()
    await world.share(result, await world.institution())
    own = client.as_(await world.token(await candidate_of(result)))
    query = "{ me { email entries { idNumber } results { headline shares { edges { node { id } } } } } }"
    assert (await own.ask(query))["me"]["results"]
    assert await entries() == []


async def test_nothing_shown_leaves_no_trail(office: Office, world: World) -> None:
    """An empty inbox, somebody else's result, and a refusal."""
    result = await world.result()
    share = await world.share(result, await world.institution())
    assert (await office.client.ask(INBOX))["inbox"]["edges"] == []
    assert (await office.client.ask("query ($id: ID!) { result(id: $id) { id } }", id=gid(result)))["result"] is None
    refused = await office.client.ask(OPEN, input={"shareId": gid(await Share.get(id=share))})
    assert refused["openShare"]["__typename"] == "ShareNotFound"
    assert await entries() == []


@pytest.mark.parametrize("kind", ["staff", "centre"])
async def test_staff_leave_their_trail_in_the_chain_of_the_board(client: Client, world: World, kind: str) -> None:
    result = await world.result()
    user = await world.staff(centre=await world.centre() if kind == "centre" else None)
    staff = client.as_(await world.token(user))
    await staff.ask("query ($id: ID!) { node(id: $id) { ... on Entry { idNumber } } }", id=gid(await result.entry))
    (entry,) = await entries()
    assert (entry["chain"], entry["viewer_kind"], entry["viewer_id"]) == (BOARD_CHAIN, kind, user.id)
    assert (entry["candidates"], entry["results"]) == ([(await candidate_of(result)).id], [])


async def test_opening_a_share_is_told_as_that_and_not_as_a_read_besides(office: Office, world: World) -> None:
    result = await world.result(version=4)
    share = await Share.get(id=await world.share(result, office.institution))
    await office.client.ask(OPEN, input={"shareId": gid(share)})
    (entry,) = await entries()
    assert (entry["act"], entry["results"], entry["versions"]) == ("OPENED", [result.id], [4])
    assert (entry["candidates"], entry["path"]) == ([share.candidate_id], "mutation openShare")


async def test_what_else_an_opened_share_leads_to_is_told_beside_it(office: Office, world: World) -> None:
    candidate = await world.candidate()
    results = [await world.result(await world.entry(candidate)) for _ in range(2)]
    shares = [await Share.get(id=await world.share(result, office.institution)) for result in results]
    query = OPEN.replace("headline", "candidate { results { headline } }")
    await office.client.ask(query, input={"shareId": gid(shares[0])})
    assert [(entry["act"], entry["results"], entry["candidates"]) for entry in await entries()] == [
        ("OPENED", [results[0].id], [candidate.id]),
        ("READ", [results[1].id], [candidate.id]),
    ]


async def test_an_opening_that_is_undone_leaves_nothing(office: Office, world: World) -> None:
    """The entry is part of the change."""
    share = await Share.get(id=await world.share(await world.result(), office.institution))
    async with broken_trail():
        await office.client.post(OPEN, input={"shareId": gid(share)})
    assert not (await Share.get(id=share.id)).is_read
    assert await entries() == []


async def test_what_was_read_before_logging_out_in_one_operation_is_told(office: Office, world: World) -> None:
    """Whoever is asking may change half-way: what each of them was shown is theirs."""
    share = await Share.get(id=await world.share(await world.result(), office.institution))
    candidate = await candidate_of(await share.result)
    other = await world.result(await world.entry(candidate))
    await world.share(other, office.institution)
    query = """mutation ($mark: MarkShareInput!) {
        markShare(input: $mark) { ... on ShareMarked { share { candidate { results { headline } } } } }
        logOut(input: {}) { ... on LoggedOut { sessionsEnded } } }"""
    answer = await office.client.ask(query, mark={"shareId": gid(share), "isRead": False})
    assert answer["logOut"] == {"sessionsEnded": 1}
    told = [(entry["viewer_id"], entry["results"], entry["path"]) for entry in await entries()]
    path = "mutation markShare, logOut"
    assert told == [(office.user.id, [share.result_id], path), (office.user.id, [other.id], path)]


async def test_mail_that_staff_send_again_leaves_a_change(client: Client, world: World) -> None:
    candidate, user = await world.candidate(), await world.staff()
    letters = [await world.letter(candidate), await world.letter(await world.verifier())]
    staff = client.as_(await world.token(user))
    query = "mutation ($input: ResendMailInput!) { resendMail(input: $input) { ... on MailResent { resent } } }"
    assert (await staff.ask(query, input={"ids": [gid(one) for one in letters]}))["resendMail"] == {"resent": 2}
    (entry,) = await entries()
    assert (entry["act"], entry["viewer_id"], entry["candidates"]) == ("CHANGED", user.id, [candidate.id])


async def test_no_score_name_or_secret_stands_in_the_trail(app: Starlette, client: Client, world: World) -> None:
    """After every way in, by a verifier and by staff, with names that the client chose."""
    scene = await scene_of(world)
    for name in ("home user", "staff"):
        for way in WAYS:
            await told_by(way, scene, app, client, Asker(scene.tokens[name], frozenset({"logInVerifier"})))
    await client.as_(scene.tokens["staff"]).ask(
        "query Hiddenfamily ($id: ID!) { Hiddengiven: node(id: $id) { id } }", id=gid(scene.rows["candidate"])
    )
    written = "\n".join(str(dict(entry)) for entry in await entries())
    assert "node" in written
    keys = {str(row.pk) for row in scene.rows.values()}
    texts = {text for some in scene.texts.values() for text in some if isinstance(text, str)} - keys
    assert {text for text in texts | {PASSWORD, *scene.tokens.values()} if text in written} == set()


# ---- that it is written first


@asynccontextmanager
async def broken_trail() -> AsyncIterator[None]:
    """Nothing that others than candidates are shown can be written to the trail inside the block."""
    await database.rows("ALTER TABLE trail ADD CONSTRAINT broken CHECK (viewer_kind = 'candidate') NOT VALID")
    try:
        yield
    finally:
        await database.rows("ALTER TABLE trail DROP CONSTRAINT broken")


async def has_failed(logged: io.StringIO, times: int) -> None:
    """Wait until so many entries could not be written."""
    await until(lambda: logged.getvalue().count("trail.not_written") >= times)


async def test_no_data_leaves_when_the_trail_cannot_be_written(office: Office, world: World) -> None:
    await world.share(await world.result(), office.institution)
    async with broken_trail():
        answer = await office.client.post(INBOX)
    assert answer.status_code == 503
    body = answer.json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["SERVICE_UNAVAILABLE"]
    assert body["errors"][0]["message"] == AWAY
    assert "data" not in body
    assert (await office.client.ask(INBOX))["inbox"]["edges"]


async def test_event_waits_until_the_trail_can_be_written_and_is_then_told_whole_and_once(
    app: Starlette, office: Office, world: World, logged: io.StringIO
) -> None:
    """G1, N6."""
    results = [await world.result() for _ in range(2)]
    await world.share(results[0], office.institution)
    async with AsyncExitStack() as stack:
        async with broken_trail():
            stream = await stack.enter_async_context(events(app, LATER, {}, office.client.token))
            await has_failed(logged, 3)
        first = await stream.next()
        await world.share(results[1], office.institution)
        second = await stream.next()
    assert all(told and "errors" not in told and told["data"]["newShares"] for told in (first, second))
    assert [entry["results"] for entry in await entries()] == [[result.id] for result in results]


async def test_event_of_a_stream_without_a_cursor_is_not_lost_while_the_trail_cannot_be_written(
    settings: Settings, clean: None, clock: ControlledClock, world: World, logged: io.StringIO
) -> None:
    """G1, N6: its very first; and the socket answers meanwhile, and lets a stream that waits be ended."""
    async with standing(settings, clock) as door:
        institution = await world.institution()
        token = await world.token(await world.verifier(institution))
        async with door.opened({"authorization": f"Bearer {token}"}) as socket:
            for id in ("a", "b"):
                await socket.subscribe(id, FROM_NOW)
            await until(lambda: door.services.hub.open_streams == 2)
            async with broken_trail():
                await world.share(await world.result(), institution)
                await has_failed(logged, 4)
                assert await socket.pongs()
                await socket.say({"type": "complete", "id": "a"})
                await until(lambda: len(door.services.streams) == 1)
            told = await socket.hear()
            assert (told["type"], told["id"], "errors" in told["payload"]) == ("next", "b", False)
            assert await socket.pongs()
            assert len(await entries()) == 1


async def test_each_dashboard_leaves_its_own_entry_before_it_is_told(
    app: Starlette, office: Office, client: Client, world: World, statements: Statements
) -> None:
    """A hundred users of one institution; those who come at the same time share statements."""
    users = [await world.verifier(office.institution) for _ in range(100)]
    tokens = [await world.token(user) for user in users]
    result = await world.result()
    async with AsyncExitStack() as stack:
        with statements.counted():
            streams = [await stack.enter_async_context(events(app, LATER, {}, token)) for token in tokens]
            await asyncio.sleep(0.2)
            await world.share(result, office.institution)
            told = await asyncio.gather(*(stream.next() for stream in streams))
    assert all(one and one["data"]["newShares"]["share"]["result"] for one in told)
    left = await entries()
    assert sorted(entry["viewer_id"] for entry in left) == sorted(user.id for user in users)
    assert {(entry["act"], entry["path"], *entry["results"]) for entry in left} == {
        ("READ", "subscription newShares", result.id)
    }
    written = [statement for statement in statements.sent if "INSERT INTO trail" in statement]
    assert WRITERS <= len(written) < 50


# ---- who holds a version


async def test_holders_of_a_version_are_those_who_were_shown_or_got_it(open_database: None, world: World) -> None:
    """R11: another version, another result, a notice and staff do not count."""
    result, other = await world.result(), await world.result()
    candidate_id = (await candidate_of(result)).id
    institutions = [await world.institution() for _ in TrailAct]
    for act, institution in zip(TrailAct, institutions, strict=True):
        viewer = world.viewer(Kind.VERIFIER, institution.id, institution_id=institution.id)
        await trail.note(viewer, act, [About(candidate_id, result.id, 1), About(candidate_id, other.id, 2)])
    later = world.viewer(Kind.VERIFIER, institution_id=(await world.institution()).id)
    await trail.note(later, TrailAct.READ, [About(candidate_id, result.id, 2), About(candidate_id, other.id, 1)])
    await trail.note(world.viewer(Kind.STAFF, is_board=True), TrailAct.READ, [About(candidate_id, result.id, 1)])
    held = {act: institution.id for act, institution in zip(TrailAct, institutions, strict=True)}
    wanted = [id for act, id in held.items() if act not in (TrailAct.TOLD, TrailAct.CHANGED)]
    assert await trail.holders(result.id, 1) == sorted(wanted)
    assert await trail.holders(result.id, 2) == [later.institution_id]
    assert await trail.holders(result.id, 3) == []


# ---- that nothing is left out: the schema itself says what there is to ask


def about_candidates() -> set[str]:
    """The names of all types whose rows belong to a candidate: their table leads to one."""
    inside = [one for room in ROOMS for one in vars(import_module(room)).values()]
    models = [one for one in inside if isinstance(one, type) and issubclass(one, Model)]
    found, before = {"Candidate"}, 0
    while before != len(found):
        before = len(found)
        for model in models:
            fields = model._meta.fields_map
            related = {fields[name].related_model.__name__ for name in model._meta.fk_fields | model._meta.o2o_fields}  # type: ignore[attr-defined]
            if "candidate_id" in fields or related & found:
                found.add(model.__name__)
    return found & set(printed().type_map)


OF_RESULTS = {"Result", "SkillScore", "Share"}


@dataclass(frozen=True, slots=True)
class Question:
    """One field alone, by a way that leads to it: `of` is what it is a field of, `inside` the rows it lies in."""

    way: str
    of: str
    field: str
    query: str
    is_of_result: bool


def questions(way: str) -> Iterator[Question]:
    """Every field that lies in a row of a candidate's, by the shortest path from one root field."""
    about = about_candidates()
    root, _, name = way.partition(" ")[0].partition(".")
    start = WAYS[way].on or get_named_type(fields_of(root)[name].type).name
    opening = f"{root.lower()} {WAYS[way].declares} {{ {WAYS[way].call} "
    first = f"{opening}{{ ... on {start} ", "} }"
    waiting = [(start, start in about, start in OF_RESULTS, *first)]
    known = set()
    while waiting:
        type_name, inside, of_result, before, behind = waiting.pop(0)
        if (type_name, inside, of_result) in known:
            continue
        known.add((type_name, inside, of_result))
        type_ = printed().type_map[type_name]
        if isinstance(type_, GraphQLUnionType):
            for member in (one.name for one in members_of(type_) if not implements(one, "Refusal")):
                waiting.append((member, inside, of_result, f"{before}{{ ... on {member} ", f"}} {behind}"))
            continue
        for field, definition in fields_of(type_name).items():
            inner = get_named_type(definition.type)
            asked = f"{field}{given(f'{type_name}.{field}', definition)}"
            if inside:
                leaf = asked if is_leaf_type(inner) else f"{asked} {{ __typename }}"
                yield Question(way, type_name, field, f"{before}{{ {leaf} }} {behind}", of_result)
            if not is_leaf_type(inner):
                is_row = inner.name in about
                step = f"{before}{{ {asked} ", f"}} {behind}"
                waiting.append((inner.name, inside or is_row, of_result or inner.name in OF_RESULTS, *step))


def leaves(value: Any, name: str) -> bool:
    """Whether an answer holds something under this name."""
    if isinstance(value, list):
        return any(leaves(one, name) for one in value)
    if not isinstance(value, dict):
        return False
    return value.get(name) not in (None, []) or any(leaves(one, name) for one in value.values())


def filled(answer: Said) -> set[tuple[str, str]]:
    """Every field with something in it, with its type."""
    objects = [one for one in answer.objects() if "__typename" in one]
    return {(one["__typename"], name) for one in objects for name, value in one.items() if value not in (None, [])}


@pytest.mark.parametrize("name", ["home user", "staff"])
async def test_every_field_of_a_candidates_rows_leaves_an_entry_when_asked_alone(
    app: Starlette, client: Client, world: World, name: str
) -> None:
    """Found by walking the schema: a new field is asked too. Streams answer by the same types as the inbox."""
    scene = await scene_of(world)
    asker = Asker(scene.tokens[name])
    people = {row.id for row in scene.of_type("Candidate")}
    shown: set[tuple[str, str]] = set()
    silent = []
    for way in WAYS:
        told = filled(await told_by(way, scene, app, client, asker))
        for question in [] if way.startswith("Subscription.") else questions(way):
            if (question.of, question.field) not in told - shown:
                continue
            for variables in WAYS[way].variables(scene, asker):
                if gid(scene.rows["letter to home user"]) in str(variables):
                    continue  # mail to a user is about no candidate
                last = await last_id()
                answer = (await client.as_(asker.token).post(question.query, **variables)).json()
                assert "errors" not in answer, (question, answer)
                if not leaves(answer["data"], question.field):
                    continue
                shown.add((question.of, question.field))
                left = await entries(last)
                named = {id for entry in left for id in entry["candidates"]}
                results = {id for entry in left for id in entry["results"]}
                if not named & people or (question.is_of_result and not results):
                    silent.append(question)
                break
    assert silent == []
    assert shown >= {("Candidate", "name"), ("Result", "headline"), ("SkillScore", "score"), ("Share", "status")}
    if name == "staff":
        assert shown >= {("Candidate", "email"), ("Candidate", "pendingEmail"), ("Letter", "address")}


OF_CANDIDATE = {"candidate", "account", "share with home"} | {
    f"{what} {number}" for what in ("entry", "result", "award") for number in "12"
}


async def versions_now() -> dict[UUID, int]:
    """The version of every result; an order to change one makes it another."""
    return {row["id"]: row["version"] for row in await database.rows("SELECT id, version FROM result")}


@pytest.mark.parametrize("name", ["home user", "centre staff", "staff"])
async def test_whatever_way_tells_of_a_candidate_leaves_an_entry_that_names_them(
    app: Starlette, client: Client, world: World, name: str
) -> None:
    """Whatever types it comes by: every string and number of the candidate's that stands in an answer."""
    scene = await scene_of(world)
    candidate = scene.rows["candidate"].id
    silent = {}
    for way in WAYS:
        last, before = await last_id(), await versions_now()
        told = await told_by(way, scene, app, client, Asker(scene.tokens[name]))
        found = scene.among(told) & OF_CANDIDATE
        left = await entries(last)
        named = {id for entry in left for id in entry["candidates"]}
        versions = {pair for entry in left for pair in zip(entry["results"], entry["versions"], strict=True)}
        of_results = [number for number in "12" if found & {f"result {number}", f"award {number}"}]
        wanted = {scene.rows[f"result {number}"].id for number in of_results}
        right = versions & {*before.items(), *(await versions_now()).items()}
        if found and (candidate not in named or wanted - {id for id, _ in right}):
            silent[way] = found
    assert silent == {}
