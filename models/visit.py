"""One operation as the trail tells of it: its path, its id, and whose data it was shown (G1)."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

Version = tuple[UUID, int]  # a result's id, and which version of it
Seen = tuple[UUID, UUID | None, int | None]  # what `About` holds


class About(NamedTuple):
    """Whose data, and which version of which result, where it is about one."""

    candidate_id: UUID
    result_id: UUID | None = None
    version: int | None = None


@dataclass(slots=True, eq=False)
class Shown:
    """Candidates, and versions of results with their candidate."""

    candidates: set[UUID] = field(default_factory=set)
    results: dict[Version, UUID] = field(default_factory=dict)

    def add(self, candidate_id: UUID, result_id: UUID | None = None, version: int | None = None) -> None:
        """One candidate, or one version of a result of theirs."""
        if result_id is None or version is None:
            self.candidates.add(candidate_id)
        else:
            self.results[(result_id, version)] = candidate_id


@dataclass(slots=True, eq=False)
class Visit:
    """What an operation was shown, and what of it stands in the trail already."""

    path: str = ""
    request_id: str = ""
    shown: list[Seen] = field(default_factory=list)  # as it comes, often the same; sorted out in the end
    noted: set[Seen] = field(default_factory=set)
    has_page: bool = False  # whether a statement that reads a page was given an entry to write

    def take(self) -> Shown:
        """What has yet to be left in the trail; from now on nothing has been shown.

        A candidate who is named with a result is not named alone.
        """
        left = Shown()
        for one in set(self.shown) - self.noted:
            left.add(*one)
        left.candidates.difference_update(left.results.values(), [candidate_id for candidate_id, _, _ in self.noted])
        self.shown, self.noted, self.has_page = [], set(), False
        return left
