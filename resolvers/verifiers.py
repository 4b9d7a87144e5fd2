"""Reading users of institutions and their organisation."""

from uuid import UUID

from engine import database
from engine.database import Row
from models.template import DownloadTemplate
from models.verifier import VerifierUser
from models.viewer import Viewer
from resolvers import columns


async def by_ids(viewer: Viewer, ids: list[UUID]) -> dict[UUID, Row]:
    """Those of these users that the viewer may see."""
    visible = VerifierUser.visible_to(viewer)
    found = await database.rows(
        f"SELECT {columns.VERIFIER} FROM verifier_user WHERE verifier_user.id = ANY(:ids) AND {visible}",
        ids=ids,
        **visible.named,
    )
    return {one["verifier_id"]: one for one in found}


async def colleagues(viewer: Viewer) -> list[Row]:
    """All users of the verifier's institution, the Primary User first, then by name."""
    visible = VerifierUser.visible_to(viewer)
    return await database.rows(
        f"""SELECT {columns.VERIFIER} FROM verifier_user
            WHERE {visible} AND verifier_user.institution_id = :institution_id AND verifier_user.status <> 'REMOVED'
            ORDER BY verifier_user.is_primary DESC, verifier_user.name, verifier_user.id LIMIT 500""",
        institution_id=viewer.institution_id,
        **visible.named,
    )


async def templates_by_ids(viewer: Viewer, ids: list[UUID]) -> dict[UUID, Row]:
    """Those of these download templates that the viewer may see."""
    visible = DownloadTemplate.visible_to(viewer)
    found = await database.rows(
        f"SELECT {columns.TEMPLATE} FROM download_template WHERE download_template.id = ANY(:ids) AND {visible}",
        ids=ids,
        **visible.named,
    )
    return {one["template_id"]: one for one in found}


async def templates(viewer: Viewer) -> list[Row]:
    """The default template first, then the institution's own by name."""
    visible = DownloadTemplate.visible_to(viewer)
    return await database.rows(
        f"""SELECT {columns.TEMPLATE} FROM download_template WHERE {visible}
            ORDER BY download_template.institution_id NULLS FIRST, download_template.name LIMIT 500""",
        **visible.named,
    )
