"""The languages that people read in: sentences said in one of them, from the catalogues in `locales/` (A12)."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.messages.pofile import read_po

from errors import Sentence

LANGUAGES = ("en", "ja")
LOCALES = Path(__file__).parent.parent / "locales"
LONGEST_ACCEPT = 1000
# Who reads Japanese is taken to be in Japan, as in our mails.
JAPAN, JAPANESE_MOMENT = ZoneInfo("Asia/Tokyo"), "y年M月d日 HH:mm:ss（日本時間）"


def chosen(accept_language: str | None) -> str:
    """The language of ours that a browser likes best, English if none (RFC 9110, 12.5.4)."""
    best, liked = "en", 0.0
    for part in (accept_language or "")[:LONGEST_ACCEPT].split(","):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(weight)
        if quality > liked and language in (*LANGUAGES, "*"):
            best, liked = "en" if language == "*" else language, quality
    return best


def _quality(weight: str) -> float:
    name, _, number = weight.partition("=")
    if not weight.strip():
        return 1.0
    try:
        return float(number) if name.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0


def told(sentence: str, language: str) -> str:
    """An English sentence of ours, in this language; what has no translation stays English."""
    if language not in LANGUAGES or language == "en":
        return str(sentence)
    if not isinstance(sentence, Sentence):
        return catalogue(language).get(sentence, sentence)
    template = catalogue(language).get(sentence.template)
    if template is None:
        return str(sentence)
    return template.format(**{name: _fact(fact, language) for name, fact in sentence.facts.items()})


def _fact(fact: object, language: str) -> object:
    if isinstance(fact, datetime):
        return format_datetime(fact.astimezone(JAPAN), JAPANESE_MOMENT, locale=language)
    if isinstance(fact, list):
        return "".join(told(one, language) for one in fact)
    return told(fact, language) if isinstance(fact, str) else fact


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """What each English sentence, or its template, is in this language."""
    with (LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as written:
        return {str(one.id): str(one.string) for one in read_po(written, locale=language) if one.id and one.string}
