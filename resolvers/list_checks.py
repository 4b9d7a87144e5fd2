"""Lists of people to verify, as files of up to 10,000 rows: handed in, worked through by a job, and given back (V5).

A list is worked through in batches, each in one transaction with its verdicts and its entry in the trail: whatever dies
in the middle, and however many workers there are, each row is counted, checked and written down once.
"""

import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson
import structlog

from documents import tables
from engine import database, keys
from engine import files as store
from engine.clock import Clock
from engine.database import Row
from engine.jobs import enqueue
from engine.languages import told as said
from engine.limits import Rate
from engine.rendering import in_thread
from errors import InvalidInput, Problem, Refusal, Sentence, TooManyTries
from models.base import new_id
from models.grades import shown_score
from models.list_check import ListCheck, ListCheckStatus
from models.names import full_name
from models.result import Moments, Outcome, ResultStatus, status
from models.scope import Scope
from models.terms import is_one_plain_line
from models.verifier import VerifierRole, VerifierStatus
from models.viewer import Kind, Viewer
from models.visit import Visit
from resolvers import files, key_viewers, list_files, verifying
from resolvers.files import File, Link
from resolvers.list_files import Listed
from resolvers.pages import Page, Place, page_of
from resolvers.reading import Source
from resolvers.verifying import MOST_AT_ONCE, Verdict

log = structlog.get_logger()

NEW, CHECKED = "new-list", "list"  # the kinds of address
FOLDER = "list"
LOCKED = "list"  # what files are locked for: a list holds Secret Numbers, its result what was awarded
JOB = "check list"
PATH = "job checkList"
LONGEST_NAME = 100
KEPT = timedelta(days=30)  # the result, after it was ready; and the longest that a list may take
FORGOTTEN = timedelta(days=1)
# Five full ones are as many rows as an institution may look up in a day.
LISTS = Rate("lists of institution", most=20, window=timedelta(days=1))
OPEN = (ListCheckStatus.QUEUED.value, ListCheckStatus.RUNNING.value)

COLUMNS = """
    list_check.id AS list_check_id, list_check.institution_id, list_check.verifier_id, list_check.key_id,
    list_check.status AS list_status, list_check.purpose, list_check.file_name, list_check.format, list_check.rows,
    list_check.done, list_check.asked_at, list_check.ready_at, list_check.paused_until, list_check.failure"""
SOURCE = Source(ListCheck, f"SELECT {COLUMNS} FROM list_check", "list_check.id", "list_check_id")
by_ids = SOURCE.by_ids

NO_USER = "The user who handed in the list can no longer log in."
NO_KEY = "The key that handed in the list is good no more."
NO_RIGHT = "The user who handed in the list may not check results any more."
NO_INSTITUTION = "The institution's account is not open."
LOST = "The file was lost. Hand it in again."
TOO_LONG = "The list could not be worked through within 30 days. Hand it in again."
FAILURES = (NO_USER, NO_KEY, NO_RIGHT, NO_INSTITUTION, LOST, TOO_LONG)

RESULT_HEADINGS = {
    "en": ("Verdict", "Name", "Qualification", "Result", "Overall score", "Note", "Checked at (UTC)"),
    "ja": ("判定", "氏名", "資格", "試験結果", "総合評価スコア", "備考", "確認日時（UTC）"),
}


class CannotGoOn(Exception):
    """A list that can never be worked through to its end; the message says why."""


# ---- handing in


@dataclass(frozen=True, slots=True)
class Awaited:
    """The id that a list will have, and where its file is to be sent."""

    id: UUID
    link: Link


async def address_for(viewer: Viewer, purpose: str, file_name: str) -> Awaited:
    """Where the file of a list can be sent, once and within 15 minutes.

    Raises NotLoggedIn, NotAllowed, InvalidInput or TooManyTries.
    """
    viewer.must_act(Scope.VERIFY)
    purpose = verifying.checked_purpose(viewer, purpose)
    name = PurePath(file_name.replace("\\", "/")).name.strip()
    if len(name) > LONGEST_NAME or not is_one_plain_line(name):
        sentence = Sentence.of("A file's name is one line of at most {longest} characters.", longest=LONGEST_NAME)
        raise InvalidInput([Problem("fileName", sentence)])
    if not await LISTS.count(str(viewer.institution_id), viewer.at):
        raise TooManyTries(LISTS.ends_at(viewer.at), LISTS.kind)
    id = new_id()
    return Awaited(id, files.link(viewer, NEW, id, orjson.dumps([purpose, name]).decode()))


async def is_awaited(viewer: Viewer, id: UUID) -> bool:
    """Whether this viewer may still send the file of this list."""
    with suppress(Refusal):
        viewer.must_act(Scope.VERIFY)
        return not await database.rows("SELECT 1 FROM list_check WHERE id = :id", id=id)
    return False


async def take(viewer: Viewer, id: UUID, detail: str, raw: bytes) -> int | None:
    """Keep the list in these bytes, and have it worked through; how many rows it has, or None if the address has ended.

    Raises SheetNotReadable or Unavailable.
    """
    listed = await list_files.read(raw)
    if not await is_awaited(viewer, id):
        return None
    purpose, name = orjson.loads(detail)
    async with database.transaction():
        new = await database.rows(
            """INSERT INTO list_check (id, institution_id, verifier_id, key_id, status, purpose, address, request_id,
                                       file_name, format, rows, done, asked_at)
               VALUES (:id, :institution_id, :verifier_id, :key_id, 'QUEUED', :purpose, :address, :request_id,
                       :name, :format, :rows, 0, :now) ON CONFLICT (id) DO NOTHING RETURNING id""",
            id=id,
            institution_id=viewer.institution_id,
            verifier_id=None if viewer.kind is Kind.KEY else viewer.id,
            key_id=viewer.id if viewer.kind is Kind.KEY else None,
            purpose=purpose,
            address=viewer.address,
            request_id=viewer.visit.request_id,
            name=name,
            format=listed.format,
            rows=len(listed.rows),
            now=viewer.at,
        )
        if not new:  # the same file was sent twice at once
            return None
        await store.put(_given(id), keys.locked(LOCKED, _given(id), list_files.packed(listed)))
        await enqueue(JOB, {"id": str(id)}, f"{JOB} {id}")
    return len(listed.rows)


def _given(id: UUID) -> str:
    return f"{FOLDER}/{id}.given"


def _result(id: UUID) -> str:
    return f"{FOLDER}/{id}.result"


# ---- working through


async def work(clock: Clock, facts: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Go on with a list until it is ready, has failed, or a limit is reached: then tells how long to wait."""
    id = UUID(facts["id"])
    try:
        await _through(id, clock)
    except TooManyTries as reached:
        await database.rows(
            "UPDATE list_check SET paused_until = :until WHERE id = :id AND status = ANY(:open)",
            until=reached.retry_after,
            id=id,
            open=list(OPEN),
        )
        return max(reached.retry_after - clock(), timedelta(seconds=1))
    except CannotGoOn as ended:
        await _fail(id, str(ended))
    await store.delete(_given(id))
    return None


async def _through(id: UUID, clock: Clock) -> None:
    listed: Listed | None = None
    while (row := await _row(id)) is not None and row["status"] in OPEN:
        if listed is None:
            listed = await _kept(id)
        viewer = await _viewer(row, clock())
        if row["done"] == row["rows"]:
            await _finish(row, listed, viewer)
        elif row["admitted"] == row["done"]:
            await _admit(viewer, id)
        else:
            await _check(viewer, id, listed)


async def _row(id: UUID, lock: str = "") -> Row | None:
    return await database.row(f"SELECT * FROM list_check WHERE id = :id {lock}", id=id)


async def _kept(id: UUID) -> Listed:
    content = await store.get(_given(id))
    packed = None if content is None else keys.unlocked(LOCKED, _given(id), content)
    if packed is None:
        raise CannotGoOn(LOST)
    return list_files.unpacked(packed)


async def _viewer(row: Row, now: datetime) -> Viewer:
    """Who handed the list in, as they stand at this moment. Raises CannotGoOn."""
    if row["key_id"] is not None:
        return await _program(row, now)
    user = await database.row(
        """SELECT verifier_user.status, verifier_user.is_primary, verifier_user.role, verifier_user.language,
                  verifier_user.institution_id, institution.status AS institution_status
           FROM verifier_user JOIN institution ON institution.id = verifier_user.institution_id
           WHERE verifier_user.id = :id""",
        id=row["verifier_id"],
    )
    if user is None or user["status"] != VerifierStatus.ACTIVE.value:
        raise CannotGoOn(NO_USER)
    if user["institution_status"] != "APPROVED" or user["institution_id"] != row["institution_id"]:
        raise CannotGoOn(NO_INSTITUTION)
    is_reader = user["role"] == VerifierRole.READER.value
    if is_reader and not user["is_primary"]:
        raise CannotGoOn(NO_RIGHT)
    return Viewer(
        Kind.VERIFIER,
        now,
        row["address"],
        id=row["verifier_id"],
        institution_id=row["institution_id"],
        is_primary=user["is_primary"],
        is_reader=is_reader,
        language=user["language"],
        visit=Visit(PATH, row["request_id"]),
    )


async def _program(row: Row, now: datetime) -> Viewer:
    """The program that handed the list in, as its key stands at this moment. Raises CannotGoOn."""
    viewer = await key_viewers.viewer_of_key(row["key_id"], now, row["address"])
    if viewer.institution_id != row["institution_id"] or not viewer.has(Scope.VERIFY):
        raise CannotGoOn(NO_KEY)
    return replace(viewer, visit=Visit(PATH, row["request_id"]))


async def _admit(viewer: Viewer, id: UUID) -> None:
    """Count the next batch against the limits, and note that it is counted. Raises TooManyTries."""
    async with database.transaction():
        row = await _row(id, "FOR UPDATE")
        if row is None or row["status"] not in OPEN or row["admitted"] != row["done"]:
            return  # another worker was here meanwhile
        count = min(MOST_AT_ONCE, row["rows"] - row["done"])
        await database.rows(
            """UPDATE list_check SET status = 'RUNNING', admitted = done + :count, admitted_at = :now,
                                     paused_until = NULL WHERE id = :id""",
            count=count,
            now=viewer.at,
            id=id,
        )
        await verifying.admit(viewer, count)  # last: what it counts, others wait for


async def _check(viewer: Viewer, id: UUID, listed: Listed) -> None:
    """Check the batch that was counted."""
    async with database.transaction():
        row = await _row(id, "FOR UPDATE")
        if row is None or row["status"] not in OPEN or row["admitted"] <= row["done"]:
            return
        batch = listed.rows[row["done"] : row["admitted"]]
        told = await verifying.decide(viewer, [one.pair for one in batch], row["purpose"])
        await database.rows(
            """WITH kept AS (INSERT INTO list_check_batch (id, list_check_id, first_row, verdicts)
                             VALUES (:batch_id, :id, :first, :verdicts::jsonb))
               UPDATE list_check SET done = admitted WHERE id = :id""",
            batch_id=new_id(),
            id=id,
            first=row["done"],
            verdicts=orjson.dumps([_fact(one, viewer) for one in told]).decode(),
        )
        await verifying.give_back(replace(viewer, at=row["admitted_at"]), told)  # last, as above


def _fact(verdict: Verdict, viewer: Viewer) -> dict[str, Any]:
    """A verdict as it is kept: what of it stands in the result, in the user's language, and whom it is about."""
    fact: dict[str, Any] = {"verdict": verdict.answer.value, "at": f"{viewer.at:%Y-%m-%d %H:%M:%S}"}
    if verdict.problems:
        fact["note"] = " ".join(said(problem.message, viewer.language) for problem in verdict.problems)
    if (row := verdict.result) is not None:
        fact["about"] = [str(row["candidate_id"]), str(row["result_id"]), row["version"]]
        fact["name"] = full_name(row["given_name"], row["family_name"])
        fact["qualification"] = row["exam_title"]
        moments = Moments(row["released_at"], row["withheld_at"], row["revoked_at"])
        if status(Outcome[row["outcome"]], moments, viewer.at) is ResultStatus.RELEASED:
            fact["headline"] = row["headline"]
            score = row["overall_score"]
            fact["score"] = None if score is None else shown_score(score, row["scale_code"])
    return fact


async def _fail(id: UUID, reason: str) -> None:
    async with database.transaction():
        failed = await database.rows(
            """UPDATE list_check SET status = 'FAILED', failure = :reason, paused_until = NULL
               WHERE id = :id AND status = ANY(:open) RETURNING id""",
            reason=reason,
            id=id,
            open=list(OPEN),
        )
        if failed:
            await database.rows("DELETE FROM list_check_batch WHERE list_check_id = :id", id=id)


# ---- the result


async def _finish(row: Row, listed: Listed, viewer: Viewer) -> None:
    """Write the result and keep it; if it is written twice, the second is as the first."""
    id = row["id"]
    facts = [fact async for batch in _batches(id) for fact in batch]
    style = tables.Style(listed.format, listed.delimiter, made_at=row["asked_at"])
    headings = [*listed.headings, *RESULT_HEADINGS[viewer.language]]
    content = await in_thread(_written, style, headings, _lines(listed, facts))
    await store.put(_result(id), keys.locked(LOCKED, _result(id), content))
    await database.rows(
        """UPDATE list_check SET status = 'READY', ready_at = :now WHERE id = :id AND status = 'RUNNING'
           AND done = rows""",
        now=viewer.at,
        id=id,
    )


def _written(style: tables.Style, headings: Sequence[str], rows: Iterator[list[str]]) -> bytes:
    content = io.BytesIO()
    tables.write_texts(style, content, headings, rows)
    return content.getvalue()


async def _batches(id: UUID) -> AsyncIterator[list[dict[str, Any]]]:
    """What was found of each row, batch by batch."""
    first = 0
    while True:
        batch = await database.row(
            "SELECT verdicts::text AS verdicts FROM list_check_batch WHERE list_check_id = :id AND first_row = :first",
            id=id,
            first=first,
        )
        if batch is None:
            return
        facts = orjson.loads(batch["verdicts"])
        yield facts
        first += len(facts)


def _lines(listed: Listed, facts: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """The rows as they came, without Secret Numbers, each with what was found beside it."""
    for row, fact in zip(listed.rows, facts, strict=True):
        found = [fact.get(name) for name in ("name", "qualification", "headline", "score", "note")]
        yield [*row.cells, fact["verdict"], *(text or "" for text in found), fact["at"]]


async def file(viewer: Viewer, id: UUID, _detail: str) -> File | None:
    """The result of a list of the viewer's institution; those whom it tells of are in the trail then (G1)."""
    if (row := await _ready(viewer, id)) is None:
        return None
    content = await store.get(_result(id))
    opened = None if content is None else keys.unlocked(LOCKED, _result(id), content)
    if opened is None:
        log.error("list.damaged", list=str(id))
        return None
    async for batch in _batches(id):
        for fact in batch:
            if "about" in fact:
                candidate_id, result_id, version = fact["about"]
                viewer.saw(UUID(candidate_id), UUID(result_id), version)
    name = f"{PurePath(row['file_name']).stem or 'list'}-checked.{row['format'].lower()}"
    return File(name, tables.MEDIA_TYPES[row["format"]], opened, len(opened))


async def _ready(viewer: Viewer, id: UUID) -> Row | None:
    """The list, if this viewer may have its result at this moment."""
    with suppress(Refusal):
        viewer.must_act(Scope.VERIFY)
        row = (await by_ids(viewer, [id])).get(id)
        return row if row is not None and has_result(row, viewer.at) else None
    return None


def status_of(row: Row, now: datetime) -> ListCheckStatus:
    """How far a list has come at this moment."""
    status = ListCheckStatus(row["list_status"])
    is_over = status is ListCheckStatus.READY and not has_result(row, now)
    return ListCheckStatus.EXPIRED if is_over else status


def has_result(row: Row, now: datetime) -> bool:
    """Whether there is a result, which is kept for 30 days."""
    return row["list_status"] == ListCheckStatus.READY.value and bool(now < row["ready_at"] + KEPT)


def link(viewer: Viewer, row: Row) -> Link | None:
    """Where the viewer's session fetches the result for 15 minutes; None if there is none, or none for this viewer."""
    is_reader = viewer.is_reader and not viewer.is_primary
    if not viewer.reads(Scope.VERIFY) or is_reader or viewer.session_id is None or not has_result(row, viewer.at):
        return None
    return files.link(viewer, CHECKED, row["list_check_id"])


async def page(viewer: Viewer, place: Place) -> Page:
    """A page of the lists of the viewer's institution, newest first."""
    found = await SOURCE.rows(
        viewer,
        place.condition("list_check.asked_at", "list_check.id"),
        "ORDER BY list_check.asked_at DESC, list_check.id DESC LIMIT :most",
        most=place.first + 1,
        **place.named,
    )
    return page_of(found, place.first)


# ---- leaving nothing behind


async def purge(now: datetime) -> None:
    """End what has lasted 30 days, and delete files that no list needs: those, and what a process left that died."""
    await database.rows(
        "UPDATE list_check SET status = 'EXPIRED' WHERE status = 'READY' AND ready_at <= :t", t=now - KEPT
    )
    await database.rows(
        """UPDATE list_check SET status = 'FAILED', failure = :reason, paused_until = NULL
           WHERE status = ANY(:open) AND asked_at <= :t""",
        reason=TOO_LONG,
        open=list(OPEN),
        t=now - KEPT,
    )
    await database.rows(
        """DELETE FROM list_check_batch USING list_check WHERE list_check.id = list_check_id
           AND list_check.status IN ('EXPIRED', 'FAILED')"""
    )
    async for names in store.older_than(now - FORGOTTEN, FOLDER):
        needed = await _needed(names)
        for name in set(names) - needed:
            await store.delete(name)


async def _needed(names: Sequence[str]) -> set[str]:
    """Those of these files that are still worked through, or can still be fetched."""
    ids = [PurePath(name).stem for name in names]
    found = await database.rows(
        "SELECT id, status FROM list_check WHERE id::text = ANY(:ids) AND status = ANY(:kept)",
        ids=ids,
        kept=[*OPEN, ListCheckStatus.READY.value],
    )
    return {_given(row["id"]) if row["status"] in OPEN else _result(row["id"]) for row in found}
