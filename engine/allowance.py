"""The allowance of an account in points, told with every answer (P3): counted with the statement that finds the asker.

A window is a minute of the clock, the same for everybody. One row of an unlogged table holds what an account has
spent in the latest window: nothing of it is written ahead or flushed, so that counting costs a read next to nothing;
when PostgreSQL crashes, everybody has their whole allowance once more, and no more is lost than that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from engine import database
from engine.database import MAY_RUN_TWICE, Row
from engine.limits import Rate
from errors import Sentence

WINDOW = timedelta(minutes=1)
NO_KEY = "NULL::uuid"
CLOCK = Rate("points", most=0, window=WINDOW)

# What was spent in an earlier window counts no more; two processes' clocks differ a little: the later one holds.
# The first operation of an account always fits: no allowance is smaller than the largest operation (settings.py).
COUNTED = """
    INSERT INTO allowance AS a (account_id, window_started_at, spent, by_key, key_id, is_within)
    SELECT asker.institution_id, :window_started_at, :cost::int,
           CASE WHEN {key} IS NULL THEN '{{}}' ELSE jsonb_build_object({key}::text, :cost) END, {key}, true
    FROM asker WHERE asker.institution_id IS NOT NULL
    ON CONFLICT (account_id) DO UPDATE SET (window_started_at, spent, by_key, key_id, is_within) = (
        SELECT greatest(a.window_started_at, excluded.window_started_at),
               before.spent + CASE WHEN fits THEN :cost ELSE 0 END,
               CASE WHEN fits AND excluded.key_id IS NOT NULL
                    THEN before.by_key || jsonb_build_object(excluded.key_id::text, by_this + :cost)
                    ELSE before.by_key END,
               excluded.key_id, fits
        FROM (SELECT CASE WHEN a.window_started_at >= excluded.window_started_at THEN a.spent ELSE 0 END AS spent,
                     CASE WHEN a.window_started_at >= excluded.window_started_at THEN a.by_key ELSE '{{}}' END
                         AS by_key) AS before,
        LATERAL (SELECT coalesce((before.by_key ->> excluded.key_id::text)::int, 0) AS by_this) AS of_key,
        LATERAL (SELECT before.spent + :cost <= :account_most::int
                        AND (excluded.key_id IS NULL OR by_this + :cost <= :key_most::int) AS fits) AS judged)
    RETURNING a.spent, coalesce((a.by_key ->> a.key_id::text)::int, 0) AS spent_by_key, a.window_started_at, a.is_within
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """An operation that is about to run: what it costs, and how much an account and each of its keys may spend."""

    cost: int
    account_most: int
    key_most: int
    at: datetime

    @property
    def named(self) -> dict[str, Any]:
        """The values that the statement needs."""
        return {
            "cost": self.cost,
            "account_most": self.account_most,
            "key_most": self.key_most,
            "window_started_at": CLOCK.started_at(self.at),
        }


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of one allowance: the institution's, or the key's."""

    name: str
    most: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is left for an asker, the account's own allowance first; all of it comes back at `resets_at` (UTC)."""

    quotas: tuple[Quota, ...]
    resets_at: datetime

    @property
    def least(self) -> Quota:
        """The one that ends first."""
        return min(self.quotas, key=lambda one: one.remaining)

    def seconds(self, now: datetime) -> int:
        """Whole seconds until it comes back: at least one, and none too early."""
        return max(1, -(-(self.resets_at - now) // timedelta(seconds=1)))


class AllowanceUsedUp(Exception):
    """The operation costs more than what is left in this window; nothing was run, and nothing counted."""

    def __init__(self, cost: int, left: Left) -> None:
        short = next(one for one in left.quotas if one.remaining < cost)
        told = "The operation costs {cost} points; of the {most} a minute, {remaining} are left until {resets_at}."
        super().__init__(
            Sentence.of(told, cost=cost, most=short.most, remaining=short.remaining, resets_at=left.resets_at)
        )
        self.cost = cost
        self.short = short
        self.left = left


@lru_cache(maxsize=8)
def counting(asker: str, key_column: str) -> str:
    """The statement `asker`, which also counts what an operation costs against the `institution_id` that it finds.

    Nothing is counted for those who have none. `key_column` holds the id of the key that is asking (`asker.id`).
    """
    return f"""WITH asker AS ({asker}), counted AS ({COUNTED.format(key=key_column)})
               SELECT asker.*, counted.spent, counted.spent_by_key, counted.window_started_at, counted.is_within
               FROM asker LEFT JOIN counted ON true {MAY_RUN_TWICE}"""


async def asker(statement: str, spending: Spending | None, key_column: str = NO_KEY, /, **named: Any) -> Row | None:
    """Who is asking, by this statement, with what is being spent counted in the same one, if anything is."""
    if spending is None:
        return await database.row(statement, **named)
    return await database.row(counting(statement, key_column), **named, **spending.named)


def left_of(found: Row, spending: Spending | None, has_key: bool = False) -> Left | None:
    """What is left of the allowance of this asker; None where nothing is counted. Raises AllowanceUsedUp."""
    if spending is None or found["spent"] is None:
        return None
    quotas = [Quota("institution", spending.account_most, max(0, spending.account_most - found["spent"]))]
    if has_key:
        quotas.append(Quota("key", spending.key_most, max(0, spending.key_most - found["spent_by_key"])))
    left = Left(tuple(quotas), found["window_started_at"] + WINDOW)
    if not found["is_within"]:
        raise AllowanceUsedUp(spending.cost, left)
    return left
