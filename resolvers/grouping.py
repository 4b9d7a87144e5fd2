"""Rows of many owners, sorted out by owner."""

from collections import defaultdict
from typing import Any

from engine.database import Row


def grouped(rows: list[Row], owner: str) -> dict[Any, list[Row]]:
    """One list of rows per value of the column `owner`, in the order in which they came."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[owner]].append(row)
    return groups
