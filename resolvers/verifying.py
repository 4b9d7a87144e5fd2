"""Checking results that nobody shared, by the numbers that their candidates gave: singly and by the hundred (V3-V5).

Whatever is wrong, the answer is one, and so is the way to it: every number is looked for as its neighbour in the index
is found, so that one that is there takes as long as one that is not; proofs are compared here, in constant time.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cached_property
from uuid import UUID

from engine import database
from engine.database import Row
from engine.limits import Attempt, Lock, Rate, count_all, give_back_all, network, right, take_all
from errors import InvalidInput, Problem, Sentence, TooManyTries
from models.candidate import OF_WORLD, RELEASED
from models.entry import ID_NUMBER, SECRET_NUMBER, sealed_secret, written_id_number, written_secret_number
from models.result import Moments, Outcome, ResultStatus, status
from models.scope import Scope
from models.terms import is_one_plain_line
from models.viewer import Viewer
from models.visit import About
from resolvers import columns, trail
from resolvers.candidates import SECRETS
from resolvers.checks import written_statement_number

MOST_AT_ONCE = 500
SHORTEST_PURPOSE, LONGEST_PURPOSE = 3, 200
STATEMENT_NUMBER = re.compile(r"[A-Z0-9-]{1,20}")

# A date of birth is one of some 7,300 (twenty years), of 30 for whoever knows the month: ten a day for one statement.
# Counted for numbers that are not there too; a right one, of a released result, starts the count afresh.
DATES = Lock("date of birth", tries=10, length=timedelta(days=1))

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
# Every row counts. An officer checks a few hundred a day; a file has up to 10,000 rows, an office a few files.
LOOK_UPS = {
    "USER": Rate("look-ups of user", most=12_000, window=DAY),
    "INSTITUTION": Rate("look-ups of institution", most=50_000, window=DAY),
    "ADDRESS": Rate("look-ups of address", most=50_000, window=DAY),
    "SERVICE": Rate("look-ups of service", most=500_000, window=HOUR),
}
# Rows that did not match. Each is counted before it is compared, and given back if it matches: so a list needs room
# for all its rows. One in ten of a full file may be mistyped; an institution may guess as much as one and a half users.
MISSES = {
    "USER": Rate("misses of user", most=1_000, window=DAY),
    "INSTITUTION": Rate("misses of institution", most=1_500, window=DAY),
    "ADDRESS": Rate("misses of address", most=1_500, window=DAY),
    "SERVICE": Rate("misses of service", most=10_000, window=HOUR),
}


class Answer(Enum):
    """What becomes of a pair of numbers that somebody was given."""

    GENUINE = "GENUINE"
    NOT_MATCHED = "NOT_MATCHED"
    WITHHELD = "WITHHELD"
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"
    NOT_CHECKED = "NOT_CHECKED"


class Numbers(Enum):
    """Which pair it is: of a statement, or of a Confirmation of Entry."""

    STATEMENT = "STATEMENT"
    ENTRY = "ENTRY"


LOCKS = {Numbers.STATEMENT: DATES, Numbers.ENTRY: SECRETS}
Key = tuple[Numbers, str, bytes]  # which pair, its number, and what proves that one may know of it


@dataclass(frozen=True)
class Pair:
    """Statement number and date of birth, or ID Number and Secret Number; and the version printed, if it is known."""

    statement_number: str = ""
    date_of_birth: date | None = None
    id_number: str = ""
    secret_number: str = field(default="", repr=False)
    version: int | None = None

    @cached_property
    def key(self) -> Key:
        """The pair as it is compared."""
        if self.statement_number:
            born = self.date_of_birth.isoformat() if self.date_of_birth else ""
            return Numbers.STATEMENT, written_statement_number(self.statement_number), born.encode()
        number = written_id_number(self.id_number)
        return Numbers.ENTRY, number, sealed_secret(number, written_secret_number(self.secret_number))

    @cached_property
    def problems(self) -> list[Problem]:
        """Why it cannot be a pair of ours; nothing is compared then."""
        of_statement = bool(self.statement_number or self.date_of_birth)
        if of_statement == bool(self.id_number or self.secret_number):
            told = "Give a statement number and a date of birth, or an ID Number and a Secret Number."
            return [Problem("statementNumber", told)]
        return self._problems_of_statement() if of_statement else self._problems_of_entry()

    def _problems_of_statement(self) -> list[Problem]:
        problems = []
        if not STATEMENT_NUMBER.fullmatch(written_statement_number(self.statement_number)):
            problems.append(Problem("statementNumber", "A statement number has up to 20 digits, letters and hyphens."))
        if self.date_of_birth is None:
            problems.append(Problem("dateOfBirth", "The date of birth must be a date, written like 2001-02-03."))
        if self.version is not None and self.version < 1:
            problems.append(Problem("version", "The version is the number printed on the statement, 1 or more."))
        return problems

    def _problems_of_entry(self) -> list[Problem]:
        problems = []
        if not ID_NUMBER.fullmatch(written_id_number(self.id_number)):
            problems.append(Problem("idNumber", "An ID Number is 3 letters and 6 digits, like ABC123456."))
        if not SECRET_NUMBER.fullmatch(written_secret_number(self.secret_number)):
            problems.append(Problem("secretNumber", "A Secret Number is 4 digits."))
        if self.version is not None:
            problems.append(Problem("version", "A version is only printed on statements."))
        return problems


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one pair; `result` is its row where it matched, `problems` say why nothing could be compared.

    `retry_after` is a moment in UTC; of what was not checked, None means only after the centre issues new numbers.
    """

    answer: Answer
    result: Row | None = None
    problems: Sequence[Problem] = ()
    retry_after: datetime | None = None

    @property
    def is_match(self) -> bool:
        """Whether both numbers were right, and the result was released."""
        return self.result is not None


NOT_MATCHED = Verdict(Answer.NOT_MATCHED)


def written_date(text: str) -> date | None:
    """The date that a client sent, `2001-02-03`; None for anything else."""
    text = unicodedata.normalize("NFKC", text).strip()
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) else None
    except ValueError:
        return None


async def verdicts(viewer: Viewer, pairs: Sequence[Pair], purpose: str) -> list[Verdict]:
    """A verdict for each of at most 500 pairs, in the order asked; they are in the trail when this returns.

    Whoever keeps the verdicts in the same transaction as the trail does as this does: `admit` before it, `decide` in
    it, `give_back` after it. The counts of the whole service are held until a transaction ends: keep them out of it.
    Raises NotLoggedIn, NotAllowed, InvalidInput or TooManyTries, before anything is compared.
    """
    _checked(viewer, pairs, purpose)
    await admit(viewer, len(pairs))
    async with database.transaction():
        told = await decide(viewer, pairs, purpose)
    await give_back(viewer, told)
    return told


def _checked(viewer: Viewer, pairs: Sequence[Pair], purpose: str) -> str:
    """The purpose as it is kept. Raises NotLoggedIn, NotAllowed or InvalidInput."""
    viewer.must_act(Scope.VERIFY)
    purpose = unicodedata.normalize("NFC", purpose).strip()
    problems = []
    if not SHORTEST_PURPOSE <= len(purpose) <= LONGEST_PURPOSE or not is_one_plain_line(purpose):
        told = "Say in {shortest} to {longest} characters what the look-up is for: the candidate can read it."
        problems.append(Problem("purpose", Sentence.of(told, shortest=SHORTEST_PURPOSE, longest=LONGEST_PURPOSE)))
    if not 1 <= len(pairs) <= MOST_AT_ONCE:
        problems.append(Problem("pairs", Sentence.of("Give 1 to {most} pairs at once.", most=MOST_AT_ONCE)))
    if problems:
        raise InvalidInput(problems)
    return purpose


def checked_purpose(viewer: Viewer, purpose: str) -> str:
    """The purpose as it is kept, before there are pairs. Raises NotLoggedIn, NotAllowed or InvalidInput."""
    return _checked(viewer, [Pair()], purpose)


# ---- limits


def _subjects(viewer: Viewer, rates: Mapping[str, Rate]) -> list[tuple[Rate, str]]:
    """Each rate with whom it counts; the one that everybody shares is the last, and held shortest."""
    subjects = {
        "USER": str(viewer.id),
        "INSTITUTION": str(viewer.institution_id),
        "ADDRESS": network(viewer.address),
        "SERVICE": "all",
    }
    return [(rates[name], counted(viewer, subject)) for name, subject in subjects.items()]


def counted(viewer: Viewer, subject: str) -> str:
    """What is counted: of a sandbox apart, so that whoever tries things out there locks no real number, and no office.

    The numbers of a sandbox begin with its id, by which they are forgotten when it is made anew.
    """
    return f"{viewer.sandbox_id} {subject}" if viewer.is_sandbox else subject


async def admit(viewer: Viewer, rows: int) -> None:
    """Count so many look-ups, all of them as if they would not match; those of a refused order do not count.

    Raises NotLoggedIn, NotAllowed or TooManyTries.
    """
    viewer.must_act(Scope.VERIFY)
    async with database.transaction():
        over = await count_all(_subjects(viewer, LOOK_UPS) + _subjects(viewer, MISSES), rows, viewer.at)
        if over:
            last = max(over, key=lambda rate: rate.ends_at(viewer.at))
            raise TooManyTries(last.ends_at(viewer.at), last.kind)


async def give_back(viewer: Viewer, told: Iterable[Verdict]) -> None:
    """Let those that matched not count as misses."""
    if matched := sum(verdict.is_match for verdict in told):
        await give_back_all(_subjects(viewer, MISSES), matched, viewer.at)


# ---- deciding


async def decide(viewer: Viewer, pairs: Sequence[Pair], purpose: str) -> list[Verdict]:
    """The verdicts on pairs that were admitted, and their entry in the trail; within a transaction.

    Raises NotLoggedIn, NotAllowed or InvalidInput.
    """
    purpose = _checked(viewer, pairs, purpose)
    attempts = await _taken(viewer, pairs)
    allowed = {key for key, attempt in attempts.items() if attempt is None}
    matched = await _matched(viewer, allowed)
    rows = await _results(viewer, [*matched.values()])
    found = {key: rows[result_id] for key, result_id in matched.items() if result_id in rows}
    told = [_verdict(viewer, pair, attempts, found) for pair in pairs]
    about = [About(one.result["candidate_id"], one.result["result_id"], one.result["version"])
             for one in told if one.result is not None]  # fmt: skip
    await trail.note_look_up(viewer, about, purpose, len(pairs), len(pairs) - len(about))
    return told


async def _taken(viewer: Viewer, pairs: Sequence[Pair]) -> dict[Key, Attempt | None]:
    """Every different pair, counted as a try against its number; with the attempt that refuses it, or None.

    Of several proofs of one number the first ones are compared, as many as there would be tries.
    """
    keys = list(dict.fromkeys(pair.key for pair in pairs if not pair.problems))
    taken: dict[Key, Attempt | None] = {}
    for numbers, lock in LOCKS.items():
        proofs: dict[str, list[Key]] = {}
        for key in keys:
            if key[0] is numbers:
                proofs.setdefault(key[1], []).append(key)
        if proofs:
            counts = {counted(viewer, number): len(each) for number, each in proofs.items()}
            attempts = await take_all(lock, counts, viewer.at)
            for number, each in proofs.items():
                attempt = attempts[counted(viewer, number)]
                taken |= {key: None if place < attempt.allowed else attempt for place, key in enumerate(each)}
    return taken


# The neighbour of each number in the index: the number itself if it is there, or the next one, or the first of all.
NEIGHBOURS = {
    Numbers.STATEMENT: f"""
        WITH wanted AS MATERIALIZED (
            SELECT number, coalesce(
                (SELECT statement_number FROM result WHERE statement_number >= number ORDER BY 1 LIMIT 1),
                (SELECT statement_number FROM result ORDER BY 1 LIMIT 1)) AS neighbour
            FROM unnest(:numbers::text[]) AS number)
        SELECT wanted.number, wanted.neighbour, result.id AS result_id, {RELEASED} AS is_released,
               {OF_WORLD} AS is_of_world, candidate.date_of_birth::text AS proof
        FROM wanted JOIN result ON result.statement_number = wanted.neighbour
        JOIN entry ON entry.id = result.entry_id JOIN candidate ON candidate.id = entry.candidate_id""",
    Numbers.ENTRY: f"""
        WITH wanted AS MATERIALIZED (
            SELECT number, coalesce(
                (SELECT id_number FROM entry WHERE id_number >= number ORDER BY 1 LIMIT 1),
                (SELECT id_number FROM entry ORDER BY 1 LIMIT 1)) AS neighbour
            FROM unnest(:numbers::text[]) AS number)
        SELECT wanted.number, wanted.neighbour, result.id AS result_id, {RELEASED} AS is_released,
               {OF_WORLD} AS is_of_world, entry.secret_hash AS proof
        FROM wanted JOIN entry ON entry.id_number = wanted.neighbour
        JOIN candidate ON candidate.id = entry.candidate_id
        LEFT JOIN result ON result.entry_id = entry.id""",
}


async def _matched(viewer: Viewer, keys: Iterable[Key]) -> dict[Key, UUID]:
    """The released results of those of these pairs that are right; their tries are taken back."""
    matched: dict[Key, UUID] = {}
    for numbers, lock in LOCKS.items():
        wanted = [key for key in keys if key[0] is numbers]
        if wanted:
            names = sorted({number for _, number, _ in wanted})
            at = {"viewer_at": viewer.at, "viewer_sandbox_id": viewer.sandbox_id}
            found = await database.rows(NEIGHBOURS[numbers], numbers=names, **at)
            neighbours = {row["number"]: row for row in found}
            proved = {key: neighbours[key[1]] for key in wanted if key[1] in neighbours}
            proved = {key: row for key, row in proved.items() if _is_proved(key, row) & row["is_of_world"]}
            told = {key: row["result_id"] for key, row in proved.items() if row["is_released"]}
            # Whoever has the right Secret Number too early does not lock its candidate out; but that a statement is
            # there before its release is not told by a count either.
            good = proved if numbers is Numbers.ENTRY else told
            among = [counted(viewer, name) for name in names]
            await right(lock, [counted(viewer, number) for _, number, _ in good], among=among)
            matched |= told
    return matched


def _is_proved(key: Key, row: Row) -> bool:
    """Whether both numbers are right; what is wrong takes no other way than what is right."""
    proof = row["proof"] if isinstance(row["proof"], bytes) else row["proof"].encode()
    return hmac.compare_digest(row["neighbour"].encode(), key[1].encode()) & hmac.compare_digest(proof, key[2])


async def _results(viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """What an institution is told of these results, as far as they are released; with their candidates.

    Whether with skill scores, the last share with it decides, whatever became of that; without one they are told:
    they stand on the paper.
    """
    if not ids:
        return {}
    found = await database.rows(
        f"""SELECT {columns.RESULT}, candidate.family_name, candidate.given_name, candidate.native_name,
                   candidate.date_of_birth,
                   (SELECT former.ended_at FROM result_version AS former WHERE former.result_id = result.id
                    AND former.version = result.version - 1 AND former.ended_at >= result.released_at) AS corrected_at,
                   coalesce((SELECT share.includes_skills FROM share WHERE share.result_id = result.id
                             AND share.institution_id = :institution_id AND share.merged_into_id IS NULL
                             ORDER BY share.sent_at DESC, share.id DESC LIMIT 1), true) AS includes_skills
            FROM result {columns.RESULT_JOINS} JOIN candidate ON candidate.id = entry.candidate_id
            WHERE result.id = ANY(:ids) AND {RELEASED}""",
        ids=list(ids),
        institution_id=viewer.institution_id,
        viewer_at=viewer.at,
    )
    return {row["result_id"]: row for row in found}


def _verdict(viewer: Viewer, pair: Pair, attempts: Mapping[Key, Attempt | None], found: Mapping[Key, Row]) -> Verdict:
    if pair.problems:
        return Verdict(Answer.NOT_MATCHED, problems=pair.problems)
    if (attempt := attempts[pair.key]) is not None:
        return _not_checked(attempt)
    row = found.get(pair.key)
    answer = Answer.NOT_MATCHED if row is None else _answer(row, pair.version, viewer.at)
    return NOT_MATCHED if answer is Answer.NOT_MATCHED else Verdict(answer, row)


def _not_checked(attempt: Attempt) -> Verdict:
    """Whether there is such a number is not told: tries against those that are not there count as well."""
    number = "statementNumber" if attempt.lock is DATES else "idNumber"
    if attempt.is_used_up:
        told = "Too many wrong tries with this number: it is closed until the exam centre issues new numbers."
        return Verdict(Answer.NOT_CHECKED, problems=[Problem(number, told)])
    until = attempt.locked_until
    sentence = Sentence.of("Too many wrong tries with this number. Try again after {retry_after}.", retry_after=until)
    return Verdict(Answer.NOT_CHECKED, problems=[Problem(number, sentence)], retry_after=until)


def _answer(row: Row, version: int | None, now: datetime) -> Answer:
    """What a pair is worth that is right; `version` is the one that is printed, where that was given.

    What was never awarded is as if it was not released: there is nothing to check yet.
    """
    moments = Moments(row["released_at"], row["withheld_at"], row["revoked_at"])
    stands = status(Outcome[row["outcome"]], moments, now)
    printed = version or row["version"]
    if printed > row["version"] or (stands is ResultStatus.PENDING and row["version"] == 1):
        return Answer.NOT_MATCHED
    if stands in (ResultStatus.REVOKED, ResultStatus.WITHHELD):
        return Answer[stands.name]
    return Answer.GENUINE if stands is ResultStatus.RELEASED and printed == row["version"] else Answer.SUPERSEDED
