"""Institutions by their keys, with departments, and the names they are found by (S1, S2)."""

from collections.abc import Sequence
from uuid import UUID

from engine import database
from models.domains import domain_of_site
from models.institution import Institution, InstitutionName
from models.likeness import skeleton
from models.names import folded, grams, shown_name
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source

SOURCE = Source(Institution, f"SELECT {columns.INSTITUTION} FROM institution", "institution.id", "institution_id")
by_ids = SOURCE.by_ids


async def with_departments(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, bool]:
    """Those of these institutions with a department that the viewer can send to, too (S2)."""
    visible = Institution.visible_to(viewer)
    found = await database.rows(
        f"""SELECT DISTINCT parent_id FROM institution
            WHERE parent_id = ANY(:ids) AND status = 'APPROVED' AND {visible}""",
        ids=list(ids),
        **visible.named,
    )
    return {row["parent_id"]: True for row in found}


async def aliases_of(ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The names beside their own that these institutions are found by, as written."""
    found = await database.rows(
        """SELECT institution_id, array_agg(written ORDER BY id) AS aliases FROM institution_name
           WHERE institution_id = ANY(:ids) AND is_alias GROUP BY institution_id""",
        ids=list(ids),
    )
    return {row["institution_id"]: row["aliases"] for row in found}


async def name_for_search(institution: Institution, aliases: list[str]) -> None:
    """Store what it is found by: its name as shown, without and with department, and aliases; and its likeness (O4)."""
    await database.rows(
        "UPDATE institution SET domain = :domain, skeleton = :skeleton WHERE id = :id",
        domain=domain_of_site(institution.website),
        skeleton=skeleton(institution.name),
        id=institution.id,
    )
    names = {shown_name(institution.name, institution.department): False, **dict.fromkeys(aliases, True)}
    await InstitutionName.filter(institution_id=institution.id).delete()
    for written, is_alias in names.items():
        searched = folded(written)
        await InstitutionName.create(
            institution_id=institution.id, written=written, searched=searched, grams=grams(searched), is_alias=is_alias
        )
