"""Reading entries."""

from collections.abc import Sequence
from uuid import UUID

from engine import database
from engine.database import Row
from models.entry import Entry
from models.viewer import Viewer
from resolvers import columns
from resolvers.reading import Source, grouped
from resolvers.rows import EntryKey

SOURCE = Source(Entry, f"SELECT {columns.ENTRY} FROM entry {columns.ENTRY_JOINS}", "entry.id", "entry_id")
by_ids = SOURCE.by_ids


async def of_candidates(viewer: Viewer, candidate_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Each candidate's entries that the viewer may see, latest exam first."""
    latest_first = "ORDER BY entry.exam_date DESC, entry.id DESC"
    found = await SOURCE.rows(viewer, "entry.candidate_id = ANY(:ids)", latest_first, ids=list(candidate_ids))
    return grouped(found, "candidate_id")


async def by_keys(keys: Sequence[EntryKey]) -> dict[EntryKey, Row]:
    """Entries with their candidates, by what a row of a file names them by; for whoever may enter and load."""
    found = await database.rows(
        """SELECT wanted.*, entry.id AS entry_id, entry.candidate_id, entry.results_by,
                  candidate.family_name, candidate.given_name, candidate.native_name, candidate.date_of_birth
           FROM unnest(:centres::text[], :exams::text[], :dates::date[], :numbers::text[])
                AS wanted (centre, exam, exam_date, candidate_number)
           JOIN centre ON centre.number = wanted.centre
           JOIN entry ON entry.centre_id = centre.id AND entry.exam_id = wanted.exam
                AND entry.exam_date = wanted.exam_date AND entry.candidate_number = wanted.candidate_number
           JOIN candidate ON candidate.id = entry.candidate_id AND candidate.sandbox_id IS NULL""",
        centres=[key.centre for key in keys],
        exams=[key.exam for key in keys],
        dates=[key.exam_date for key in keys],
        numbers=[key.candidate_number for key in keys],
    )
    return {EntryKey(one["centre"], one["exam"], one["exam_date"], one["candidate_number"]): one for one in found}


async def merged_into(candidate_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """The candidates whose entries went to each of these accounts, as they were entered; for whoever may enter."""
    found = await database.rows(
        """SELECT merged_into_id, family_name, given_name, native_name, date_of_birth FROM candidate
           WHERE merged_into_id = ANY(:ids)""",
        ids=list(candidate_ids),
    )
    return grouped(found, "merged_into_id")
