"""For whom a download is made: the user or the key that asked for it, as they stand at this moment."""

from dataclasses import replace
from datetime import datetime

from engine import database
from engine.database import Row
from models.scope import Scope
from models.verifier import VerifierRole, VerifierStatus
from models.viewer import Kind, Viewer
from models.visit import Visit
from resolvers import key_viewers
from resolvers.download_failures import NO_INSTITUTION, NO_KEY, NO_RIGHT, NO_USER, CannotBeMade

PATH = "job makeDownload"


async def viewer_of(download: Row, now: datetime) -> Viewer:
    """Whoever asked for this download. Raises CannotBeMade."""
    found = _of_key(download, now) if download["key_id"] is not None else _of_user(download, now)
    return replace(await found, language=download["language"], visit=Visit(PATH, download["request_id"]))


async def _of_key(download: Row, now: datetime) -> Viewer:
    viewer = await key_viewers.viewer_of_key(download["key_id"], now, download["address"])
    if not viewer.has(Scope.DOWNLOAD) or viewer.institution_id != download["institution_id"]:
        raise CannotBeMade(NO_KEY)
    return viewer


async def _of_user(download: Row, now: datetime) -> Viewer:
    user = await database.row(
        """SELECT verifier_user.status, verifier_user.is_primary, verifier_user.role, verifier_user.institution_id,
                  institution.status AS institution_status
           FROM verifier_user JOIN institution ON institution.id = verifier_user.institution_id
           WHERE verifier_user.id = :id""",
        id=download["verifier_id"],
    )
    if user is None or user["status"] != VerifierStatus.ACTIVE.value:
        raise CannotBeMade(NO_USER)
    if user["institution_status"] != "APPROVED" or user["institution_id"] != download["institution_id"]:
        raise CannotBeMade(NO_INSTITUTION)
    is_reader = user["role"] == VerifierRole.READER.value
    if is_reader and not user["is_primary"]:
        raise CannotBeMade(NO_RIGHT)
    return Viewer(
        Kind.VERIFIER,
        now,
        download["address"],
        id=download["verifier_id"],
        institution_id=download["institution_id"],
        is_primary=user["is_primary"],
        is_reader=is_reader,
    )
