"""Statements of Results as files, for those who may see the result, and LinkedIn's address (R8, R9)."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from documents.statement import Skill, StatementFacts, statement
from engine import rendering
from engine.database import Row
from models.grades import has_certificates, shown_score
from models.names import full_name
from models.result import Moments, Outcome, Result, ResultStatus, status
from models.result_notices import NOTICES, codes_for
from models.sandbox import is_invented
from models.scope import Scope
from models.statement import check_address
from models.trail import TrailAct
from models.viewer import Kind, Viewer
from models.visit import About
from resolvers import columns, files, trail
from resolvers.files import File, Link
from resolvers.office import office
from resolvers.reading import Source

PDF = "application/pdf"
LINKEDIN = "https://www.linkedin.com/profile/add"

FORMER_ENDED_AT = """(SELECT former.ended_at FROM result_version AS former
    WHERE former.result_id = result.id AND former.version = result.version - 1) AS former_ended_at"""

# A result with its candidate's name, and when the version before it ended.
SOURCE = Source(
    Result,
    f"""SELECT {columns.RESULT}, {columns.SCOPE}, candidate.given_name, candidate.family_name, candidate.native_name,
               {FORMER_ENDED_AT}
        FROM result {columns.RESULT_JOINS} JOIN candidate ON candidate.id = entry.candidate_id {columns.SCOPE_JOIN}""",
    "result.id",
    "result_id",
)


def link(viewer: Viewer, row: Row, language: str) -> Link | None:
    """The address of the statement of a result, from a row with its columns and scope; None where there is none."""
    if office().signer is None or viewer.session_id is None or not is_issued(row, viewer):
        return None
    return files.link(viewer, "statement", row["result_id"], language)


async def file(viewer: Viewer, result_id: UUID, language: str) -> File | None:
    """The statement, made now; None if the viewer may not have it at this moment. Raises NotPrintable, Unavailable."""
    signer, row = office().signer, await _row(viewer, result_id)
    if row is None or signer is None:
        return None
    facts = facts_of(row, language)
    pdf = await rendering.in_thread(lambda: statement(facts, signer()))
    if await _row(viewer, result_id) != row:  # corrected, withheld or withdrawn while it was made
        return None
    if viewer.kind is not Kind.CANDIDATE:
        about = About(row["candidate_id"], result_id, row["version"])
        await trail.note(viewer, TrailAct.DOWNLOADED, [about])
    return File(f"statement-{facts.number}-{language}.pdf", PDF, pdf, len(pdf))


async def _row(viewer: Viewer, result_id: UUID) -> Row | None:
    row = (await SOURCE.by_ids(viewer, [result_id])).get(result_id)
    return row if row is not None and is_issued(row, viewer) else None


def is_issued(row: Row, viewer: Viewer) -> bool:
    """Whether the result stands, and its share lets this viewer have all of it; a statement is never half of one.

    Of an institution's users, those who may read and nothing else take no files away; a key needs scopes for all of it.
    """
    if is_invented(row["statement_number"]):
        return False
    is_shared_whole = row["allows_downloads"] and row["includes_skills"]
    if viewer.kind in (Kind.VERIFIER, Kind.KEY) and not (is_shared_whole and viewer.may_more_than_read):
        return False
    if not (viewer.may(Scope.DOWNLOAD) and viewer.may(Scope.READ_SKILLS)):
        return False
    return _status(row, viewer.at) is ResultStatus.RELEASED


def _status(row: Row, now: datetime) -> ResultStatus:
    moments = Moments(row["released_at"], row["withheld_at"], row["revoked_at"])
    return status(Outcome[row["outcome"]], moments, now)


def facts_of(row: Row, language: str) -> StatementFacts:
    """What the statement of a row of SOURCE says."""
    number, scale = row["statement_number"], row["scale_code"]
    awarded = Outcome[row["outcome"]].has_award
    score = row["overall_score"] if awarded else None
    shown = None if score is None else shown_score(score, scale)
    return StatementFacts(
        language=language,
        organisation=office().organisation,
        number=number,
        check_address=check_address(office().site, number, row["version"]),
        name=full_name(row["given_name"], row["family_name"]),
        native_name=row["native_name"],
        qualification=row["exam_title"],
        exam_date=row["exam_date"],
        centre=f"{row['centre_number']} {row['centre_name']}",
        outcome=row["outcome"],
        headline=row["headline"] if awarded else None,
        grade=row["grade"] if awarded else None,
        cefr=row["cefr"] if awarded else None,
        score=shown,
        score_ends=(row["overall_min"], row["overall_max"]) if shown and shown.isdigit() else None,
        skills=_skills(row) if awarded else (),
        skill_ends=None if row["skill_min"] is None else (row["skill_min"], row["skill_max"]),
        certificate_number=row["certificate_number"] if awarded else None,
        version=row["version"],
        issued_at=max(row["released_at"], row["former_ended_at"] or row["released_at"]),
        notices=[NOTICES[code][language] for code in codes_for(row["outcome"], has_certificates(scale))],
    )


def _skills(row: Row) -> tuple[Skill, ...]:
    lowest, highest = row["skill_min"], row["skill_max"]
    return tuple(
        Skill(skill, str(score), None if lowest is None else (score - lowest) / (highest - lowest))
        for skill, score in row["skill_scores"] or ()
    )


def linkedin_url(viewer: Viewer, row: Row) -> str | None:
    """LinkedIn's ready form for the candidate's own award; None for others, and where nothing was awarded (R9)."""
    outcome = Outcome[row["outcome"]]
    if viewer.kind is not Kind.CANDIDATE or outcome not in (Outcome.GRADE, Outcome.LEVEL):
        return None
    if _status(row, viewer.at) is not ResultStatus.RELEASED:
        return None
    level = f": {row['headline']}" if outcome is Outcome.LEVEL else ""  # the qualification itself was missed
    award = {
        "startTask": "CERTIFICATION_NAME",
        "name": f"{row['exam_title']}{level}",
        "organizationName": office().organisation,
        "issueYear": row["released_at"].year,
        "issueMonth": row["released_at"].month,
        "certUrl": check_address(office().site, row["statement_number"], row["version"]),
        "certId": row["statement_number"],
    }
    return f"{LINKEDIN}?{urlencode(award)}"
