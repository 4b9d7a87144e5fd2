"""What the board's staff change of an institution (S1, S2)."""

from dataclasses import dataclass
from uuid import UUID

import structlog

from engine import database
from engine.database import Row
from errors import InstitutionNotFound, InvalidInput, Problem
from models import timezones
from models.institution import Institution, InstitutionKind, InstitutionName, InstitutionStatus
from models.institution_form import Details, one_line, text_problems
from models.viewer import Viewer
from resolvers import institutions

MOST_ALIASES = 50
DETAILS = ("name", "department", "country", "city", "website", "timezone", "kind", "parent_id")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be changed; None stays as it is, and an empty department or `is_main` is none."""

    name: str | None = None
    department: str | None = None
    kind: InstitutionKind | None = None
    country: str | None = None
    city: str | None = None
    website: str | None = None
    timezone: str | None = None
    parent_id: UUID | None = None
    is_main: bool = False
    aliases: list[str] | None = None


async def change(viewer: Viewer, institution_id: UUID, wishes: Wishes) -> Row:
    """Change an institution, and what it is found by; the institution as it is now.

    Raises NotLoggedIn, NotAllowed, InvalidInput or InstitutionNotFound.
    """
    viewer.must_be_board()
    async with database.transaction():
        institution = await Institution.visible_to(viewer).get_or_none(institution_id, lock="FOR NO KEY UPDATE")
        if institution is None or institution.status is InstitutionStatus.MERGED:
            raise InstitutionNotFound
        before = await InstitutionName.filter(institution_id=institution.id, is_alias=True).order_by("id")
        aliases = [one_line(alias) for alias in wishes.aliases or []]
        await _check(institution, _write(institution, wishes), aliases)
        await institution.save(update_fields=list(DETAILS))
        kept = [one.written for one in before] if wishes.aliases is None else aliases
        await institutions.name_for_search(institution, kept)
        log.info("institution.changed", institution=str(institution_id), staff=str(viewer.id))
        return (await institutions.by_ids(viewer, [institution_id]))[institution_id]


def _write(institution: Institution, wishes: Wishes) -> Details:
    """Put the wishes in; what everybody may know of it then."""
    details = Details(
        name=institution.name if wishes.name is None else wishes.name,
        department=institution.department if wishes.department is None else wishes.department,
        country=wishes.country or institution.country,
        city=institution.city if wishes.city is None else wishes.city,
        website=institution.website if wishes.website is None else wishes.website,
    ).tidied()
    for name in ("name", "department", "country", "city", "website"):
        setattr(institution, name, getattr(details, name))
    institution.timezone = wishes.timezone or institution.timezone
    institution.kind = wishes.kind or institution.kind
    institution.parent_id = None if wishes.is_main else wishes.parent_id or institution.parent_id
    return details


async def _check(institution: Institution, details: Details, aliases: list[str]) -> None:
    problems = details.problems()
    if institution.timezone not in timezones.places():
        problems.append(Problem("timezone", "The time zone must be an IANA name, such as Asia/Tokyo."))
    if len(aliases) > MOST_ALIASES:
        problems.append(Problem("aliases", f"An institution has at most {MOST_ALIASES} aliases."))
    problems += [problem for alias in aliases[:MOST_ALIASES] for problem in text_problems("aliases", alias)]
    if institution.parent_id is not None and not await _can_be_parent(institution):
        problems.append(
            Problem("parentId", "It must be an approved institution, and of two only one can be a department.")
        )
    if problems:
        raise InvalidInput(problems)


async def _can_be_parent(institution: Institution) -> bool:
    """Whether the parent is another approved main account, and this institution has no departments itself."""
    return bool(
        await database.rows(
            """SELECT 1 FROM institution AS parent WHERE parent.id = :parent_id AND parent.id <> :id
               AND parent.status = 'APPROVED' AND parent.parent_id IS NULL
               AND NOT EXISTS (SELECT 1 FROM institution AS own WHERE own.parent_id = :id AND own.status <> 'REFUSED')
               FOR SHARE OF parent""",
            parent_id=institution.parent_id,
            id=institution.id,
        )
    )
