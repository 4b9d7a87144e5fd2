"""A limit of rate that costs no statement: counted in this process, for reads that are asked with every key."""

from collections import Counter
from datetime import UTC, datetime

from engine.limits import Rate


class Pace:
    """Counts what each subject does in the window that is running; of windows that ended nothing is kept."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._started_at = datetime.min.replace(tzinfo=UTC)
        self._counted: Counter[str] = Counter()

    def count(self, subject: str, now: datetime) -> bool:
        """Count one, and tell whether it was still within the limit."""
        if (started_at := self.rate.started_at(now)) != self._started_at:
            self._started_at = started_at
            self._counted.clear()
        self._counted[subject] += 1
        return self._counted[subject] <= self.rate.most

    def __len__(self) -> int:
        return len(self._counted)
