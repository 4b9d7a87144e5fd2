"""Exams: reading them, and loading the reference data that the service ships with."""

import csv
from datetime import date
from importlib.resources import files
from typing import Any

from engine import database, migrations
from engine.database import Row
from models.exam import Exam, GradeBand, Scale
from models.grades import scale_of_exam
from resolvers import columns

READ = f"SELECT {columns.EXAM} FROM exam JOIN scale ON scale.code = exam.scale_id"


async def every() -> list[Row]:
    """All exams, by code."""
    return await database.rows(f"{READ} ORDER BY exam.code")


async def by_codes(codes: list[str]) -> dict[str, Row]:
    """The exams with these codes."""
    found = await database.rows(f"{READ} WHERE exam.code = ANY(:codes)", codes=codes)
    return {exam["exam_code"]: exam for exam in found}


async def bands_of(code: str) -> list[dict[str, Any]]:
    """The grade bands that hold for an exam, lowest first; none for an exam without scores."""
    return await GradeBand.filter(exam_code=scale_of_exam(code)).order_by("lowest").values()


def problem_of_date(exam: Row | None, code: str, day: date) -> tuple[str, str] | None:
    """The column at fault and why, if there was no such exam on this day."""
    if exam is None:
        return "examCode", f"There is no exam {code!r}."
    last: date | None = exam["last_date"]
    if day < exam["first_date"] or (last is not None and day > last):
        until = f"until {last}" if last else "onwards"
        return "examDate", f"{code} was held from {exam['first_date']} {until}, not on {day}."
    return None


async def load_reference_data() -> None:
    """Write the shipped exams, scales and bands into the database, as far as it has others.

    What is there already is neither written nor locked: others enter candidates for these exams meanwhile. A band that
    is no longer shipped goes, or it would overlap the one that took its place.
    """
    async with database.transaction():
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=migrations.LOCK)
        await _keep(Scale, {(line["scale"],): _scale(line) for line in _lines("scales.csv")}, "code")
        await _keep(Exam, {(line["code"],): _exam(line) for line in _lines("exams.csv")}, "code")
        bands = {(line["exam"], int(line["min"])): _band(line) for line in _lines("bands.csv")}
        await _keep(GradeBand, bands, "exam_code", "lowest")
        for band in await GradeBand.all():
            if (band.exam_code, band.lowest) not in bands:
                await band.delete()


async def _keep(
    model: type[Scale | Exam | GradeBand], wanted: dict[tuple[Any, ...], dict[str, Any]], *key: str
) -> None:
    """Let there be a row with each key and its facts."""
    there = {tuple(getattr(row, name) for name in key): row for row in await model.all()}
    for values, facts in wanted.items():
        row = there.get(values)
        if row is None:
            await model.create(**dict(zip(key, values, strict=True)), **facts)
        elif any(getattr(row, name) != fact for name, fact in facts.items()):
            await row.update_from_dict(facts).save(update_fields=list(facts))


def _lines(name: str) -> list[dict[str, str]]:
    text = files("models").joinpath("exams", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _scale(line: dict[str, str]) -> dict[str, Any]:
    numbers = ("overall_min", "overall_max", "skill_min", "skill_max")
    return {name: int(line[name]) if line[name] else None for name in numbers} | {"shown_as": line["shown_as"] or None}


def _exam(line: dict[str, str]) -> dict[str, Any]:
    return {
        "title": line["title"],
        "former_title": line["former_title"] or None,
        "scale_id": line["scale"],
        "skills": line["skills"].split(),
        "photo": line["photo"] == "yes",
        "first_date": date.fromisoformat(line["from"]),
        "last_date": date.fromisoformat(line["until"]) if line["until"] else None,
    }


def _band(line: dict[str, str]) -> dict[str, Any]:
    return {
        "highest": int(line["max"]),
        "grade": line["grade"] or None,
        "former_grade": line["grade_until_2019"] or None,
        "headline_level": line["headline_level"] or None,
        "cefr": line["cefr"] or None,
        "certificate": line["certificate"] == "yes",
    }
