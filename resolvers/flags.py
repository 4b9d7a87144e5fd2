"""What staff should look at before they decide an application: likely duplicates, look-alikes, free mail (O4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from engine import database
from engine.database import Row
from models.domains import domain_of_email, is_free_mail
from models.likeness import same_text
from models.viewer import Viewer
from resolvers import applications, columns

MOST_NAMED = 20  # of a flag
MOST_FOUND = 2000


class FlagKind(Enum):
    """What is remarkable."""

    SAME_DOMAIN = "SAME_DOMAIN"
    SAME_NAME = "SAME_NAME"
    LOOK_ALIKE = "LOOK_ALIKE"
    FREE_MAIL = "FREE_MAIL"


@dataclass(frozen=True, slots=True)
class Flag:
    """One remark on an application: the domain or the name it is about, and the other institutions that have it."""

    kind: FlagKind
    fact: str
    institutions: list[Row]


async def of_applications(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, list[Flag]]:
    """The flags of each of these applications that the viewer may see, by two statements."""
    rows = await applications.by_ids(viewer, ids)
    others = await _alike(list(rows.values())) if rows else []
    return {
        id: _flags(row, [one for one in others if one["found_id"] != row["institution_id"]]) for id, row in rows.items()
    }


async def _alike(rows: list[Row]) -> list[Row]:
    """All institutions, applied ones too, with a domain or a skeleton of these; for merged ones the kept ones."""
    return await database.rows(
        f"""SELECT found.id AS found_id, found.name AS found_name, found.domain AS found_domain,
                   found.skeleton AS found_skeleton, {columns.INSTITUTION}
            FROM institution AS found JOIN institution ON institution.id = coalesce(found.merged_into_id, found.id)
            WHERE found.domain = ANY(:domains) OR found.skeleton = ANY(:skeletons)
            ORDER BY found.applied_at, found.id LIMIT {MOST_FOUND}""",
        domains=sorted({domain for row in rows for domain in _domains(row)}),
        skeletons=sorted({row["skeleton"] for row in rows if row["skeleton"]}),
    )


def _domains(row: Row) -> list[str]:
    """The domains of an application: its website's, and its applicant's, unless anybody can have an address there."""
    email = row["applicant_email"]
    of_email = None if is_free_mail(email) else domain_of_email(email)
    return [domain for domain in dict.fromkeys((row["domain"], of_email)) if domain]


def _flags(row: Row, others: list[Row]) -> list[Flag]:
    name, email = row["institution_name"], row["applicant_email"]
    found = [
        Flag(FlagKind.SAME_DOMAIN, domain, [one for one in others if one["found_domain"] == domain])
        for domain in _domains(row)
    ]
    alike = [one for one in others if row["skeleton"] and one["found_skeleton"] == row["skeleton"]]
    same = [one for one in alike if same_text(one["found_name"], name)]
    found.append(Flag(FlagKind.SAME_NAME, name, same))
    found.append(Flag(FlagKind.LOOK_ALIKE, name, [one for one in alike if one not in same]))
    flags = [Flag(one.kind, one.fact, _once(one.institutions)) for one in found if one.institutions]
    if is_free_mail(email):
        flags.append(Flag(FlagKind.FREE_MAIL, email.rpartition("@")[2].lower(), []))
    return flags


def _once(institutions: list[Row]) -> list[Row]:
    """Each of them once, however many were merged into it; the first ones."""
    return list({one["institution_id"]: one for one in institutions}.values())[:MOST_NAMED]
