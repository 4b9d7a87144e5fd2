"""For whom a job goes on with an order: the user or the key that gave it, as they stand at this moment."""

from dataclasses import replace
from datetime import datetime
from enum import Enum

from engine import database
from engine.database import Row
from models.institution import APPROVED
from models.scope import Scope
from models.verifier import VerifierRole, VerifierStatus
from models.viewer import Kind, Viewer
from models.visit import Visit
from resolvers import key_viewers


class Ended(Enum):
    """What has ended since the order was given."""

    USER = "USER"
    RIGHT = "RIGHT"
    KEY = "KEY"
    INSTITUTION = "INSTITUTION"


class OrdererEnded(Exception):
    """Nobody is there any more on whose behalf the order could be carried out."""

    def __init__(self, what: Ended) -> None:
        super().__init__(what.value)
        self.what = what


async def viewer_of(order: Row, scope: Scope, path: str, now: datetime) -> Viewer:
    """Whoever gave this order, if they still may; keys need the scope, users must not be readers.

    The row holds `verifier_id` or `key_id`, and `institution_id`, `address` and `request_id`. Raises OrdererEnded.
    """
    viewer = await _key(order, scope, now) if order["key_id"] is not None else await _user(order, now)
    return replace(viewer, visit=Visit(path, order["request_id"]))


async def _key(order: Row, scope: Scope, now: datetime) -> Viewer:
    viewer = await key_viewers.viewer_of_key(order["key_id"], now, order["address"])
    if not viewer.has(scope) or viewer.institution_id != order["institution_id"]:
        raise OrdererEnded(Ended.KEY)
    return viewer


async def _user(order: Row, now: datetime) -> Viewer:
    user = await database.row(
        f"""SELECT verifier_user.status, verifier_user.is_primary, verifier_user.role, verifier_user.language,
                   verifier_user.institution_id, {APPROVED} AS is_let_in
            FROM verifier_user JOIN institution ON institution.id = verifier_user.institution_id
            WHERE verifier_user.id = :id""",
        id=order["verifier_id"],
    )
    if user is None or user["status"] != VerifierStatus.ACTIVE.value:
        raise OrdererEnded(Ended.USER)
    if not user["is_let_in"] or user["institution_id"] != order["institution_id"]:
        raise OrdererEnded(Ended.INSTITUTION)
    viewer = Viewer(
        Kind.VERIFIER,
        now,
        order["address"],
        id=order["verifier_id"],
        institution_id=order["institution_id"],
        is_primary=user["is_primary"],
        is_reader=user["role"] == VerifierRole.READER.value,
        language=user["language"],
    )
    if not viewer.may_more_than_read:
        raise OrdererEnded(Ended.RIGHT)
    return viewer
