"""One operation as the trail tells of it: its path, its id, and whose data it was shown (G1)."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

Version = tuple[UUID, int]  # a result's id, and which version of it


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

    def beside(self, other: "Shown") -> "Shown":
        """What is here and not there; a candidate who is named with a result is not named alone."""
        results = {version: candidate for version, candidate in self.results.items() if version not in other.results}
        known = {*self.results.values(), *other.results.values(), *other.candidates}
        return Shown(self.candidates - known, results)


@dataclass(slots=True, eq=False)
class Visit:
    """What an operation was shown, and what of it stands in the trail already."""

    path: str = ""
    request_id: str = ""
    shown: Shown = field(default_factory=Shown)
    noted: Shown = field(default_factory=Shown)

    def take(self) -> Shown:
        """What has yet to be left in the trail; from now on nothing has been shown."""
        left = self.shown.beside(self.noted)
        self.shown, self.noted = Shown(), Shown()
        return left
