"""Files come by addresses that end after 15 minutes, and serve who may see the file at that moment (R3, R8, D6, G3)."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.applications import Starlette

from engine import database, rendering
from models.candidate import Candidate
from models.entry import Entry
from models.institution import Institution
from models.result import Outcome, Result
from models.session import Session
from models.share import Share
from models.trail import TrailAct, TrailEntry
from models.verifier import VerifierStatus, VerifierUser
from models.version import Change, ResultVersion
from models.viewer import Kind, Viewer
from resolvers import files, statements
from resolvers.files import File
from resolvers.office import office
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, client_of, running
from tests.papers import BOARD, checked, reader, said, squeezed
from tests.world import World, gid
from transport.files import SERVED

ASK = """query ($id: ID!, $language: String! = "en") {
  result(id: $id) { statement(language: $language) { address endsAt } linkedInUrl } }"""
LOWEST, HIGHEST = timedelta(microseconds=1), timedelta(minutes=15)


@pytest.fixture
def settings(settings: Settings, signing_pem: Path) -> Settings:
    """With a key that is there already."""
    return replace(settings, signing_key=signing_pem, signing_cert=signing_pem)


@dataclass
class Given:
    """A released result, its candidate, and a verifier who was sent it; each asks in their own name."""

    result: Result
    candidate: Client
    candidate_id: UUID
    institution: Institution
    user: VerifierUser
    verifier: Client


@pytest.fixture
async def given(client: Client, world: World) -> Given:
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate))
    institution = await world.institution()
    user = await world.verifier(institution)
    await world.share(result, institution)
    own, theirs = client.as_(await world.token(candidate)), client.as_(await world.token(user))
    return Given(result, own, candidate.id, institution, user, theirs)


async def address_of(asker: Client, result: Result, language: str = "en") -> str | None:
    """The address of the statement, as this asker is told it."""
    found = (await asker.ask(ASK, id=gid(result), language=language))["result"]
    address: str | None = found and found["statement"] and found["statement"]["address"]
    return address


async def opened(asker: Client, address: str | None) -> httpx2.Response:
    """What anybody gets at an address, without a token."""
    assert address is not None
    return await asker.http.get(address)


# ---- the file


@pytest.mark.parametrize(("language", "title"), [("en", "Statement of Results"), ("ja", "結果ステートメント")])
async def test_candidate_gets_the_statement_of_their_result(given: Given, language: str, title: str) -> None:
    """R8: signed, in the language asked for, and as one that nobody on the way keeps."""
    told = (await given.candidate.ask(ASK, id=gid(given.result), language=language))["result"]["statement"]
    assert told["endsAt"] == "2026-11-22T09:15:00+00:00"
    answer = await opened(given.candidate, told["address"])
    name = f"statement-{given.result.statement_number}-{language}.pdf"
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert squeezed(title) in said(answer.content)
    assert given.result.statement_number in said(answer.content)
    signer = office().signer
    assert signer is not None
    assert (await asyncio.to_thread(checked, answer.content, signer())).bottom_line


async def test_statement_is_the_same_for_everybody_each_time(given: Given, clock: ControlledClock) -> None:
    """R8: today, tomorrow, for the candidate and the institution."""
    first = [
        (await opened(who, await address_of(who, given.result))).content for who in (given.candidate, given.verifier)
    ]
    clock.forward(minutes=20)
    later = (await opened(given.candidate, await address_of(given.candidate, given.result))).content
    assert first == [later, later]


async def test_statement_is_dated_by_the_release(given: Given) -> None:
    pdf = (await opened(given.candidate, await address_of(given.candidate, given.result))).content
    metadata = reader(pdf).metadata
    assert metadata is not None
    assert given.result.released_at is not None
    assert metadata.creation_date == given.result.released_at.replace(microsecond=0)


async def test_statement_of_a_correction_is_dated_by_it_and_names_what_it_replaces(
    given: Given, clock: ControlledClock
) -> None:
    """R11."""
    clock.forward(hours=5)
    await ResultVersion.create(
        result_id=given.result.id, version=1, outcome=Outcome.FAIL, skill_scores={}, ended_by=Change.AMENDED,
        ended_at=clock(), reason="Marked again.",
    )  # fmt: skip
    await Result.filter(id=given.result.id).update(version=2)
    pdf = await _made(given, clock)
    metadata = reader(pdf).metadata
    assert metadata is not None
    assert metadata.creation_date == clock()
    assert "Thisisversion2.Itreplacesversion1" in said(pdf)


async def _made(given: Given, clock: ControlledClock) -> bytes:
    """The statement as the resolver makes it for its candidate, whose session may have ended long ago."""
    found = await statements.file(Viewer(Kind.CANDIDATE, clock(), id=given.candidate_id), given.result.id, "en")
    assert found is not None
    assert isinstance(found.body, bytes)
    return found.body


@pytest.mark.parametrize(
    ("exam", "facts", "skills", "told"),
    [
        (
            "FCE_STD100_2011",
            {"outcome": Outcome.GRADE, "headline": "A", "grade": "A", "cefr": "C1", "overall_score": 85},
            {"READING": 82}, ("85/100", "Reading82", "FirstCertificateinEnglish"),
        ),
        (
            "IBT_HOME",
            {"headline": "Council of Europe Level C1", "cefr": "C1", "overall_score": 95},
            {"READING": 24, "SPEAKING": 30}, ("95/120", "Reading24", "Speaking30", "030"),
        ),
        (
            "DELTA_MODULE_ONE",
            {"outcome": Outcome.GRADE, "headline": "Pass with Merit", "grade": "Pass with Merit", "cefr": None,
             "overall_score": None},
            {}, ("DELTAModuleOne", "PasswithMerit"),
        ),
        ("C1_ADVANCED", {}, None, ("onthescalefrom80to230168", "UseofEnglish160", "CouncilofEuropeLevelB2")),
        (
            "C1_ADVANCED",
            {"outcome": Outcome.ABSENT_FROM_ALL, "headline": None, "cefr": None, "overall_score": None},
            {}, ("Absentfromallparts(Z)",),
        ),
    ],
)  # fmt: skip
async def test_every_scale_and_outcome_comes_from_the_rows_as_it_was_awarded(
    client: Client, world: World, exam: str, facts: dict[str, Any], skills: dict[str, int] | None, told: tuple[str, ...]
) -> None:
    """R4, R6, R12."""
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate, exam), skills, **facts)
    own = client.as_(await world.token(candidate))
    text = said((await opened(own, await address_of(own, result))).content)
    assert [one for one in told if one not in text] == []


# ---- who is told an address


async def test_nobody_else_is_told_an_address(given: Given, client: Client, world: World) -> None:
    """R8: not a stranger, not another candidate, not a verifier whom it was not sent."""
    strangers = [client, client.as_(await world.token(await world.candidate()))]
    strangers.append(client.as_(await world.token(await world.verifier())))
    assert [await address_of(one, given.result) for one in strangers] == [None] * 3
    assert await address_of(given.candidate, given.result)
    assert await address_of(given.verifier, given.result)


async def test_there_is_no_statement_before_the_release(client: Client, world: World, clock: ControlledClock) -> None:
    """R3: not a microsecond before, by the clock; for staff, who see the result, neither."""
    candidate = await world.candidate()
    released = clock() + timedelta(minutes=1)
    result = await world.result(await world.entry(candidate), released_at=released)
    own, staff = client.as_(await world.token(candidate)), client.as_(await world.token(await world.staff()))
    clock.now = released - LOWEST
    assert [await address_of(one, result) for one in (own, staff)] == [None, None]
    clock.now = released
    assert (await opened(own, await address_of(own, result))).status_code == 200


@pytest.mark.parametrize(
    "facts",
    [{"outcome": Outcome.PENDING}, {"outcome": Outcome.WITHHELD}, {"withheld_at": "now"}, {"revoked_at": "now"}],
)
async def test_result_that_does_not_stand_has_no_statement(
    client: Client, world: World, clock: ControlledClock, facts: dict[str, Any]
) -> None:
    """R6, R11: superseded and revoked results get no new statement."""
    candidate = await world.candidate()
    facts = {name: clock() if one == "now" else one for name, one in facts.items()}
    if "outcome" in facts:
        facts |= {"headline": None, "cefr": None, "overall_score": None}
    result = await world.result(await world.entry(candidate), {} if "outcome" in facts else None, **facts)
    own = client.as_(await world.token(candidate))
    told = (await own.ask(ASK, id=gid(result)))["result"]
    assert told == {"statement": None, "linkedInUrl": None}


@pytest.mark.parametrize("term", ["includes_skills", "allows_downloads"])
async def test_share_without_skills_or_downloads_gives_no_statement(given: Given, term: str) -> None:
    """S9: a statement is never half of one; its candidate has it all the same."""
    before = await address_of(given.verifier, given.result)
    await Share.all().update(**{term: False})
    assert await address_of(given.verifier, given.result) is None
    assert (await opened(given.verifier, before)).status_code == 404
    assert await address_of(given.candidate, given.result)


async def test_service_without_statements_gives_none(
    settings: Settings, clock: ControlledClock, clean: None, world: World
) -> None:
    """And one in production without a key neither, if it was started all the same."""
    for changes in ({"statements": False}, {"production": True, "signing_key": None, "signing_cert": None}):
        changed = replace(settings, **changes)
        async with running(changed, clock) as app, client_of(app) as client:
            candidate = await world.candidate()
            result = await world.result(await world.entry(candidate))
            assert await address_of(client.as_(await world.token(candidate)), result) is None


async def test_language_that_nobody_speaks_here_is_refused(given: Given) -> None:
    errors = await given.candidate.errors(ASK, id=gid(given.result), language="fr")
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


# ---- who may use it, and when


@pytest.mark.parametrize(("later", "status"), [(HIGHEST - LOWEST, 200), (HIGHEST, 404)])
async def test_address_ends_after_fifteen_minutes(
    given: Given, clock: ControlledClock, later: timedelta, status: int
) -> None:
    """D6, by the server's clock: both sides of the edge."""
    address = await address_of(given.candidate, given.result)
    clock.now += later
    assert (await opened(given.candidate, address)).status_code == status


After = Callable[[Given, datetime], Awaitable[object]]


async def logged_out(given: Given, now: datetime) -> None:
    await Session.all().update(ended_at=now)


async def closed(given: Given, now: datetime) -> None:
    await database.rows("UPDATE candidate SET closed_at = :now", now=now)


async def idle(given: Given, now: datetime) -> None:
    await Session.all().update(used_at=now - timedelta(minutes=30, seconds=10))


async def withheld(given: Given, now: datetime) -> None:
    await Result.all().update(withheld_at=now)


async def revoked(given: Given, now: datetime) -> None:
    await Result.all().update(revoked_at=now)


async def put_off(given: Given, now: datetime) -> None:
    await Result.all().update(released_at=now + timedelta(days=1))


async def never_released(given: Given, now: datetime) -> None:
    await Result.all().update(released_at=None)


async def claimed_by_another(given: Given, now: datetime) -> None:
    """A11: the entry went to another account; as after a closing and a new Secret Number."""
    other = await World(lambda: now).candidate()
    await Entry.all().update(candidate_id=other.id)


async def without_downloads(given: Given, now: datetime) -> None:
    await Share.all().update(allows_downloads=False)


async def withdrawn(given: Given, now: datetime) -> None:
    await Share.all().update(withdrawn_at=now)


async def expired(given: Given, now: datetime) -> None:
    await Share.all().update(expires_at=now)


async def removed(given: Given, now: datetime) -> None:
    await VerifierUser.all().update(status=VerifierStatus.REMOVED, removed_at=now)


async def suspended(given: Given, now: datetime) -> None:
    await database.rows("UPDATE institution SET status = 'SUSPENDED', suspended_at = :now", now=now)


async def nothing(given: Given, now: datetime) -> None:
    """What must change nothing, so that the others prove something."""


@pytest.mark.parametrize(
    ("who", "after", "status"),
    [
        ("candidate", nothing, 200), ("candidate", logged_out, 404), ("candidate", closed, 404),
        ("candidate", idle, 404), ("candidate", withheld, 404), ("candidate", revoked, 404),
        ("candidate", put_off, 404), ("candidate", withdrawn, 200), ("candidate", suspended, 200),
        ("candidate", never_released, 404), ("candidate", claimed_by_another, 404),
        ("verifier", nothing, 200), ("verifier", logged_out, 404), ("verifier", withheld, 404),
        ("verifier", revoked, 404), ("verifier", withdrawn, 404), ("verifier", expired, 404),
        ("verifier", removed, 404), ("verifier", suspended, 404), ("verifier", put_off, 404),
        ("verifier", never_released, 404), ("verifier", without_downloads, 404),
    ],
)  # fmt: skip
async def test_address_serves_what_its_session_may_see_at_that_moment(
    given: Given, clock: ControlledClock, who: str, after: After, status: int
) -> None:
    """R3, R11, S10, O3, U2, A10: whatever came after the address was told; and why not is not told."""
    asker: Client = getattr(given, who)
    address = await address_of(asker, given.result)
    await after(given, clock())
    answer = await opened(asker, address)
    assert answer.status_code == status
    if status == 404:
        assert answer.text.startswith("This link has ended, or leads nowhere.")
        assert answer.headers["Cache-Control"] == "no-store"


async def test_address_ends_with_its_own_session(given: Given, client: Client, world: World) -> None:
    """Logging out here ends the addresses of here, and no others."""
    address = await address_of(given.candidate, given.result)
    other = client.as_(await world.token(await Candidate.get(id=given.candidate_id)))
    assert (await opened(other, await address_of(other, given.result))).status_code == 200
    await given.candidate.ask("mutation { logOut(input: { everywhere: false }) { __typename } }")
    assert (await opened(given.candidate, address)).status_code == 404
    assert (await opened(other, await address_of(other, given.result))).status_code == 200


async def test_opening_a_file_does_not_keep_the_session_alive(given: Given, clock: ControlledClock) -> None:
    """A10: an address that a program fetches again and again is no person at work."""
    address = await address_of(given.candidate, given.result)
    used = [one.used_at for one in await Session.all().order_by("id")]
    clock.forward(minutes=14)
    assert (await opened(given.candidate, address)).status_code == 200
    assert [one.used_at for one in await Session.all().order_by("id")] == used


async def test_changed_address_leads_nowhere(given: Given) -> None:
    """Whichever sign of it is changed, left out or added."""
    address = await address_of(given.candidate, given.result)
    assert address is not None
    front, _, token = address.rpartition("/")
    wrong = [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(len(token))]
    wrong += [token[:-1], f"{token}A", f"{token}=", token[4:], "A" * len(token), "é", "%00", "A"]
    answers = {(await given.candidate.http.get(f"{front}/{one}")).status_code for one in wrong}
    assert answers == {404}


async def test_address_of_one_kind_serves_no_other(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo's address, say, is no statement's; and a kind that there is not is not found."""

    async def secret(viewer: Viewer, key: UUID, detail: str) -> File | None:
        return File("secret.txt", "text/plain", b"secret", 6)

    monkeypatch.setitem(SERVED, "secret", secret)
    address = await address_of(given.candidate, given.result)
    assert address is not None
    for kind in ("secret", "none"):
        assert (await opened(given.candidate, address.replace("/statement/", f"/{kind}/"))).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_address_is_for_reading_only(given: Given, method: str) -> None:
    address = await address_of(given.candidate, given.result)
    assert address is not None
    assert (await given.candidate.http.request(method, address)).status_code == 405


# ---- how it is served


async def test_file_in_pieces_is_sent_as_it_comes(
    app: Starlette, given: Given, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D4, D6: of a large file no more than a piece is in memory; a name in any script is said in both spellings."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    async def large(viewer: Viewer, key: UUID, detail: str) -> File | None:
        return File(f'結果 {detail}".txt', "text/plain", pieces(), 9, inline=True)

    monkeypatch.setitem(SERVED, "large", large)
    session = (await Session.filter(verifier_id=given.user.id))[0]
    viewer = world.viewer(Kind.VERIFIER, given.user.id, session_id=session.id)
    answer = await opened(given.verifier, files.link(viewer, "large", uuid4(), "a").address)
    assert answer.text == "abcabcabc"
    assert answer.headers["Content-Length"] == "9"
    assert (
        answer.headers["Content-Disposition"]
        == "inline; filename=\"__ a_.txt\"; filename*=UTF-8''%E7%B5%90%E6%9E%9C%20a%22.txt"
    )


async def test_address_is_in_no_log(given: Given, logged: io.StringIO) -> None:
    """G3: it is as good as the file itself."""
    address = await address_of(given.candidate, given.result)
    assert address is not None
    await opened(given.candidate, address)
    await opened(given.candidate, address[:-3] + "AAA")
    lines = logged.getvalue()
    assert lines.count('"/files/..."') == 2
    assert address.rpartition("/")[2][:20] not in lines


async def test_name_that_cannot_be_printed_is_told_with_its_sign(
    client: Client, world: World, logged: io.StringIO
) -> None:
    """R8: to the candidate by the sign; to the log without the name."""
    candidate = await world.candidate(native_name="ܠܝܘܣܦ")
    result = await world.result(await world.entry(candidate))
    own = client.as_(await world.token(candidate))
    answer = await opened(own, await address_of(own, result))
    assert answer.status_code == 422
    assert "ܦ" in answer.text
    assert "U+0726" in answer.text
    assert "U+0726" in logged.getvalue()
    assert "ܦ" not in logged.getvalue()


async def test_when_too_many_documents_wait_one_is_asked_to_come_again(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await address_of(given.candidate, given.result)
    monkeypatch.setattr(rendering, "MOST_WAITING", 0)
    answer = await opened(given.candidate, address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    monkeypatch.undo()
    assert (await opened(given.candidate, address)).status_code == 200


async def test_one_account_cannot_fill_the_queue_of_documents_for_all(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it opens an address at the same moment; others are served, and so is it afterwards."""
    own, theirs = await address_of(given.candidate, given.result), await address_of(given.verifier, given.result)
    make, begun, goes_on = rendering.in_thread, 0, asyncio.Event()

    async def waiting(*args: Any) -> Any:
        nonlocal begun
        begun += 1
        await goes_on.wait()
        return await make(*args)

    async def has_begun(count: int) -> None:
        async with asyncio.timeout(60):
            while begun < count:  # noqa: ASYNC110  # requests set no event
                await asyncio.sleep(0.01)

    monkeypatch.setattr(rendering, "in_thread", waiting)
    asked = [asyncio.create_task(opened(given.candidate, own)) for _ in range(10)]
    await has_begun(10)
    async with asyncio.timeout(60):
        refused = await opened(given.candidate, own)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    asked.append(asyncio.create_task(opened(given.verifier, theirs)))
    await has_begun(11)
    goes_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
    assert (await opened(given.candidate, own)).status_code == 200


async def test_what_is_corrected_while_it_is_made_is_not_served(
    given: Given, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: the statement of a version that stands no more leaves the house no more."""
    address = await address_of(given.candidate, given.result)
    make = rendering.in_thread

    async def meanwhile(*args: Any) -> Any:
        made = await make(*args)
        await Result.all().update(withheld_at=clock())
        return made

    monkeypatch.setattr(rendering, "in_thread", meanwhile)
    assert (await opened(given.candidate, address)).status_code == 404


async def test_download_by_an_institution_stands_in_the_trail(given: Given) -> None:
    """G1: who, which version, on which path; a candidate's own leaves nothing, nor does what was not served."""
    await opened(given.candidate, await address_of(given.candidate, given.result))
    address = await address_of(given.verifier, given.result)
    assert await TrailEntry.filter(act=TrailAct.DOWNLOADED).count() == 0
    await opened(given.verifier, address)
    await opened(given.verifier, f"{address}A")
    (entry,) = await TrailEntry.filter(act=TrailAct.DOWNLOADED)
    assert (entry.viewer_id, entry.institution_id) == (given.user.id, given.institution.id)
    assert (entry.results, entry.versions, entry.path) == ([given.result.id], [1], "file statement")
    assert re.fullmatch("[0-9a-f]{32}", entry.request_id)


# ---- LinkedIn


async def linkedin(asker: Client, result: Result) -> dict[str, str] | None:
    address = (await asker.ask(ASK, id=gid(result)))["result"]["linkedInUrl"]
    if address is None:
        return None
    assert address.startswith("https://www.linkedin.com/profile/add?")
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, strict_parsing=True).items()}


async def test_linkedin_is_told_the_award(client: Client, world: World) -> None:
    """R9: the month is that of issue."""
    candidate = await world.candidate()
    result = await world.result(
        await world.entry(candidate), outcome=Outcome.GRADE, headline="Pass at Grade B", grade="B", cefr="C1",
        released_at=datetime.fromisoformat("2026-10-31T23:59:59+00:00"),
    )  # fmt: skip
    told = await linkedin(client.as_(await world.token(candidate)), result)
    assert told is not None
    assert told.pop("certUrl").startswith(f"http://testserver/check#{result.statement_number}.")
    assert told == {
        "startTask": "CERTIFICATION_NAME", "name": "C1 Advanced", "organizationName": BOARD, "issueYear": "2026",
        "issueMonth": "10", "certId": result.statement_number,
    }  # fmt: skip


async def test_linkedin_is_not_told_a_qualification_that_was_missed(given: Given) -> None:
    """R4, R9: the level that was earned stands beside its name."""
    told = await linkedin(given.candidate, given.result)
    assert told is not None
    assert told["name"] == "C1 Advanced: Council of Europe Level B2"


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.ABSENT_FROM_PART, Outcome.ABSENT_FROM_ALL])
async def test_what_was_not_awarded_is_not_for_linkedin(client: Client, world: World, outcome: Outcome) -> None:
    candidate = await world.candidate()
    facts = {} if outcome is Outcome.FAIL else {"headline": None, "cefr": None, "overall_score": None}
    result = await world.result(await world.entry(candidate), {}, outcome=outcome, **facts)
    assert await linkedin(client.as_(await world.token(candidate)), result) is None


async def test_linkedin_address_is_the_candidates_alone(given: Given) -> None:
    """It holds the token of the check page, which the candidate gives to whom they like."""
    assert await linkedin(given.verifier, given.result) is None
