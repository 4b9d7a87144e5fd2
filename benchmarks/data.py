"""Invented candidates, results and shares, many of each: streamed into the tables by COPY, the same in every build.

The number of a row gives its key and its owner, so the cases know whom to ask as without asking the database.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg

from engine import keys
from models import person_names
from models.base import new_id
from models.consent import CONSENT_VERSION, TERMS_VERSION, consent_sentence
from models.grades import Award, award, scale_of_exam

CANDIDATE, CENTRE, ENTRY, RESULT, INSTITUTION, VERIFIER, SHARE = range(1, 8)
EXAMS = ("B2_FIRST", "B2_FIRST_SCHOOLS", "C1_ADVANCED", "C2_PROFICIENCY")  # all with five skills
LOWEST, HIGHEST = 162, 190  # every exam above has bands for these scores
ABSENT_EVERY = 17  # one result in so many is "absent from all" and has no skill scores
FAMILY = ("Tanaka", "Suzuki", "Sato", "Müller", "García", "Nguyen", "O'Brien", "Kowalska", "Rossi", "Haddad")
GIVEN = ("Aoi", "Haruto", "Yui", "Lena", "Mateo", "Linh", "Aoife", "Zofia", "Giulia", "Omar", "Ren")
RARE, RARE_EVERY = "Wojciechowicz", 20_000  # a family name that few have
NATIVE = {"Tanaka": "田中", "Suzuki": "鈴木", "Sato": "佐藤"}
LAST_EXAM = date(2026, 9, 30)
LONG_AGO = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LAST_SENT = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
LOGGED_IN = 20_000  # how many candidates have a session

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows there are. Every result was sent once, so there are as many shares as results."""

    candidates: int
    results: int
    institutions: int
    dashboards: int

    @property
    def logged_in(self) -> int:
        """How many candidates, the first ones, have a session."""
        return min(self.candidates, LOGGED_IN)


FULL = Size(candidates=200_000, results=300_000, institutions=500, dashboards=1_000)
QUICK = Size(candidates=2_000, results=3_000, institutions=5, dashboards=100)


def key(kind: int, number: int) -> UUID:
    """The key of a row: version 7, in the order of the numbers, as if one row had been made each millisecond."""
    moment = 0x0198_0000_0000 + number
    return UUID(int=(moment << 80) | (7 << 76) | (2 << 62) | (kind << 48) | number)


def token(kind: int, number: int) -> str:
    """The token of the session of a candidate or a verifier."""
    return f"bench-{kind}-{number}"


def candidate_of(result: int, size: Size) -> int:
    """Whose result it is."""
    return result % size.candidates


def institution_of(result: int, size: Size) -> int:
    """To which institution the result was sent; neighbours go far apart, so that a page is scattered over the table."""
    return result * 7919 % size.institutions


def statement_number(result: int) -> str:
    """The number of the result's Statement of Results."""
    return f"S26{result:07}"


async def load(connection: asyncpg.Connection, size: Size) -> None:
    """Fill the tables of a migrated database that holds the exams."""
    awards = await _awards(connection)
    await _copy(connection, "candidate", _candidates(size))
    await _copy(connection, "centre", _centres())
    await _copy(connection, "entry", _entries(size))
    await _copy(connection, "result", _results(size, awards))
    await _copy(connection, "skill_score", _skill_scores(size))
    await _copy(connection, "institution", _institutions(size))
    await _copy(connection, "verifier_user", _verifiers(size))
    await _copy(connection, "share", _shares(size))
    await _copy(connection, "journal", _journal(size))
    await connection.execute("VACUUM (ANALYZE)")


async def load_sessions(connection: asyncpg.Connection, size: Size, now: datetime) -> None:
    """Log in the first candidates and every verifier."""
    await _copy(connection, "session", _sessions(size, now))


async def _copy(connection: asyncpg.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Stream rows into a table; the first tells the columns. Memory does not grow with their number."""
    rows = iter(rows)
    first = next(rows)
    values = (tuple(row.values()) for row in _chain(first, rows))
    await connection.copy_records_to_table(table, records=values, columns=list(first), timeout=600)


def _chain(first: dict[str, Any], rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield first
    yield from rows


async def _awards(connection: asyncpg.Connection) -> dict[tuple[str, int], Award]:
    """What each score of each exam is worth."""
    worth: dict[tuple[str, int], Award] = {}
    for exam in EXAMS:
        found = await connection.fetch("SELECT * FROM grade_band WHERE exam_code = $1", scale_of_exam(exam))
        bands = [dict(band) for band in found]
        worth |= {(exam, score): award(bands, LAST_EXAM, score) for score in range(LOWEST, HIGHEST + 1)}
    return worth


def _candidates(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.candidates):
        family, given = FAMILY[number % len(FAMILY)], GIVEN[number % len(GIVEN)]
        if number % RARE_EVERY == RARE_EVERY - 1:
            family = RARE
        native = f"{NATIVE[family]} {number}" if family in NATIVE else None
        searched = person_names.searched(given, family, native)
        yield {
            "id": key(CANDIDATE, number),
            "family_name": family,
            "given_name": given,
            "native_name": native,
            "searched": searched,
            "grams": person_names.grams(searched),
            "date_of_birth": date(1985, 1, 1) + timedelta(days=number * 37 % 9000),
            "email": f"candidate{number}@mail.example",
            "password_hash": "nobody logs in with a password here",
            "language": "ja" if family in NATIVE else "en",
            "wants_updates": False,
            "terms_version": TERMS_VERSION,
            "terms_accepted_at": LONG_AGO,
            "registered_at": LONG_AGO,
        }


def _centres() -> Iterator[dict[str, Any]]:
    for number in range(20):
        name = f"Examination Centre {number}"
        yield {"id": key(CENTRE, number), "number": f"JP{number:03}", "name": name, "city": "Yokohama", "country": "JP"}


def _entries(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.results):
        exam_date = LAST_EXAM - timedelta(days=number * 13 % 1500)
        yield {
            "id": key(ENTRY, number),
            "candidate_id": key(CANDIDATE, candidate_of(number, size)),
            "exam_id": EXAMS[number % len(EXAMS)],
            "centre_id": key(CENTRE, number % 20),
            "exam_date": exam_date,
            "candidate_number": f"{number:06}",
            "id_number": f"BEN{number:06}",
            "secret_hash": bytes(32),
            "results_by": exam_date + timedelta(weeks=6),
            "claimed_at": LONG_AGO,
        }


def _is_absent(result: int) -> bool:
    return result % ABSENT_EVERY == ABSENT_EVERY - 1


def _score(result: int) -> int:
    return LOWEST + result * 11 % (HIGHEST - LOWEST + 1)


def _results(size: Size, awards: dict[tuple[str, int], Award]) -> Iterator[dict[str, Any]]:
    for number in range(size.results):
        given = None if _is_absent(number) else awards[EXAMS[number % len(EXAMS)], _score(number)]
        yield {
            "id": key(RESULT, number),
            "entry_id": key(ENTRY, number),
            "outcome": given.outcome if given else "ABSENT_FROM_ALL",
            "statement_number": statement_number(number),
            "certificate_number": f"C{number:08}" if given and given.certificate else None,
            "headline": given.headline if given else None,
            "grade": given.grade if given else None,
            "cefr": given.cefr if given else None,
            "overall_score": _score(number) if given else None,
            "version": 1,
            "loaded_at": LONG_AGO,
            "released_at": LONG_AGO + timedelta(minutes=number % 1000),
            "release_told_at": LONG_AGO + timedelta(minutes=number % 1000),
        }


def _skill_scores(size: Size) -> Iterator[dict[str, Any]]:
    """Five whose mean is the overall score."""
    skills = ("READING", "USE_OF_ENGLISH", "WRITING", "LISTENING", "SPEAKING")
    for number in range(size.results):
        if not _is_absent(number):
            for place, skill in enumerate(skills):
                yield {"result_id": key(RESULT, number), "skill": skill, "score": _score(number) + 3 * (place - 2)}


@cache
def institution_name(number: int) -> str:
    """Its name, which is in every consent to it."""
    return f"University of Benchmark {number}"


def _institutions(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.institutions):
        yield {
            "id": key(INSTITUTION, number),
            "name": institution_name(number),
            "kind": "EDUCATION",
            "country": "JP",
            "city": "Yokohama",
            "website": f"https://institution{number}.example",
            "timezone": "Asia/Tokyo",
            "status": "APPROVED",
            "applied_at": LONG_AGO,
            "approved_at": LONG_AGO,
        }


def _verifiers(size: Size) -> Iterator[dict[str, Any]]:
    """One of each institution, with its number; those behind them all belong to institution 0, for its dashboards."""
    for number in range(size.institutions + size.dashboards):
        yield {
            "id": key(VERIFIER, number),
            "institution_id": key(INSTITUTION, number if number < size.institutions else 0),
            "name": f"Verifier {number}",
            "email": f"verifier{number}@office.example",
            "password_hash": "nobody logs in with a password here",
            "is_primary": number < size.institutions,
            "status": "ACTIVE",
            "language": "en",
            "notify": "OFF",
            "created_at": LONG_AGO,
        }


def _sent_at(result: int, size: Size) -> datetime:
    return LAST_SENT - timedelta(seconds=60 * (size.results - result))


def _shares(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.results):
        institution, sent_at = institution_of(number, size), _sent_at(number, size)
        is_read = number % 3 == 0
        yield {
            "id": key(SHARE, number),
            "result_id": key(RESULT, number),
            "institution_id": key(INSTITUTION, institution),
            "candidate_id": key(CANDIDATE, candidate_of(number, size)),
            "sent_at": sent_at,
            "is_read": is_read,
            "opened_at": sent_at + timedelta(hours=2) if is_read else None,
            "consent_text": consent_sentence(institution_name(institution), "en"),
            "consent_version": CONSENT_VERSION,
            "consent_language": "en",
            "institution_name_shown": institution_name(institution),
        }


def _journal(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.results):
        yield {
            "institution_id": key(INSTITUTION, institution_of(number, size)),
            "kind": "SHARE_SENT",
            "share_id": key(SHARE, number),
            "result_id": key(RESULT, number),
            "happened_at": _sent_at(number, size),
        }


def _sessions(size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    verifiers = size.institutions + size.dashboards
    owners = [(CANDIDATE, number) for number in range(size.logged_in)] + [(VERIFIER, n) for n in range(verifiers)]
    for kind, number in owners:
        yield {
            "id": new_id(),
            "token_hash": keys.hashed(token(kind, number)),
            "candidate_id": key(kind, number) if kind == CANDIDATE else None,
            "verifier_id": key(kind, number) if kind == VERIFIER else None,
            "created_at": now,
            "used_at": now,
        }
