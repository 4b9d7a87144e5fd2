"""The public check of a Statement of Results: is what is printed on it still so (V6)?"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from engine import database
from engine.database import Row
from engine.limits import Rate, network
from errors import TooManyTries
from models.candidate import OF_WORLD, RELEASED
from models.names import initials
from models.result import Moments, Outcome, ResultStatus, status
from models.statement import version_in
from models.viewer import Viewer

BY_ADDRESS = Rate("statement checks by address", most=120, window=timedelta(hours=1))
OF_SERVICE = Rate("statement checks", most=100_000, window=timedelta(hours=1))

FIND = f"""
    SELECT result.id, result.version, result.outcome, result.headline, result.released_at, result.withheld_at,
           result.revoked_at, exam.title, candidate.id AS candidate_id, candidate.given_name, candidate.family_name
    FROM result JOIN entry ON entry.id = result.entry_id JOIN exam ON exam.code = entry.exam_id
    JOIN candidate ON candidate.id = entry.candidate_id
    WHERE result.statement_number = :number AND {RELEASED} AND {OF_WORLD}"""


class Verdict(Enum):
    """What becomes of a statement that somebody holds in their hands."""

    GENUINE = "GENUINE"
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"
    NOT_KNOWN = "NOT_KNOWN"


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict, and no more of what is printed than shows that it is about this paper."""

    verdict: Verdict
    version: int | None = None
    initials: str | None = None
    exam_title: str | None = None
    headline: str | None = None


NOT_KNOWN = Checked(Verdict.NOT_KNOWN)


async def check(viewer: Viewer, number: str, token: str) -> Checked:
    """What a statement with this number and token is worth at this moment.

    The token is looked at first, and tells a forged one without asking a table: so a wrong token takes the same time
    whether or not there is such a number. Raises TooManyTries, or Unavailable: then nothing at all is known.
    """
    await _count(viewer)
    number = written_statement_number(number)
    version = version_in(number, token.strip())
    found = None if version is None else await _found(viewer, number)
    if version is None or found is None or version > found["version"]:
        return NOT_KNOWN
    checked = _checked(found, version, viewer)
    if viewer.id is not None:  # an institution or staff who are logged in leave it in the trail (G1)
        is_whole = checked.verdict is Verdict.GENUINE
        viewer.saw(found["candidate_id"], *((found["id"], version) if is_whole else ()))
    return checked


async def _found(viewer: Viewer, number: str) -> Row | None:
    return await database.row(FIND, number=number, viewer_at=viewer.at, viewer_sandbox_id=viewer.sandbox_id)


def written_statement_number(text: str) -> str:
    """The number as it is stored, from what a person typed: any case and width, with blanks."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()


def _checked(found: Row, version: int, viewer: Viewer) -> Checked:
    verdict = _verdict(found, version, viewer)
    return Checked(
        verdict,
        version,
        initials(found["given_name"], found["family_name"]),
        found["title"],
        found["headline"] if verdict is Verdict.GENUINE else None,
    )


def _verdict(found: Row, version: int, viewer: Viewer) -> Verdict:
    """A version stands as long as it is the last one and its result is neither revoked nor withheld.

    What was withheld was issued, so it is not unknown; yet it stands no more, as if another version had come: whether
    and why it is withheld is between the candidate, the board and those who may see the result (R6, R11).
    """
    moments = Moments(found["released_at"], found["withheld_at"], found["revoked_at"])
    stands = status(Outcome[found["outcome"]], moments, viewer.at)
    if stands is ResultStatus.REVOKED:
        return Verdict.REVOKED
    if stands is ResultStatus.RELEASED and version == found["version"]:
        return Verdict.GENUINE
    return Verdict.SUPERSEDED


async def _count(viewer: Viewer) -> None:
    """Count one check, right or wrong; one that its own network may not make does not count for the service.

    Raises TooManyTries.
    """
    for rate, subject in ((BY_ADDRESS, network(viewer.address)), (OF_SERVICE, "all")):
        if not await rate.count(subject, viewer.at):
            raise TooManyTries(rate.ends_at(viewer.at))
