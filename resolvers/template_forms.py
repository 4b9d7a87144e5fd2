"""What somebody wants of a template, and what is wrong with it (D2): every fault is told, with the column at fault."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from documents.cells import lost_signs
from documents.csv_table import CODECS, NAMES
from engine.database import Row
from errors import Problem, Sentence
from models.institution_form import one_line
from models.layout import Column, Field, Layout
from models.template import DateFormat, Delimiter, DownloadFormat, Encoding
from resolvers import exams
from resolvers.default_template import has_skill_scores, heading

MOST_COLUMNS = 200
LONGEST = 100  # of a name and of a heading, in characters
NOT_PLAIN = ("Cc", "Cs", "Zl", "Zp")  # categories of signs that a heading on one line has not


@dataclass(frozen=True, slots=True)
class ColumnWish:
    """A column as it is asked for; without a heading it gets the usual one, in the viewer's language."""

    field: Field
    exam: str | None = None
    skill: str | None = None
    heading: str | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be of a template; None stays as it is."""

    name: str | None = None
    format: DownloadFormat | None = None
    columns: Sequence[ColumnWish] | None = None
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    date_format: DateFormat | None = None
    header: bool | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """What comes of some wishes, and all that is wrong with it."""

    layout: Layout
    problems: list[Problem]


async def filled_in(base: Layout, wishes: Wishes, language: str) -> Form:
    """A layout with these wishes put in."""
    columns, problems = base.columns, []
    if wishes.columns is not None:
        codes = sorted({wish.exam for wish in wishes.columns if wish.exam is not None and wish.exam.isprintable()})
        known = await exams.by_codes(codes) if codes else {}
        columns = tuple(_column(wish, known, language) for wish in wishes.columns)
        problems = list(_problems_of_wishes(wishes.columns, known))
    facts = {
        name: wish
        for name in ("format", "delimiter", "encoding", "date_format", "header")
        if (wish := getattr(wishes, name)) is not None
    }
    name = base.name if wishes.name is None else one_line(wishes.name)
    layout = replace(base, name=name, columns=columns, **facts)
    return Form(layout, [*_problems_of_name(layout), *problems, *_problems_of_columns(layout)])


def _column(wish: ColumnWish, known: Mapping[str, Row], language: str) -> Column:
    told = wish.heading
    if told is None and (wish.field is not Field.SKILL_SCORE or wish.skill is not None):
        exam = known.get(wish.exam or "")
        told = heading(wish.field, language, wish.skill, exam["exam_title"] if exam else None)
    return Column(wish.field, told or "", wish.exam, wish.skill)


def _problems_of_wishes(wishes: Sequence[ColumnWish], known: Mapping[str, Row]) -> Iterator[Problem]:
    for place, wish in enumerate(wishes[:MOST_COLUMNS]):
        if wish.field is not Field.SKILL_SCORE:
            for name, given in (("examCode", wish.exam), ("skill", wish.skill)):
                if given is not None:
                    yield Problem(f"columns[{place}].{name}", "Only the score for a skill has an exam and a skill.")
        elif wish.skill is None:
            yield Problem(f"columns[{place}].skill", "Say for which skill.")
        elif wish.exam is not None:
            yield from _problems_of_exam(place, wish.skill, known.get(wish.exam))


def _problems_of_exam(place: int, skill: str, exam: Row | None) -> Iterator[Problem]:
    if exam is None:
        yield Problem(f"columns[{place}].examCode", "There is no exam with this code.")
    elif skill not in exam["exam_skills"] or not has_skill_scores(exam):
        told = Sentence.of("{exam} has no score for this skill.", exam=exam["exam_title"])
        yield Problem(f"columns[{place}].skill", told)


def _problems_of_name(layout: Layout) -> Iterator[Problem]:
    if not any(unicodedata.category(sign)[0] in "LN" for sign in layout.name):
        yield Problem("name", "Please fill in this field.")
    elif len(layout.name) > LONGEST:
        yield Problem("name", "This is too long.")


def _problems_of_columns(layout: Layout) -> Iterator[Problem]:
    if not layout.columns:
        yield Problem("columns", "Choose at least one column.")
    if len(layout.columns) > MOST_COLUMNS:
        yield Problem("columns", Sentence.of("A template has at most {most} columns.", most=MOST_COLUMNS))
    seen: set[str] = set()
    for place, told in enumerate(layout.headings[:MOST_COLUMNS]):
        if (problem := _problem_of_heading(layout, told, seen)) is not None:
            yield Problem(f"columns[{place}].heading", problem)
        seen.add(told.casefold())


def _problem_of_heading(layout: Layout, told: str, seen: set[str]) -> str | None:
    if not told.strip() or len(told) > LONGEST:
        return Sentence.of("A heading has 1 to {longest} characters.", longest=LONGEST)
    if any(unicodedata.category(sign) in NOT_PLAIN for sign in told):
        return Sentence.of("A heading is one line of signs that can be seen.")
    if told.casefold() in seen:
        return Sentence.of("Another column has this heading already.")
    signs = _lost_signs(layout, told)
    if signs:
        sentence = "{encoding} cannot carry {signs}. Choose UTF-8, or another heading."
        return Sentence.of(sentence, encoding=NAMES[layout.encoding.value], signs=signs)
    return None


def _lost_signs(layout: Layout, told: str) -> str:
    """The signs of a heading that the file could not hold."""
    is_written = layout.format is DownloadFormat.CSV and layout.header
    return lost_signs(told, CODECS[layout.encoding.value]) if is_written else ""
