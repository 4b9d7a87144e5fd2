"""Rows of files of candidates and of results, and what becomes of them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg

from models.entry import Centre
from models.viewer import Kind, Viewer
from resolvers import entering, loading
from resolvers.entering import Confirmation
from resolvers.rows import Given
from tests.world import World

Texts = dict[str, str]
SKILLS = {"reading": "170", "useOfEnglish": "160", "writing": "180", "listening": "165", "speaking": "168"}


def candidate_row(number: int = 1, **texts: str) -> Texts:
    """A candidate of the world's centre for C1 Advanced."""
    key = {"centre": "JP901", "examCode": "C1_ADVANCED", "examDate": "2026-09-20", "candidateNumber": f"{number:04}"}
    return key | {"familyName": f"Mori{number}", "givenName": "Aoi", "dateOfBirth": "2001-02-03"} | texts


def result_row(number: int = 1, **texts: str) -> Texts:
    """A result of that candidate: 169, the mean of five skills."""
    key = {name: text for name, text in candidate_row(number).items() if name in loading.REQUIRED}
    return key | {"overallScore": "169", **SKILLS} | texts


def given(rows: Iterable[Mapping[str, str]]) -> list[Given]:
    """The rows as a file or an order gives them, the first on line 2."""
    return [Given(line, {name: text for name, text in row.items() if text}) for line, row in enumerate(rows, start=2)]


@dataclass
class Became:
    """What became of all the rows."""

    new: list[Confirmation] = field(default_factory=list)
    loaded: int = 0
    replaced: int = 0
    there: int = 0
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def columns(self) -> list[tuple[int, str]]:
        """Where the faults are."""
        return [(line, column) for line, column, _ in self.faults]


def board(world: World) -> Viewer:
    """The board's staff."""
    return world.viewer(Kind.STAFF, UUID(int=7), is_board=True)


def centre_staff(world: World, centre: Centre) -> Viewer:
    """A centre's staff."""
    return world.viewer(Kind.STAFF, UUID(int=8), centre_id=centre.id)


async def enter(world: World, rows: Sequence[Mapping[str, str]], viewer: Viewer | None = None) -> Became:
    """Enter rows, by the board unless somebody else is named."""
    became = Became()
    async for done in entering.enter(viewer or board(world), given(rows)):
        became.new += done.new
        became.there += done.there
        became.faults += [(one.line, one.column, one.reason) for bad in done.bad for one in bad.faults]
    return became


async def load(world: World, rows: Sequence[Mapping[str, str]], replaces: bool = False) -> Became:
    """Load rows by the board."""
    became = Became()
    async for done in loading.load(board(world), given(rows), replaces):
        became.loaded += done.new
        became.replaced += done.replaced
        became.there += done.there
        became.faults += [(one.line, one.column, one.reason) for bad in done.bad for one in bad.faults]
    return became


def write(path: Path, rows: Sequence[Mapping[str, str]], encoding: str = "utf-8") -> Path:
    """A CSV file with the columns of the first row."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


TABLES = ("candidate", "entry", "result", "skill_score")


async def contents(database_url: str) -> dict[str, str]:
    """A digest of the rows of each table that loading writes to."""
    connection = await asyncpg.connect(database_url)
    digest = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} AS t"
    digests = {name: await connection.fetchval(digest.format(name)) for name in TABLES}
    await connection.close()
    return digests
