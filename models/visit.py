"""One operation as the trail tells of it: its path, its id, and whose data it was shown (G1)."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID


class About(NamedTuple):
    """Whose data, and which version of which result, where it is about one."""

    candidate_id: UUID
    result_id: UUID | None = None
    version: int | None = None


@dataclass(slots=True, eq=False)
class Visit:
    """What an operation was shown and has yet to leave in the trail; `noted` is what it has left there already."""

    path: str = ""
    request_id: str = ""
    shown: set[About] = field(default_factory=set)
    noted: set[About] = field(default_factory=set)
