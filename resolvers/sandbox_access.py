"""Which sandbox a viewer may know of, and who may have it made, made anew, and played with (P4)."""

from uuid import UUID

from engine import database
from errors import InstitutionNotFound
from models.institution import APPROVED, Institution
from models.scope import Scope
from models.viewer import Kind, Viewer


async def of(viewer: Viewer) -> UUID | None:
    """The sandbox that the viewer's institution has, or is; None where there is none, or nobody may know of it."""
    if viewer.is_sandbox:
        return viewer.institution_id
    if viewer.kind not in (Kind.VERIFIER, Kind.KEY):
        return None
    found: UUID | None = await database.value(
        "SELECT id FROM institution WHERE sandbox_of_id = :id", id=viewer.institution_id
    )
    return found


def must_manage(viewer: Viewer) -> None:
    """Raises NotLoggedIn or NotAllowed for all but the Primary User, and keys that manage."""
    if viewer.kind is Kind.KEY:
        viewer.must_act(Scope.MANAGE)
    else:
        viewer.must_be_primary()


async def locked(viewer: Viewer) -> Institution:
    """The viewer's sandbox, kept from others until the transaction ends. Raises InstitutionNotFound."""
    found = await database.row(
        f"SELECT institution.* FROM institution WHERE id = :id AND {APPROVED} FOR NO KEY UPDATE",
        id=await of(viewer),
    )
    if found is None:
        raise InstitutionNotFound
    return Institution._init_from_db(**found)
