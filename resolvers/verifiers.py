"""Reading users of institutions' accounts."""

from engine.database import Row
from models.verifier import VerifierUser
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source

SOURCE = Source(VerifierUser, f"SELECT {columns.VERIFIER} FROM verifier_user", "verifier_user.id", "verifier_id")
by_ids = SOURCE.by_ids


async def colleagues(viewer: Viewer) -> list[Row]:
    """All users of the verifier's institution, the Primary User first, then by name."""
    return await SOURCE.rows(
        viewer,
        "verifier_user.institution_id = :institution_id AND verifier_user.status <> 'REMOVED'",
        "ORDER BY verifier_user.is_primary DESC, verifier_user.name, verifier_user.id LIMIT 500",
        institution_id=viewer.institution_id,
    )
