"""Finding institutions (S1, S2)."""

from collections.abc import Sequence
from uuid import UUID

from engine import database
from engine.database import Row
from models.domains import domain_of_site
from models.institution import Institution, InstitutionName
from models.likeness import skeleton
from models.names import folded, grams, search_grams, search_words, shown_name
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source

MOST_SUGGESTIONS = 20
LONGEST_SEARCH = 200


SOURCE = Source(Institution, f"SELECT {columns.INSTITUTION} FROM institution", "institution.id", "institution_id")
by_ids = SOURCE.by_ids

# Best first: the whole name, its beginning, the beginning of a word, anything inside; short names before long ones.
SEARCH = f"""
    SELECT {columns.INSTITUTION} FROM institution JOIN (
        SELECT institution_id, min(
            CASE WHEN searched = :search THEN 0 WHEN starts_with(searched, :search) THEN 1
                 WHEN (' ' || searched) LIKE ALL(:beginnings) THEN 2 ELSE 3 END * 1000 + least(length(searched), 999)
        ) AS distance
        FROM institution_name
        WHERE grams @> :grams AND ((' ' || searched) LIKE ALL(:insides) OR strpos(searched, :search) > 0)
        GROUP BY institution_id
    ) AS found ON found.institution_id = institution.id
    WHERE institution.status = 'APPROVED'
    ORDER BY found.distance, institution.name, institution.department NULLS FIRST, institution.id LIMIT :most
"""


async def search(text: str) -> list[Row]:
    """At most 20 approved institutions with this text in a name or alias, best match first; none if it is too short.

    Any case, accents, width and script of an alias; every word must be found, in any order.
    A word of one Latin letter is the beginning of one, unless the text stands in the name just as it is.
    """
    words = search_words(text[:LONGEST_SEARCH].replace("\0", ""))
    if not words:
        return []
    escaped = [word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for word in words]
    return await database.rows(
        SEARCH,
        search=" ".join(words),
        grams=search_grams(words),
        insides=[f"% {word}%" if len(word) == 1 and word.isascii() else f"%{word}%" for word in escaped],
        beginnings=[f"% {word}%" for word in escaped],
        most=MOST_SUGGESTIONS,
    )


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
