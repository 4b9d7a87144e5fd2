"""25,000 institutions to find one among: real universities, and invented ones in many scripts, always the same."""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
MANY = 25_000

LETTERS = {
    "russian": ("{}ский государственный университет", "RU"),
    "greek": ("Πανεπιστήμιο {}ας", "GR"),
    "arabic": ("جامعة {}", "EG"),
    "hindi": ("{} विश्वविद्यालय", "IN"),
}
FACULTIES = ("Faculty of Letters", "Faculty of Science", "School of Law", "School of Medicine", "Admissions Office")
ENGLISH = (
    "University of {}", "{} University", "{} State University", "{} College", "{} Institute of Technology", "{} School",
    "{} Community College", "University of Applied Sciences {}", "{} International School", "{} City Council",
)  # fmt: skip
OTHERS = (
    ("University of {}", "Universität {}", "DE"), ("{} University", "Université de {}", "FR"),
    ("University of {}", "Universidad de {}", "ES"), ("University of {}", "Uniwersytet Łowicki {}", "PL"),
    ("Federal University of {}", "Universidade Federal de São {}", "BR"), ("{} University", "{} Üniversitesi", "TR"),
    ("{} University", "Đại học {}", "VN"), ("{} University College", "Høgskolen i {}", "NO"),
)  # fmt: skip
JAPANESE = (("{} University", "大学", "だいがく"), ("{} Gakuin University", "学院大学", "がくいんだいがく"),
            ("{} Women's University", "女子大学", "じょしだいがく"), ("{} High School", "高等学校", "こうとうがっこう"),
            ("{} Junior College", "短期大学", "たんきだいがく"))  # fmt: skip


class Part(NamedTuple):
    """A part of a place's name."""

    written: str
    sound: str
    kana: str


@dataclass(frozen=True, slots=True)
class Named:
    """What an institution is found by, and told apart by; a department follows its institution."""

    name: str
    department: str | None
    country: str
    city: str
    aliases: list[str]


def institutions(count: int = MANY) -> list[Named]:
    """The real ones first, and invented ones up to this count; a department's institution comes before it."""
    found = {(one.name, one.department): one for one in real()}
    chance = random.Random(20261122)  # the same names each time
    while len(found) < count:
        for one in _invented(chance):
            found.setdefault((one.name, one.department), one)
    return list(found.values())[:count]


def real() -> Iterator[Named]:
    """Universities that exist."""
    for line in _lines("universities.csv"):
        aliases = [alias for alias in line["aliases"].split("|") if alias]
        yield Named(line["name"], line["department"] or None, line["country"], line["city"], aliases)


def _lines(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader((HERE / name).read_text("utf-8").splitlines())


@cache
def _parts(kind: str) -> list[Part]:
    return [
        Part(line["written"], line["sound"], line["kana"]) for line in _lines("name_parts.csv") if line["kind"] == kind
    ]


def _invented(chance: random.Random) -> Iterator[Named]:
    make = chance.choices((_english, _other, _japanese, _chinese, _korean, _lettered), (40, 18, 20, 8, 7, 7))[0]
    one = make(chance)
    yield one
    if chance.random() < 0.08:
        for faculty in chance.sample(FACULTIES, 2):
            yield Named(one.name, faculty, one.country, one.city, [])


def _place(chance: random.Random) -> str:
    middle = chance.choice(_parts("middle")).written if chance.random() < 0.7 else ""
    return chance.choice(_parts("beginning")).written + middle + chance.choice(_parts("ending")).written


def _joined(chance: random.Random, kind: str, *lengths: int) -> Part:
    """A place of so many parts, its sound as a name."""
    parts = chance.choices(_parts(kind), k=chance.choice(lengths))
    written, sound, kana = ("".join(told) for told in zip(*parts, strict=True))
    return Part(written, sound.capitalize(), kana)


def _english(chance: random.Random) -> Named:
    place = _place(chance)
    name = chance.choice(ENGLISH)
    initials = "".join(sign for sign in name.format(place[:2].upper()) if sign.isupper())
    country = chance.choice(("GB", "US", "CA", "AU", "IE"))
    return Named(name.format(place), None, country, place, [initials, f"{place} Uni"])


def _other(chance: random.Random) -> Named:
    place = _place(chance)
    name, alias, country = chance.choice(OTHERS)
    return Named(name.format(place), None, country, place, [alias.format(place)])


def _japanese(chance: random.Random) -> Named:
    place = _joined(chance, "japanese", 2, 2, 3)
    name, kanji, kana = chance.choice(JAPANESE)
    aliases = [place.written + kanji, place.written[:2] + "大", place.kana + kana]
    return Named(name.format(place.sound), None, "JP", place.sound, aliases)


def _chinese(chance: random.Random) -> Named:
    place = _joined(chance, "chinese", 2, 3)
    kind, english = chance.choice((("大学", "University"), ("师范大学", "Normal University"), ("学院", "College")))
    alias = place.written + kind
    return Named(f"{place.sound} {english}", None, "CN", place.sound, [alias, alias.replace("学", "學")])


def _korean(chance: random.Random) -> Named:
    place = _joined(chance, "korean", 2, 3)
    aliases = [f"{place.written}대학교", f"{place.written}대"]
    return Named(f"{place.sound} National University", None, "KR", place.sound, aliases)


def _lettered(chance: random.Random) -> Named:
    letters = chance.choice(list(LETTERS))
    university, country = LETTERS[letters]
    place = _joined(chance, letters, 3)
    return Named(f"{place.sound} State University", None, country, place.sound, [university.format(place.written)])
