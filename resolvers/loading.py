"""Loading results (R2, R4-R6, R12): rows that fit the exam are kept, the others told; once more changes nothing."""

import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import database
from engine.clock import Clock
from engine.database import Row
from models.base import new_id
from models.exam import GradeBand
from models.grades import Award, award, award_in_words, scale_of_exam
from models.result import Outcome
from models.sandbox import PREFIX, is_invented
from models.scores import SKILL_COLUMNS, overall_of, score_problem
from models.statement_numbers import CERTIFICATE, STATEMENT, new_number
from models.trail import TrailAct
from models.viewer import Viewer
from models.visit import About
from resolvers import entries, exams, trail
from resolvers.rows import Bad, Cells, EntryKey, Fault, Given, at_once, batches
from resolvers.sittings import releasing

COLUMNS = (
    "centre", "examCode", "examDate", "candidateNumber", "outcome", "overallScore", *SKILL_COLUMNS.values(), "grade",
    "cefr", "statementNumber", "certificateNumber",
)  # fmt: skip
REQUIRED = ("centre", "examCode", "examDate", "candidateNumber")
OUTCOMES = {one.value: one for one in Outcome} | {"X": Outcome.ABSENT_FROM_PART, "Z": Outcome.ABSENT_FROM_ALL}
NUMBER = re.compile(r"[A-Z0-9-]{1,20}")
FAILED = Award(Outcome.FAIL.value, "Fail", None, None, certificate=False)  # below every score that is reported
NOTHING = Award("", "", None, None, certificate=False)
# Of two that load the same row at once, the second finds it there; and nobody sets a release meanwhile (R3).
ONE_AT_A_TIME = 0x5E15E2
SAY_AMEND = "It was released with another result. What was released is changed by amending it."
SAY_REPLACE = "Another result is loaded for this entry. To put this one in its place, say that rows replace."


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row whose cells are right by themselves; what a file leaves out is None or empty."""

    given: Given
    key: EntryKey
    outcome: Outcome | None
    overall: int | None
    skills: Mapping[str, int]
    grade: str
    cefr: str
    statement_number: str
    certificate_number: str

    def says_same_as(self, there: Row) -> bool:
        """Whether a result that is there is what this row says; what was derived once is not derived again (R5)."""
        outcome = Outcome(there["outcome"])
        return (
            (self.outcome is outcome if self.outcome else outcome.has_award)
            and (self.overall, dict(self.skills)) == (there["overall_score"], there["skills"] or {})
            and self.grade in ("", there["grade"], there["headline"])
            and self.cefr in ("", there["cefr"])
            and self.statement_number in ("", there["statement_number"])
            and self.certificate_number in ("", there["certificate_number"])
        )


@dataclass(slots=True)
class Loading:
    """A row on its way into the table: its entry, what it is worth, and its numbers."""

    row: ResultRow
    entry: Row
    worth: Award
    before: Row | None
    is_at_home: bool = False
    id: UUID = field(default_factory=new_id)
    statement_number: str = ""
    certificate_number: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What came out of the exam."""
        return Outcome(self.worth.outcome or (self.row.outcome and self.row.outcome.value))

    @property
    def is_awarded_at_home(self) -> bool:
        """Whether it is of a sitting at home, and official: it is released at once (H8)."""
        return self.is_at_home and self.outcome.has_award


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one batch of rows."""

    rows: int
    new: int = 0
    replaced: int = 0
    there: int = 0
    bad: list[Bad] = field(default_factory=list)


async def load(
    viewer: Viewer, rows: Iterable[Given], replaces: bool = False, clock: Clock | None = None
) -> AsyncIterator[Loaded]:
    """Load results, a batch of rows in each transaction; what is loaded already and says the same stays as it is.

    With `replaces`, a different result takes the place of one that has not been released. A file can take longer than a
    moment: `clock` tells when each batch is loaded. Raises NotLoggedIn or NotAllowed: only the board loads results.
    """
    viewer.must_be_board()
    checks = await Checks.all()
    for batch in batches(rows):
        read = [checks.read(given) for given in batch]
        yield await _load(viewer, clock, checks, read, replaces)


@dataclass(frozen=True, slots=True)
class Checks:
    """What rows are checked against."""

    exams: Mapping[str, Row]
    bands: Mapping[str, list[dict[str, Any]]]

    @classmethod
    async def all(cls) -> "Checks":
        """All exams, and the bands in force."""
        bands: dict[str, list[dict[str, Any]]] = {}
        for band in await GradeBand.all().values():
            bands.setdefault(band["exam_code"], []).append(band)
        return cls({exam["exam_code"]: exam for exam in await exams.every()}, bands)

    def read(self, given: Given) -> ResultRow | Bad:
        """The row, if all of its cells are right by themselves."""
        if given.broken:
            return Bad(given, [Fault(given.line, "", given.broken)])
        cells = Cells(given)
        key = cells.key()
        exam = self.exams.get(key.exam)
        if not cells.faults and (problem := exams.problem_of_date(exam, key.exam, key.exam_date)):
            cells.wrong(*problem)
        if exam is None or cells.faults:
            return Bad(given, cells.faults)
        row = _row(cells, key, exam["exam_skills"])
        if not cells.faults:
            _check_scores(cells, row, exam)
        return Bad(given, cells.faults) if cells.faults else row

    def worth(self, cells: Cells, row: ResultRow) -> Award:
        """What the row is worth under the bands in force in its session; notes where the row says otherwise (R5)."""
        if row.outcome and not row.outcome.has_award:
            return NOTHING
        try:
            given = self._award(row)
        except LookupError as error:
            cells.wrong("overallScore" if row.overall is not None else "grade", str(error))
            return NOTHING
        if row.outcome and row.outcome.value != given.outcome:
            cells.wrong("outcome", f"{row.outcome.value}, but by score and bands it is {given.outcome}.")
        if row.grade not in ("", given.grade, given.headline):
            cells.wrong("grade", f"{row.grade!r}, but by score and bands it is {given.grade or given.headline!r}.")
        if row.cefr not in ("", given.cefr):
            cells.wrong("cefr", f"{row.cefr!r}, but by score and bands it is {given.cefr or 'none'!r}.")
        if row.certificate_number and not given.certificate:
            cells.wrong("certificateNumber", "This result does not reach the standard of a certificate.")
        return given

    def _award(self, row: ResultRow) -> Award:
        if row.overall is not None:
            return award(self.bands.get(scale_of_exam(row.key.exam), []), row.key.exam_date, row.overall)
        return FAILED if row.outcome is Outcome.FAIL else award_in_words(row.grade)


def _row(cells: Cells, key: EntryKey, skills: Sequence[str]) -> ResultRow:
    written = cells.code("outcome").upper()
    if written and written not in OUTCOMES:
        cells.wrong("outcome", f"{written!r} is no outcome.")
    in_order = dict.fromkeys([*skills, *SKILL_COLUMNS])  # the exam's own first, as they are shown
    scores = {skill: cells.number(SKILL_COLUMNS[skill]) for skill in in_order}
    return ResultRow(
        cells.given,
        key,
        OUTCOMES.get(written),
        cells.number("overallScore"),
        {skill: score for skill, score in scores.items() if score is not None},
        cells.text("grade"),
        cells.code("cefr").upper(),
        _number(cells, "statementNumber"),
        _number(cells, "certificateNumber"),
    )


def _number(cells: Cells, column: str) -> str:
    text = cells.code(column).upper()
    if text and not NUMBER.fullmatch(text):
        cells.wrong(column, "A number has up to 20 digits, capital letters and hyphens.")
    elif is_invented(text):
        cells.wrong(column, f"No number begins with {PREFIX}: those are of sandboxes.")
    return text


def _check_scores(cells: Cells, row: ResultRow, exam: Row) -> None:
    """That there are the scores that this exam and outcome have, on their scale, and that they belong together."""
    if row.outcome and not row.outcome.has_award:
        _check_without_award(cells, row)
        return
    for skill, score in row.skills.items():
        if skill not in exam["exam_skills"]:
            cells.wrong(SKILL_COLUMNS[skill], f"{row.key.exam} has no score of this skill.")
        elif problem := score_problem(score, exam["skill_min"], exam["skill_max"]):
            cells.wrong(SKILL_COLUMNS[skill], problem)
    for skill in exam["exam_skills"] if row.skills else ():
        if skill not in row.skills:
            cells.wrong(SKILL_COLUMNS[skill], "This is missing: scores of skills are given all or not at all.")
    _check_overall(cells, row, exam)


def _check_without_award(cells: Cells, row: ResultRow) -> None:
    """R6: no skill profile, and nothing else that would be worth something."""
    columns = {
        "overallScore": row.overall is not None, "grade": row.grade, "cefr": row.cefr,
        "certificateNumber": row.certificate_number, **{SKILL_COLUMNS[skill]: True for skill in row.skills},
    }  # fmt: skip
    for column, stands in columns.items():
        if stands:
            cells.wrong(column, f"A result that is {row.outcome.value if row.outcome else ''} has none.")


def _check_overall(cells: Cells, row: ResultRow, exam: Row) -> None:
    if row.overall is None:
        has_scores = exam["overall_min"] is not None
        if has_scores and (row.skills or row.outcome is not Outcome.FAIL):
            cells.wrong("overallScore", "This is missing.")
        elif not has_scores and not row.grade and row.outcome is not Outcome.FAIL:
            cells.wrong("grade", "This is missing: the exam is graded in words.")
        return
    if problem := score_problem(row.overall, exam["overall_min"], exam["overall_max"]):
        cells.wrong("overallScore", problem)
        return
    follows = None if cells.faults else overall_of(exam["scale_code"], row.skills)
    if follows not in (None, row.overall):
        cells.wrong("overallScore", f"{row.overall}, but from the scores of the skills follows {follows}.")


async def _load(
    viewer: Viewer, clock: Clock | None, checks: Checks, read: Sequence[ResultRow | Bad], replaces: bool
) -> Loaded:
    keys = [row.key for row in read if isinstance(row, ResultRow)]
    async with database.transaction():
        sittings = await releasing.hold(viewer, keys)
        await database.rows("SELECT pg_advisory_xact_lock(:lock)", lock=ONE_AT_A_TIME)
        viewer = at_once(viewer, clock)  # whoever waited may have waited past a release: nothing of that is replaced
        known = releasing.without_unheld(await entries.by_keys(keys), sittings)
        results = await _results_of([entry["entry_id"] for entry in known.values()])
        placing = Placing(viewer.at, checks, known, results, replaces, frozenset(sittings))
        for row in read:
            placing.place(row)
        await placing.number("statement_number", STATEMENT)
        await placing.number("certificate_number", CERTIFICATE)
        loading = list(placing.wanted.values())
        if loading:
            await _write(viewer, loading)
        await releasing.release(sittings, [one.entry["entry_id"] for one in loading if one.is_awarded_at_home], viewer)
    replaced = sum(one.before is not None and not one.is_at_home for one in loading)
    bad = sorted(placing.bad, key=lambda one: one.given.line)
    return Loaded(len(read), len(loading) - replaced, replaced, placing.there, bad)


@dataclass(slots=True)
class Placing:
    """The rows of one batch beside what the tables hold: which are to be written, which are there, which are bad."""

    now: datetime
    checks: Checks
    known: Mapping[EntryKey, Row]
    results: Mapping[UUID, Row]
    replaces: bool
    at_home: Collection[UUID] = ()  # the entries that came of sittings
    wanted: dict[UUID, Loading] = field(default_factory=dict)  # by entry
    there: int = 0
    bad: list[Bad] = field(default_factory=list)

    def place(self, row: ResultRow | Bad) -> None:
        """Sort one row."""
        if isinstance(row, Bad):
            self.bad.append(row)
            return
        cells = Cells(row.given)
        entry = self.known.get(row.key)
        if entry is None:
            cells.wrong("candidateNumber", "Nobody is entered under this number for this exam, date and centre.")
        elif self._stands(cells, row, entry["entry_id"]):
            self.there += 1
            return
        worth = NOTHING if cells.faults else self.checks.worth(cells, row)
        if cells.faults or entry is None:
            self.bad.append(Bad(row.given, cells.faults))
            return
        entry_id = entry["entry_id"]
        self.wanted[entry_id] = Loading(row, entry, worth, self.results.get(entry_id), entry_id in self.at_home)

    def _stands(self, cells: Cells, row: ResultRow, entry_id: UUID) -> bool:
        """Whether the table, or the batch, has this very result already; notes it if it has another that stays."""
        earlier, before = self.wanted.get(entry_id), self.results.get(entry_id)
        if earlier is not None:
            if replace(row, given=earlier.row.given) == earlier.row:
                return True
            cells.wrong("candidateNumber", f"Line {earlier.row.given.line} has another result for this entry.")
        elif before is not None:
            if row.says_same_as(before):
                return True
            if before["released_at"] is not None and before["released_at"] <= self.now:
                cells.wrong("candidateNumber", SAY_AMEND)
            elif not self.replaces and not self._is_held(before):
                cells.wrong("candidateNumber", SAY_REPLACE)
        return False

    def _is_held(self, before: Row) -> bool:
        """Whether it only keeps the place of the official scores of a sitting (H8)."""
        return before["entry_id"] in self.at_home and before["outcome"] == Outcome.PENDING.value

    async def number(self, name: str, kind: str) -> None:
        """Give each row its number of this kind: the one it brings, the one it had, or a new one."""
        owners = await _owners(name, [getattr(one.row, name) for one in self.wanted.values()])
        for entry_id, one in list(self.wanted.items()):
            brought = getattr(one.row, name)
            if brought and owners.setdefault(brought, entry_id) != entry_id:
                del self.wanted[entry_id]
                reason = f"{brought} is the number of another result."
                self.bad.append(Bad(one.row.given, [Fault(one.row.given.line, NAMES[name], reason)]))
            elif kind == STATEMENT or one.worth.certificate:
                setattr(one, name, brought or (one.before and one.before[name]) or "")
        without = [one for one in self.wanted.values() if getattr(one, name) == ""]
        for one, number in zip(without, await _drawn(name, kind, without, set(owners)), strict=True):
            setattr(one, name, number)


NAMES = {"statement_number": "statementNumber", "certificate_number": "certificateNumber"}


async def _owners(name: str, numbers: Sequence[str]) -> dict[str, UUID]:
    """The entry that each of these numbers belongs to already."""
    found = await database.rows(
        f"SELECT {name} AS number, entry_id FROM result WHERE {name} = ANY(:numbers)",
        numbers=[number for number in numbers if number],
    )
    return {one["number"]: one["entry_id"] for one in found}


async def _drawn(name: str, kind: str, wanted: Sequence[Loading], brought: set[str]) -> list[str]:
    """A number for each, that no other result has."""
    free: dict[str, None] = {}
    while len(free) < len(wanted):
        drawn = [new_number(kind, one.row.key.exam_date) for one in wanted[len(free) :]]
        taken = (await _owners(name, drawn)).keys() | brought
        free |= dict.fromkeys(number for number in drawn if number not in taken)
    return list(free)


async def _results_of(entry_ids: Sequence[UUID]) -> dict[UUID, Row]:
    found = await database.rows(
        """SELECT result.*, (SELECT json_object_agg(skill, score) FROM skill_score
                             WHERE skill_score.result_id = result.id) AS skills
           FROM result WHERE result.entry_id = ANY(:ids)""",
        ids=list(entry_ids),
    )
    return {one["entry_id"]: one for one in found}


async def _write(viewer: Viewer, loading: Sequence[Loading]) -> None:
    """New results get the moment of their session's release, if it is known already (R3)."""
    for one in loading:
        one.id = one.before["id"] if one.before else one.id
    await database.rows(
        """INSERT INTO result (id, entry_id, outcome, statement_number, certificate_number, headline, grade, cefr,
                               overall_score, version, loaded_at, released_at)
           SELECT new.*, 1, :now, release.release_at
           FROM unnest(:ids::uuid[], :entries::uuid[], :outcomes::text[], :statements::text[], :certificates::text[],
                       :headlines::text[], :grades::text[], :cefrs::text[], :scores::int[])
                AS new (id, entry, outcome, statement, certificate, headline, grade, cefr, score)
           JOIN entry ON entry.id = new.entry
           LEFT JOIN release ON release.exam_id = entry.exam_id AND release.exam_date = entry.exam_date
           ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, statement_number = excluded.statement_number,
               certificate_number = excluded.certificate_number, headline = excluded.headline,
               grade = excluded.grade, cefr = excluded.cefr, overall_score = excluded.overall_score,
               loaded_at = excluded.loaded_at""",
        now=viewer.at,
        **_columns(loading),
    )
    await _write_skills(loading)
    about = [About(one.entry["candidate_id"], one.id, 1) for one in loading]
    await trail.note(viewer, TrailAct.CHANGED, about)


def _columns(loading: Sequence[Loading]) -> dict[str, list[Any]]:
    """What is written of each result, one list per column."""
    return {
        "ids": [one.id for one in loading],
        "entries": [one.entry["entry_id"] for one in loading],
        "outcomes": [one.outcome.value for one in loading],
        "statements": [one.statement_number for one in loading],
        "certificates": [one.certificate_number for one in loading],
        "headlines": [one.worth.headline or None for one in loading],
        "grades": [one.worth.grade for one in loading],
        "cefrs": [one.worth.cefr for one in loading],
        "scores": [one.row.overall for one in loading],
    }


async def _write_skills(loading: Sequence[Loading]) -> None:
    if replaced := [one.id for one in loading if one.before]:
        await database.rows("DELETE FROM skill_score WHERE result_id = ANY(:ids)", ids=replaced)
    scores = [(one.id, skill, score) for one in loading for skill, score in one.row.skills.items()]
    await database.rows(
        """INSERT INTO skill_score (result_id, skill, score)
           SELECT * FROM unnest(:results::uuid[], :skills::text[], :scores::int[])""",
        results=[result_id for result_id, _, _ in scores],
        skills=[skill for _, skill, _ in scores],
        scores=[score for _, _, score in scores],
    )
