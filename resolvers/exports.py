"""Everything that is held about a candidate, for themselves: data as JSON, statements as PDF, photos, in one ZIP (G2).

Secret Number, password and tokens are not in it: only hashes of them are held. A result that is not shown to its
candidate, because it is not released or does not stand, is not shown here either (R3, R6).
"""

import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

import orjson

from engine import database
from engine.database import Row
from errors import NotPrintable
from models.candidate import LANGUAGES
from models.result import Moments, Outcome, ResultStatus, status
from models.sittings.sitting import NOT_FOR_CANDIDATES
from models.sittings.states import LIVE
from models.version import HolderNotice, ResultVersion
from models.viewer import Kind, Viewer, Visible
from resolvers import access_log, files, photos, results, sessions, statements
from resolvers.files import File, Link
from resolvers.pages import Place
from resolvers.sittings import photos as sitting_photos

KIND = "export"
PIECE = 64 * 1024
PAGE = 100
# What of a result is told only while it stands.
AWARD = ("headline", "grade", "cefr", "overall_score", "skill_scores", "certificate_number")
TOLD = ("statement_number", "version", "released_at", "withheld_at", "revoked_at", "exam_title", "exam_date")

LEFT_OUT = {"running": [state.value for state in LIVE], "hidden": [kind.value for kind in NOT_FOR_CANDIDATES]}
# Unofficial scores as the candidate is shown them (H8).
UNOFFICIAL = "CASE WHEN sitting.state IN ('FINISHED', 'REPORTED') THEN unofficial_score END AS unofficial_score"


def _of_sittings(table: str, columns: str, order: str, condition: str = "true") -> str:
    """What a table holds of the candidate's sittings, each with its appointment."""
    return f"""SELECT sitting.appointment_at, {columns} FROM {table} JOIN sitting ON sitting.id = {table}.sitting_id
               WHERE sitting.candidate_id = :id AND {condition} ORDER BY {order}, {table}.id"""


# Parts of `data.json` that one statement each answers: a list of objects, or, of the account, the one there is.
PARTS = {
    "account": """SELECT family_name, given_name, native_name, date_of_birth, email, email_refused_at, language,
                         wants_updates, terms_version, terms_accepted_at, registered_at
                  FROM candidate WHERE id = :id""",
    "formerCandidates": """SELECT family_name, given_name, native_name, date_of_birth FROM candidate
                           WHERE merged_into_id = :id""",
    "entries": """SELECT exam.title AS exam, entry.exam_date, centre.number AS centre_number,
                         centre.name AS centre_name, entry.candidate_number, entry.id_number, entry.results_by,
                         entry.claimed_at, entry.issue, entry.issued_at
                  FROM entry JOIN exam ON exam.code = entry.exam_id JOIN centre ON centre.id = entry.centre_id
                  WHERE entry.candidate_id = :id ORDER BY entry.exam_date, entry.id""",
    "shares": """SELECT result.statement_number, share.institution_name_shown AS institution, share.sent_at,
                        share.opened_at, share.withdrawn_at, share.expires_at, share.purpose, share.reference,
                        share.includes_skills, share.includes_photo, share.allows_downloads, share.consent_text,
                        share.consent_version, share.consent_language
                 FROM share JOIN result ON result.id = share.result_id
                 WHERE share.candidate_id = :id ORDER BY share.sent_at, share.id""",
    "sittings": """SELECT exam.title AS exam, sitting.appointment_at, sitting.timezone, sitting.booked_at,
                          sitting.state, sitting.since, sitting.reason, sitting.words, sitting.check_in_started_at,
                          sitting.steps, sitting.sections, sitting.sections_done, sitting.break_started_at,
                          sitting.seen_at, sitting.cancel_asked_at
                   FROM sitting JOIN exam ON exam.code = sitting.exam_id
                   WHERE sitting.candidate_id = :id ORDER BY sitting.appointment_at, sitting.id""",
    "sittingEvents": _of_sittings(
        "sitting_event", "kind, sitting_event.state, happened_at, actor, detail", "happened_at", "kind <> ALL(:hidden)"
    ),
    "systemChecks": _of_sittings("system_check", "checked_at, failed", "checked_at"),
    "checkInSteps": _of_sittings(
        "check_in_step", "step, confirmed_at, rules_text, rules_version, rules_language", "confirmed_at"
    ),
    "sittingSections": _of_sittings("sitting_section", f"skill, started_at, ended_at, {UNOFFICIAL}", "started_at"),
    "sittingBreaks": _of_sittings("sitting_break", "started_at, ended_at", "started_at"),
    "sittingMessages": _of_sittings(
        "sitting_message",
        "sitting_message.proctor_id IS NULL AS is_own, text, sent_at, read_at, answered_at",
        "sent_at",
    ),
    # what proctors noted, once nothing more depends on it that nobody knows of it
    "sittingIncidents": _of_sittings("incident", "text, noted_at", "noted_at", "sitting.state <> ALL(:running)"),
    "sittingRecipients": _of_sittings(
        "sitting_recipient",
        """institution_name_shown, named_at, consent_text, consent_version, consent_language,
           share_id IS NOT NULL AS is_sent""",
        "named_at",
    ),
    "recordings": _of_sittings("recording", "recorded_at, delete_at, deleted_at", "recorded_at"),
    "appeals": _of_sittings("appeal", "text, made_at, outcome, answer, answered_at", "made_at"),
    "invitations": """SELECT name, email, website, country, invited_at, accepted_at, declined_at, told_at
                      FROM invitation WHERE candidate_id = :id ORDER BY invited_at, id""",
    "letters": """SELECT kind, address, language, written_at, sent_at, refused_at FROM letter
                  WHERE candidate_id = :id ORDER BY written_at, id""",
    "sessions": """SELECT created_at, used_at, ended_at FROM session WHERE candidate_id = :id
                   ORDER BY created_at, id""",
    "emailChanges": """SELECT new_email, asked_at, used_at FROM email_change WHERE candidate_id = :id
                       ORDER BY asked_at, id""",
    "passwordResets": """SELECT asked_at, used_at FROM password_reset WHERE candidate_id = :id
                         ORDER BY asked_at, id""",
}


@dataclass(frozen=True, slots=True)
class Made:
    """What beside the data lies in the ZIP, and the statements that no font of ours can print."""

    names: list[str]
    not_printable: list[str]


async def link(viewer: Viewer, password: str) -> Link:
    """The address of the viewer's own export; their password is needed, because a session can be stolen.

    Raises NotLoggedIn, NotAllowed, WrongPassword, LoginLocked or TooManyTries.
    """
    candidate_id = viewer.must_be(Kind.CANDIDATE)
    await sessions.prove(viewer, password)
    return files.link(viewer, KIND, candidate_id)


async def file(viewer: Viewer, candidate_id: UUID, _detail: str) -> File | None:
    """The export, made now, piece by piece into a temporary file; only for the candidate. Raises Unavailable."""
    if viewer.kind is not Kind.CANDIDATE or viewer.id != candidate_id:
        return None
    kept = TemporaryFile()  # noqa: SIM115  # closed when it has been sent
    try:
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as packed:
            await _pack(viewer, packed)
        size = kept.tell()
    except BaseException:
        kept.close()
        raise
    return File(f"my-data-{viewer.at:%Y-%m-%d}.zip", "application/zip", _pieces(kept), size)


async def _pieces(kept: IO[bytes]) -> AsyncIterator[bytes]:
    with kept:
        kept.seek(0)
        while piece := kept.read(PIECE):
            yield piece


async def _pack(viewer: Viewer, packed: zipfile.ZipFile) -> None:
    assert viewer.id is not None
    found = (await results.of_candidates(viewer, [viewer.id])).get(viewer.id, [])
    made = Made([], [])
    for row in found:
        await _add_statements(viewer, packed, row, made)
    await _add_photos(viewer, packed, found, made)
    await _add_sitting_photos(viewer, packed, made)
    with packed.open("data.json", "w", force_zip64=True) as data:
        async for part in _data(viewer, found, made):
            data.write(part)


async def _add_statements(viewer: Viewer, packed: zipfile.ZipFile, row: Row, made: Made) -> None:
    for language in LANGUAGES:
        try:
            statement = await statements.file(viewer, row["result_id"], language)
        except NotPrintable:
            made.not_printable.append(row["statement_number"])
            return
        if statement is not None and isinstance(statement.body, bytes):
            _add(packed, f"statements/{statement.name}", statement.body, made)


async def _add_photos(viewer: Viewer, packed: zipfile.ZipFile, found: Sequence[Row], made: Made) -> None:
    of_results = await photos.of_results(viewer, [row["result_id"] for row in found])
    for row in found:
        photo_id = of_results.get(row["result_id"])
        photo = await photos.file(viewer, photo_id, "") if photo_id else None
        if photo is not None and isinstance(photo.body, bytes):
            _add(packed, f"photos/{row['statement_number']}.jpg", photo.body, made)


async def _add_sitting_photos(viewer: Viewer, packed: zipfile.ZipFile, made: Made) -> None:
    """Photos of sittings that are not reported; the others are among those of results."""
    for one in await sitting_photos.of_candidate(viewer):
        photo = await sitting_photos.file(viewer, one["id"], "")
        if photo is not None and isinstance(photo.body, bytes):
            _add(packed, f"photos/sitting-{one['appointment_at']:%Y-%m-%dT%H%M}.jpg", photo.body, made)


def _add(packed: zipfile.ZipFile, name: str, body: bytes, made: Made) -> None:
    packed.writestr(name, body)
    made.names.append(name)


async def _data(viewer: Viewer, found: Sequence[Row], made: Made) -> AsyncIterator[bytes]:
    """`data.json`, part by part; the access log, which can be long, page by page."""
    yield b'{"madeAt":' + orjson.dumps(viewer.at)
    for name, statement in PARTS.items():
        rows = [_named(row) for row in await database.rows(statement, id=viewer.id, **LEFT_OUT)]
        yield _part(name, rows[0] if name == "account" else rows)
    yield _part("results", await _results(viewer, found))
    yield _part("files", made.names) + _part("notPrintable", made.not_printable)
    yield b',"accessLog":['
    separator = b""
    async for line in _log(viewer):
        yield separator + orjson.dumps(line)
        separator = b","
    yield b"]}"


def _part(name: str, value: Any) -> bytes:
    return b"," + orjson.dumps(name) + b":" + orjson.dumps(value)


def _named(row: Row) -> dict[str, Any]:
    """The row under names as the schema writes them."""
    return {_camel(name): value for name, value in row.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


async def _results(viewer: Viewer, found: Sequence[Row]) -> list[dict[str, Any]]:
    ids = [row["result_id"] for row in found]
    versions = await _of_results("result_version", ResultVersion.visible_to(viewer), ids, "ended_by, ended_at, reason")
    told = await _of_results("holder_notice", HolderNotice.visible_to(viewer), ids, "change, told_at, institution_id")
    return [
        _result(viewer, row)
        | {"formerVersions": versions.get(row["result_id"], []), "institutionsTold": told.get(row["result_id"], [])}
        for row in found
    ]


def _result(viewer: Viewer, row: Row) -> dict[str, Any]:
    stands = status(
        Outcome[row["outcome"]], Moments(row["released_at"], row["withheld_at"], row["revoked_at"]), viewer.at
    )
    shown = AWARD if stands is ResultStatus.RELEASED and Outcome[row["outcome"]].has_award else ()
    return {"status": stands.name} | _named({name: row[name] for name in (*TOLD, *shown)})


async def _of_results(
    table: str, visible: Visible[Any], ids: Sequence[UUID], columns: str
) -> dict[UUID, list[dict[str, Any]]]:
    """What hangs on each of these results, oldest first."""
    found = await database.rows(
        f"""SELECT result_id, version, {columns} FROM {table}
            WHERE result_id = ANY(:ids) AND {visible} ORDER BY version, id""",
        ids=list(ids),
        **visible.named,
    )
    hanging: dict[UUID, list[dict[str, Any]]] = {}
    for row in found:
        facts = _named(row)
        hanging.setdefault(facts.pop("resultId"), []).append(facts)
    return hanging


async def _log(viewer: Viewer) -> AsyncIterator[dict[str, Any]]:
    place = Place(PAGE)
    while True:
        page = await access_log.page(viewer, place)
        for row in page.rows:
            yield {
                "act": row["act"],
                "by": row["institution_name"] or row["viewer_kind"],
                "department": row["department"],
                "at": row["at"],
                "lastAt": row["last_at"],
                "times": row["times"],
                "version": row["version"],
                "purpose": row["purpose"],
            }
        if not page.has_next:
            return
        place = Place(PAGE, page.rows[-1]["at"], page.rows[-1]["line_id"])
