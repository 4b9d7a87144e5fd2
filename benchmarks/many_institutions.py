"""25,000 institutions in the tables, and what people type to find them."""

import csv
from collections.abc import Iterator
from typing import Any

import asyncpg

from benchmarks.data import INSTITUTION, LONG_AGO, key
from benchmarks.institution_names import HERE, MANY, Named, institutions
from models.names import folded, grams, shown_name


async def load(connection: asyncpg.Connection, count: int = MANY) -> None:
    """Fill the tables of institutions, which are empty, of a migrated database."""
    all_of_them = institutions(count)
    for table, rows in (("institution", _rows(all_of_them)), ("institution_name", _names(all_of_them))):
        records = list(rows)
        values = [tuple(record.values()) for record in records]
        await connection.copy_records_to_table(table, records=values, columns=list(records[0]), timeout=300)
        await connection.execute(f"VACUUM (ANALYZE) {table}", timeout=300)


def _rows(all_of_them: list[Named]) -> Iterator[dict[str, Any]]:
    mains = {one.name: number for number, one in enumerate(all_of_them) if one.department is None}
    for number, one in enumerate(all_of_them):
        yield {
            "id": key(INSTITUTION, number),
            "name": one.name,
            "department": one.department,
            "parent_id": key(INSTITUTION, mains[one.name]) if one.department else None,
            "kind": "EDUCATION",
            "country": one.country,
            "city": one.city,
            "website": f"https://institution{number}.example",
            "timezone": "UTC",
            "status": "APPROVED",
            "applied_at": LONG_AGO,
            "approved_at": LONG_AGO,
        }


def _names(all_of_them: list[Named]) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(all_of_them):
        for place, written in enumerate(names_of(one)):
            searched = folded(written)
            yield {
                "institution_id": key(INSTITUTION, number),
                "written": written,
                "searched": searched,
                "grams": grams(searched),
                "is_alias": place > 0,
            }


def names_of(one: Named) -> list[str]:
    """All that it is found by, its own name first."""
    return list(dict.fromkeys([shown_name(one.name, one.department), *one.aliases]))


def searches() -> list[tuple[str, str | None]]:
    """What people type, and what they mean: the first answer, or none at all."""
    lines = csv.DictReader((HERE / "searches.csv").read_text("utf-8").splitlines())
    return [(line["search"], line["first"] or None) for line in lines]
