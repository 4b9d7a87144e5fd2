"""Sandboxes: for each institution one, with invented candidates, for its programs to try themselves out on (P4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Rate, forget
from errors import InstitutionNotFound, InvalidInput, NotLoggedIn, Refusal, TooManyTries
from models.institution import APPROVED, REAL, Institution, InstitutionStatus
from models.institution_form import one_line, text_problems
from models.journal import EventKind
from models.sandbox import SECRET_NUMBER, cases, is_invented
from models.statement import check_token
from models.viewer import Viewer
from resolvers import sandbox_access as access
from resolvers import sandbox_rows, simulating
from resolvers.verifying import LOCKS, Numbers, counted

RESETS = Rate("sandbox resets", most=30, window=timedelta(days=1))
NAME = "{name} (sandbox)"


@dataclass(frozen=True, slots=True)
class Made:
    """A sandbox that is there now, and whether it was before."""

    id: UUID
    was_there: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """What can be looked up in a sandbox, and what `findResult` answers until something is simulated."""

    about: str
    statement_number: str
    version: int
    check_token: str
    date_of_birth: date
    id_number: str
    secret_number: str
    answer: str


async def create(viewer: Viewer, name: str | None = None) -> Made:
    """Make the sandbox of the viewer's institution; once more, it is the one that is there, as it is.

    Raises NotLoggedIn, NotAllowed, InvalidInput or TooManyTries.
    """
    access.must_manage(viewer)
    name = None if name is None else one_line(name)
    if name is not None and (problems := text_problems("name", name)):
        raise InvalidInput(problems)
    if (there := await access.of(viewer)) is not None:
        return Made(there, True)
    await _count(viewer)
    async with database.transaction():
        owner = await _owner(viewer)
        if (there := await access.of(viewer)) is not None:
            return Made(there, True)
        sandbox = await _made(viewer, owner, name or owner.name)
        await _fill(viewer, sandbox, [])
    return Made(sandbox.id, False)


async def reset(viewer: Viewer, sandbox_id: UUID) -> UUID:
    """Take all away that is in the sandbox, and make it anew: other ids, the same numbers.

    What its journal told stays told, and behind it come the events of the new shares: cursors stay good. Keys,
    webhooks, templates and downloads stay. Raises NotLoggedIn, NotAllowed, InstitutionNotFound or TooManyTries.
    """
    access.must_manage(viewer)
    if await access.of(viewer) != sandbox_id:
        raise InstitutionNotFound
    await _count(viewer)
    async with database.transaction():
        sandbox = await access.locked(viewer)
        numbers = await sandbox_rows.id_numbers_of(sandbox.id)
        await sandbox_rows.empty(sandbox.id)
        await _fill(viewer, sandbox, numbers)
        await _forget_tries(viewer, sandbox)
    return sandbox.id


async def _count(viewer: Viewer) -> None:
    subject = str(viewer.institution_id)
    if not await RESETS.count(subject, viewer.at):
        raise TooManyTries(RESETS.ends_at(viewer.at))


async def _owner(viewer: Viewer) -> Institution:
    """The viewer's institution, kept from others until the transaction ends. Raises NotLoggedIn."""
    found = await database.row(
        f"SELECT institution.* FROM institution WHERE id = :id AND {APPROVED} AND {REAL} FOR NO KEY UPDATE",
        id=viewer.institution_id,
    )
    if found is None:
        raise NotLoggedIn
    return Institution._init_from_db(**found)


async def _made(viewer: Viewer, owner: Institution, name: str) -> Institution:
    """It has no names to be found by (see `institutions.name_for_search`)."""
    return await Institution.create(
        name=NAME.format(name=name),
        department=owner.department,
        kind=owner.kind,
        country=owner.country,
        city=owner.city,
        website=owner.website,
        timezone=owner.timezone,
        status=InstitutionStatus.APPROVED,
        applied_at=viewer.at,
        approved_at=viewer.at,
        sandbox_of_id=owner.id,
    )


async def _fill(viewer: Viewer, sandbox: Institution, id_numbers: Sequence[str]) -> None:
    try:
        for one in await sandbox_rows.fill(viewer, sandbox, id_numbers):
            for event in one.case.then:
                await simulating.happen_to(viewer, sandbox.id, EventKind(event), one.result_id)
    except Refusal as refusal:
        raise ValueError("The cases of sandboxes do not go by the rules any more.") from refusal


async def _forget_tries(viewer: Viewer, sandbox: Institution) -> None:
    """Let what was locked by wrong tries be looked up again."""
    inside = sandbox_rows.verifier_of(viewer, sandbox.id)
    for sample in await samples(sandbox.id):
        await forget(LOCKS[Numbers.STATEMENT], counted(inside, sample.statement_number))
        await forget(LOCKS[Numbers.ENTRY], counted(inside, sample.id_number))


async def samples(sandbox_id: UUID) -> list[Sample]:
    """What can be looked up in a sandbox, in the order of the cases; what was simulated since is left out."""
    found = await database.rows(
        """SELECT result.statement_number, result.version, candidate.date_of_birth, entry.id_number
           FROM result JOIN entry ON entry.id = result.entry_id JOIN candidate ON candidate.id = entry.candidate_id
           WHERE candidate.sandbox_id = :id ORDER BY result.statement_number""",
        id=sandbox_id,
    )
    return [_sample(row, place) for place, row in enumerate(found[: len(cases())])]


def _sample(row: Row, place: int) -> Sample:
    number = row["statement_number"]
    assert is_invented(number)
    return Sample(
        about=cases()[place].about,
        statement_number=number,
        version=row["version"],
        check_token=check_token(number, row["version"]),
        date_of_birth=row["date_of_birth"],
        id_number=row["id_number"],
        secret_number=SECRET_NUMBER,
        answer=cases()[place].answer,
    )
