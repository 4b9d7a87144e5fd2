"""A candidate fetches everything that is held about them (G2)."""

import json
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from engine import database
from models.candidate import Candidate
from models.invitation import Invitation
from models.result import Result
from models.session import EmailChange, PasswordReset, Session
from models.viewer import Kind
from resolvers import exports
from tests.client import Client
from tests.conftest import ControlledClock
from tests.test_close_account import Life, with_photo
from tests.world import PASSWORD, SECRET, World

READY = "... on ExportReady { file { address endsAt } }"


@pytest.fixture
async def life(app: Starlette, world: World, client: Client) -> Life:
    """A candidate with a released result that was shared, opened and changed, and one that is not released."""
    candidate = await world.candidate(email="aoi@mail.example", native_name="田中 葵")
    entry = await world.entry(candidate)
    result = await world.result(entry)
    await world.share(result, await world.institution("Harbour University"))
    await world.letter(candidate)
    asked: dict[str, Any] = {
        "name": "Hill College",
        "email": "a@hill.example",
        "website": "https://hill.example",
        "language": "en",
    }
    await Invitation.create(candidate_id=candidate.id, invited_at=world.clock(), **asked)
    await EmailChange.create(candidate_id=candidate.id, new_email="new@mail.example", asked_at=world.clock())
    return Life(world, client.as_(await world.token(candidate)), candidate, entry, result)


async def export(life: Life, password: str = PASSWORD) -> Any:
    return await life.client.order("exportMyData", READY, password=password)


async def fetched(life: Life) -> httpx2.Response:
    ready = await export(life)
    assert ready["__typename"] == "ExportReady", ready
    return await life.client.http.get(ready["file"]["address"])


async def opened(life: Life) -> tuple[Any, zipfile.ZipFile]:
    """The data of an export, and the whole ZIP."""
    answer = await fetched(life)
    assert answer.status_code == 200, answer.text
    packed = zipfile.ZipFile(BytesIO(answer.content))
    assert packed.testzip() is None
    return json.loads(packed.read("data.json")), packed


async def test_everything_that_is_held_is_in_it(life: Life) -> None:
    """G2"""
    data, _ = await opened(life)
    assert data["account"]["email"] == "aoi@mail.example"
    assert data["account"]["nativeName"] == "田中 葵"
    assert [entry["idNumber"] for entry in data["entries"]] == [life.entry.id_number]
    result = data["results"][0]
    assert (result["statementNumber"], result["overallScore"]) == (life.result.statement_number, 168)
    assert dict(result["skillScores"])["READING"] == 168
    assert data["shares"][0]["institution"] == "Harbour University"
    assert "I agree" in data["shares"][0]["consentText"]
    assert data["letters"][0]["kind"] == "password_changed"
    assert data["emailChanges"][0]["newEmail"] == "new@mail.example"
    assert data["invitations"][0]["name"] == "Hill College"
    assert len(data["sessions"]) == 1


async def test_the_statements_are_in_it_in_both_languages(life: Life) -> None:
    """G2, R8: and the data names every file."""
    data, packed = await opened(life)
    names = {f"statements/statement-{life.result.statement_number}-{language}.pdf" for language in ("en", "ja")}
    assert names <= set(packed.namelist())
    assert set(data["files"]) | {"data.json"} == set(packed.namelist())
    assert all(packed.read(name).startswith(b"%PDF-") for name in names)


async def test_the_photo_is_in_it(life: Life) -> None:
    """G2, R7"""
    await with_photo(life)
    _, packed = await opened(life)
    assert packed.read(f"photos/{life.result.statement_number}.jpg") == b"jpeg"


async def test_no_secret_is_in_it(life: Life) -> None:
    """G2, G3: nor a hash of one."""
    answer = await fetched(life)
    packed = zipfile.ZipFile(BytesIO(answer.content))
    text = packed.read("data.json").decode()
    candidate = await Candidate.get(id=life.candidate.id)
    assert life.client.token is not None
    for secret in (candidate.password_hash, life.client.token, PASSWORD, "argon2", "Hash", "token"):
        assert secret is not None
        assert secret not in text
    assert f'"{SECRET}"' not in text


async def test_results_that_are_not_shown_are_not_exported(life: Life, clock: ControlledClock) -> None:
    """R3: before the release nobody but staff sees anything of them, on any path."""
    entry = await life.world.entry(life.candidate)
    hidden = await life.world.result(entry, released_at=clock() + timedelta(seconds=1))
    data, packed = await opened(life)
    assert hidden.statement_number not in json.dumps(data)
    assert not [name for name in packed.namelist() if hidden.statement_number in name]
    assert len(data["entries"]) == 2


@pytest.mark.parametrize("what", ["withheld_at", "revoked_at"])
async def test_a_result_that_does_not_stand_is_exported_without_its_award(life: Life, what: str) -> None:
    """R6, R11: and without a statement."""
    await Result.filter(id=life.result.id).update(**{what: life.world.clock()})
    data, packed = await opened(life)
    result = data["results"][0]
    assert result["status"] == {"withheld_at": "WITHHELD", "revoked_at": "REVOKED"}[what]
    assert not {"headline", "overallScore", "skillScores", "cefr"} & result.keys()
    assert packed.namelist() == ["data.json"]


async def test_the_access_log_is_in_it_however_long_it_is(life: Life) -> None:
    """G2, S11: several pages of it."""
    await database.rows(
        """INSERT INTO trail (chain, act, at, viewer_kind, candidates, results, versions, path, address, request_id)
           SELECT gen_random_uuid(), 'CHANGED', :now::timestamptz - n * interval '1 second', 'staff',
                  ARRAY[:id::uuid], '{}', '{}', 'test', '', '' FROM generate_series(1, 250) AS n""",
        now=life.world.clock(),
        id=life.candidate.id,
    )
    data, _ = await opened(life)
    moments = [line["at"] for line in data["accessLog"]]
    assert len(moments) == 250 + 1  # the candidate's own sending stands there too
    assert moments == sorted(moments, reverse=True)
    assert data["accessLog"][0]["act"] == "CHANGED"


async def test_a_claimed_entry_brings_the_name_that_its_centre_wrote(life: Life) -> None:
    """A11, G2: the former row is held too."""
    other = await life.world.candidate(registered=False, family_name="TANAKAA")
    entry = await life.world.entry(other)
    added = await life.client.order(
        "claimEntry", "... on EntryAdded { wasAlreadyClaimed }", idNumber=entry.id_number, secretNumber=SECRET
    )
    assert added["__typename"] == "EntryAdded"
    data, _ = await opened(life)
    assert [one["familyName"] for one in data["formerCandidates"]] == ["TANAKAA"]


async def test_names_that_were_merged_are_found_by_their_index(life: Life) -> None:
    """A11: among 20,000 candidates; the plan is asked for, because time depends on the machine."""
    await database.rows(
        """INSERT INTO candidate (id, family_name, given_name, date_of_birth, language, wants_updates, merged_into_id)
           SELECT gen_random_uuid(), 'Mori', 'Aoi', '2001-02-03', 'en', false,
                  CASE WHEN number % 10 = 0 THEN gen_random_uuid() END
           FROM generate_series(1, 20000) AS number"""
    )
    await database.rows("ANALYZE candidate")
    plan = await database.rows(f"EXPLAIN {exports.PARTS['formerCandidates']}", id=life.candidate.id)
    assert "candidate_merged" in "\n".join(row["QUERY PLAN"] for row in plan)


async def test_its_password_is_needed(life: Life) -> None:
    """G2: a stolen session must not carry everything away; wrong ones count (A4)."""
    told = [(await export(life, "wrong 12345"))["__typename"] for _ in range(4)]
    assert told == ["WrongPassword"] * 3 + ["LoginLocked"]


async def test_the_address_ends_after_fifteen_minutes_and_with_the_session(life: Life, clock: ControlledClock) -> None:
    """D6"""
    url = (await export(life))["file"]["address"]
    clock.forward(minutes=14, seconds=59)
    assert (await life.client.http.get(url)).status_code == 200
    clock.forward(seconds=1)
    assert (await life.client.http.get(url)).status_code == 404
    url = (await export(life))["file"]["address"]
    await life.client.ask("mutation { logOut(input: {}) { __typename } }")
    assert (await life.client.http.get(url)).status_code == 404


async def test_nobody_gets_the_export_of_another(life: Life) -> None:
    """G2: whatever an address said that was made for another candidate or another kind of viewer."""
    other = await life.world.candidate()
    somebody = life.world.viewer(Kind.CANDIDATE, other.id)
    assert await exports.file(somebody, life.candidate.id, "") is None
    assert await exports.file(life.world.viewer(Kind.STAFF, life.candidate.id), life.candidate.id, "") is None


async def test_only_candidates_export(life: Life) -> None:
    """G2"""
    for owner, refusal in ((None, "NotLoggedIn"), (await life.world.verifier(), "NotAllowed")):
        life.client = life.client.as_(await life.world.token(owner) if owner else None)
        assert (await export(life))["__typename"] == refusal


async def test_it_comes_in_pieces_whose_size_is_told(life: Life) -> None:
    """G2: memory does not grow with it."""
    made = await exports.file(life.world.viewer(Kind.CANDIDATE, life.candidate.id), life.candidate.id, "")
    assert made is not None
    assert isinstance(made.body, AsyncIterator)
    pieces = [piece async for piece in made.body]
    assert sum(map(len, pieces)) == made.size
    assert max(map(len, pieces)) <= exports.PIECE


def test_columns_of_an_account_are_exported_or_known_to_be_kept_back() -> None:
    """G2: a new column is exported, or stands here with a reason."""
    kept_back = {
        "candidate": {
            "id",
            "password_hash",
            "closed_at",
            "merged_into_id",
            "searched",  # the names once more, as they are searched
            "grams",
            "sandbox_id",  # of invented people alone, who have no account
        },
        "session": {"id", "token_hash", "candidate_id", "verifier_id", "staff_id"},
        "email_change": {"id", "candidate_id"},
        "invitation": {"id", "candidate_id", "application_id", "language"},
        "password_reset": {"id", "candidate_id"},
    }
    parts = {"candidate": "account", "session": "sessions", "email_change": "emailChanges"} | {
        "password_reset": "passwordResets",
        "invitation": "invitations",
    }
    for model in (Candidate, EmailChange, Invitation, PasswordReset, Session):
        table = model._meta.db_table
        columns = set(model._meta.fields_db_projection.values())
        asked = set(exports.PARTS[parts[table]].replace(",", " ").split())
        assert columns - kept_back[table] - asked == set(), table
