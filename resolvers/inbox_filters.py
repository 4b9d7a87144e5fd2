"""Which shares of an inbox are wanted, as SQL that asks for nothing else (V1)."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from models.person_names import grams_of, patterns_of, words_of

LONGEST_TEXT = 200
MOST_MONTHS = 36  # of a span of exam dates that are looked for one by one; of a longer one, the years
EARLIEST_EXAM = date(1900, 1, 1)

KEYS = "inbox_line.keys {} (SELECT inbox_keys(:viewer_institution_id, :{}::text[]))"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions, each empty where nothing of the kind is asked, and the values that they name.

    `of_share` is about `share`; `keys`, which an index answers, and `of_line` are about `inbox_line`.
    """

    of_share: str = ""
    keys: str = ""
    of_line: str = ""
    named: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked of a share; None, and an empty list or text, asks nothing. Moments and dates are inclusive."""

    is_read: bool | None = None
    name: str | None = None
    exams: tuple[str, ...] = ()
    cefr: tuple[str, ...] = ()
    exam_date_from: date | None = None
    exam_date_to: date | None = None
    sent_from: datetime | None = None
    sent_to: datetime | None = None
    statement_number: str | None = None
    reference: str | None = None

    def wanted(self, today: date) -> Wanted:
        """The filter as conditions."""
        of_share = {
            "share.sent_at >= :sent_from": self.sent_from,
            "share.sent_at <= :sent_to": self.sent_to,
        }
        of_line = {
            "inbox_line.exam_date >= :exam_date_from": self.exam_date_from,
            "inbox_line.exam_date <= :exam_date_to": self.exam_date_to,
            "(' ' || inbox_line.searched) LIKE ALL(:insides)": self._insides(),
        }
        lists = {"exams": self._exams(), "levels": self._levels(), "times": self._times(today), "facts": self._facts()}
        keys = [KEYS.format("@>" if name == "facts" else "&&", name) for name, facts in lists.items() if facts]
        read = {True: ["share.is_read"], False: ["NOT share.is_read"], None: []}[self.is_read]
        named = {name: getattr(self, name) for name in ("sent_from", "sent_to", "exam_date_from", "exam_date_to")}
        return Wanted(
            " AND ".join(read + [condition for condition, value in of_share.items() if value is not None]),
            " AND ".join(keys),
            " AND ".join(condition for condition, value in of_line.items() if value is not None),
            named | lists | {"insides": self._insides()},
        )

    @property
    def _words(self) -> list[str]:
        return words_of(self.name or "")

    def _insides(self) -> list[str] | None:
        """Patterns that a name must fit, each."""
        return patterns_of(self._words) or None

    def _facts(self) -> list[str]:
        """What has to be among the keys, all of it; what none has, for a name that is too short to be looked for."""
        too_short = ["no name"] if (self.name or "").strip() and not self._words else []
        numbers = {"number": self.statement_number, "reference": self.reference}
        return [
            *too_short,
            *grams_of(self._words),
            *(f"{kind} {text.strip()[:LONGEST_TEXT]}" for kind, text in numbers.items() if text and text.strip()),
        ]

    def _exams(self) -> list[str]:
        return [f"exam {code}" for code in self.exams]

    def _levels(self) -> list[str]:
        return [f"cefr {level}" for level in self.cefr]

    def _times(self, today: date) -> list[str]:
        """The months of the exam dates asked for, or the years if there are too many months; none if they are open.

        No result of an exam after today is in any inbox.
        """
        if self.exam_date_from is None and self.exam_date_to is None:
            return []
        first, last = self.exam_date_from or EARLIEST_EXAM, min(self.exam_date_to or today, today)
        months = range(_month(first), _month(last) + 1)
        if len(months) > MOST_MONTHS:
            return [f"year {year:04}" for year in range(max(first, EARLIEST_EXAM).year, last.year + 1)]
        return [f"month {month // 12:04}-{month % 12 + 1:02}" for month in months] or ["month never"]


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1
