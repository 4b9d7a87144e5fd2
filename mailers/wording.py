"""From a template and its facts to a subject, a text and HTML: one environment per form and language."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_timezone_name
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).with_name("templates")
LANGUAGES = ("en", "ja")
FORMS = ("txt", "html")
PARTS = ("p", "heading", "items", "item", "button", "link_alone")
WIDTH = 76  # columns of a text; a kanji takes two
# Where a line of text may break: in Japanese only after a stop or a comma, so that no word is cut.
PIECES = {"en": re.compile(r"\S+\s*"), "ja": re.compile(r"[^。、]+[。、]?」?|[。、]")}
# Line ends, other controls, and the signs that turn the direction of all that follows.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
DAYS = {"en": "d MMMM y", "ja": "y年M月d日"}
MOMENTS = {"en": "{} {}", "ja": "{}（{}）"}
HOMES = {"en": "UTC", "ja": "Asia/Tokyo"}  # where a reader is, when nothing tells
SAID = {"Coordinated Universal Time": "UTC", "協定世界時": "UTC", "日本標準時": "日本時間"}  # as people say it


def written(kind: str, language: str, facts: Mapping[str, object]) -> tuple[str, str, str]:
    """The subject, the text and the HTML of one letter; the text form begins with the subject."""
    told = {name: tidy(fact) for name, fact in facts.items()}
    subject, _, text = _rendered(kind, language, "txt", told).lstrip().partition("\n")
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return subject.strip(), text, _rendered(kind, language, "html", told)


def _rendered(kind: str, language: str, form: str, facts: Mapping[str, object]) -> str:
    return environment(form, language).get_template(f"{kind}.{language}.jinja").render(facts)


@cache
def environment(form: str, language: str) -> Environment:
    """Templates as they are written in one form and language; a name that nobody gave is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=form == "html",  # noqa: S701  # a text is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"form": form, "language": language}
    made.filters |= {
        "day": partial(day, language=language),
        "moment": partial(moment, language=language),
        "name": untranslated if form == "html" else str,
        "number": partial(format_decimal, locale=language),
        "joined": partial(joined, language=language),
        "wrapped": partial(wrapped, language=language),
    }
    parts = made.get_template(f"parts.{form}").module
    made.globals |= {part: getattr(parts, part) for part in PARTS}
    return made


def tidy(fact: object) -> object:
    """A fact whose words stay on their line: no line ends, no controls, nothing that turns other words round."""
    if isinstance(fact, str):
        return " ".join(UNSEEN.sub(" ", fact).split())
    if isinstance(fact, list | tuple):
        return tuple(tidy(one) for one in fact)
    return fact


def untranslated(name: str) -> Markup:
    """A name, kept from browsers that translate (A12)."""
    return Markup('<span translate="no">{}</span>').format(name)


def day(on: date, language: str) -> str:
    """A date as people write it: 22 November 2026, 2026年11月22日."""
    return format_date(on, DAYS[language], locale=language)


def moment(at: datetime, timezone: str | None = None, *, language: str) -> str:
    """A moment as people write it, with the name of its zone: 22 November 2026, 09:00 UTC."""
    here = at.astimezone(ZoneInfo(timezone or HOMES[language]))
    zone = get_timezone_name(here, locale=language)
    separator = ", " if language == "en" else " "
    return MOMENTS[language].format(f"{day(here, language)}{separator}{here:%H:%M}", SAID.get(zone, zone))


def joined(words: str, language: str) -> str:
    """Words on one line; where a template breaks its lines, English has a blank and Japanese nothing."""
    lines = [line.strip() for line in words.splitlines()]
    blank = "" if language == "ja" else " "
    glue = escape(blank) if isinstance(words, Markup) else blank
    return glue.join(line for line in lines if line)


def wrapped(words: str, first: str = "", rest: str = "", *, language: str) -> str:
    """Words on lines of at most WIDTH columns, where a language lets them be cut; in Japanese, a line per sentence."""
    line, lines = first, list[str]()
    for piece in PIECES[language].findall(joined(words, language)):
        if line not in (first, rest) and (line.endswith("。") or columns(line + piece.rstrip()) > WIDTH):
            lines.append(line.rstrip())
            line = rest
        line += piece
    return "\n".join([*lines, line.rstrip()])


def columns(text: str) -> int:
    """How wide a line is."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
