"""Exam centres."""

import re

from engine import database
from engine.database import Row
from errors import InvalidInput, Problem
from models.entry import HOME, Centre
from models.sandbox import CENTRE_LETTERS
from resolvers.rows import CENTRE_NUMBER

COUNTRY = re.compile(r"[A-Z]{2}")


async def add(centre: Centre) -> None:
    """Add a centre. Raises InvalidInput."""
    problems = [
        Problem(name, f"The {name} is missing.") for name in ("name", "city") if not getattr(centre, name).strip()
    ]
    if not CENTRE_NUMBER.fullmatch(centre.number):
        problems.append(Problem("number", "A centre number has up to 10 digits and capital letters."))
    if centre.number.startswith(CENTRE_LETTERS):
        problems.append(Problem("number", f"Numbers with {CENTRE_LETTERS} are of invented centres."))
    if centre.number == HOME:
        problems.append(Problem("number", "This number is that of candidates' homes."))
    if not COUNTRY.fullmatch(centre.country):
        problems.append(Problem("country", "A country is two capital letters, such as JP."))
    if await Centre.exists(number=centre.number):
        problems.append(Problem("number", "There is a centre with this number already."))
    if problems:
        raise InvalidInput(problems)
    await centre.save()


async def every() -> list[Row]:
    """All centres, by number; without the invented ones of sandboxes."""
    return await database.rows(
        "SELECT number, name, city, country FROM centre WHERE NOT starts_with(number, :invented) ORDER BY number",
        invented=CENTRE_LETTERS,
    )
