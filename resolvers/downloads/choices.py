"""Which results a download holds: chosen in the order of the inbox, and fixed in the transaction of the order (D1)."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from engine import database
from models.scope import Scope
from models.share import Part, Share
from models.template import DownloadFormat
from models.viewer import Viewer
from resolvers.inbox_filters import Filter, Wanted

# Results that have a statement, of which a share lets all be seen; when it is made, `statements` decides.
ISSUED = """share.includes_skills AND result.withheld_at IS NULL AND result.revoked_at IS NULL
            AND result.outcome NOT IN ('PENDING', 'WITHHELD')"""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted, by one of three: shares by name, those that a filter finds, or those of an earlier download."""

    share_ids: tuple[UUID, ...] | None = None
    filter: Filter | None = None
    download_id: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        if self.filter is not None:
            return {"filter": {name: value for name, value in asdict(self.filter).items() if value not in (None, ())}}
        if self.download_id is not None:
            return {"download": str(self.download_id)}
        return {"shares": [str(id) for id in self.share_ids or ()]}


@dataclass(frozen=True, slots=True)
class Chosen:
    """How many results are in, and how many of those that were found are not, by the reason why."""

    kept: int
    not_allowed: int
    without_statement: int


async def keep(viewer: Viewer, download_id: UUID, choice: Choice, format: DownloadFormat, most: int) -> Chosen:
    """Fix what is chosen, by one statement; at most one more than `most`, so that it tells that there are too many."""
    wanted = choice.filter.wanted(viewer.at.date()) if choice.filter else Wanted()
    found = await database.row(
        f"""WITH found AS MATERIALIZED (
                SELECT share.id, share.sent_at, share.result_id, result.version,
                       {Share.allows(viewer, Part.DOWNLOADS)} AS is_allowed,
                       {_issued(viewer, format)} AS is_issued
                FROM {_source(choice, wanted)} JOIN result ON result.id = share.result_id
                WHERE {_conditions(viewer, choice, wanted)}
                ORDER BY share.sent_at DESC, share.id DESC LIMIT :most + 1),
            kept AS (
                INSERT INTO download_row (id, download_id, place, share_id, result_id, version)
                SELECT gen_random_uuid(), :download_id, row_number() OVER (ORDER BY sent_at DESC, id DESC) - 1,
                       id, result_id, version FROM found WHERE is_allowed AND is_issued RETURNING 1)
            SELECT (SELECT count(*) FROM kept) AS kept, count(*) FILTER (WHERE NOT is_allowed) AS not_allowed,
                   count(*) FILTER (WHERE is_allowed AND NOT is_issued) AS without_statement FROM found""",
        most=most,
        download_id=download_id,
        share_ids=list(choice.share_ids or ()),
        earlier_id=choice.download_id,
        **wanted.named,
        **viewer.named,
    )
    assert found is not None
    return Chosen(**found)


def _issued(viewer: Viewer, format: DownloadFormat) -> str:
    """SQL that is true for what can stand in such a file at all."""
    if format is not DownloadFormat.PDF:
        return "true"
    return ISSUED if viewer.may(Scope.READ_SKILLS) and not viewer.is_sandbox else "false"


def _source(choice: Choice, wanted: Wanted) -> str:
    if choice.download_id is not None:
        return "download_row AS earlier JOIN share ON share.id = earlier.share_id"
    lined = " AND ".join(filter(None, (wanted.keys, wanted.of_line)))
    return f"share JOIN inbox_line ON inbox_line.share_id = share.id AND {lined}" if lined else "share"


def _conditions(viewer: Viewer, choice: Choice, wanted: Wanted) -> str:
    asked = ""
    if choice.download_id is not None:
        asked = "earlier.download_id = :earlier_id"
    elif choice.share_ids is not None:
        asked = "share.id = ANY(:share_ids)"
    return " AND ".join(filter(None, (str(Share.visible_to(viewer)), asked, wanted.of_share)))
