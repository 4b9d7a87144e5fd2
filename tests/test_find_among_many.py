"""Finding one institution among 25,000 (S1): the best ones come first, and not by looking at all of them."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import asyncpg
import pytest
from pytest import MonkeyPatch

from benchmarks import many_institutions
from benchmarks.institution_names import institutions
from engine import database
from engine.asyncpg_safe import SERVER_SETTINGS
from models.names import folded, is_initial, search_words, shown_name
from resolvers import suggestions
from tests.conftest import empty, settings_for

FREQUENT = [
    "un",
    "univ",
    "university of",
    "of",
    "st",
    "大",
    "大学",
    "学",
    "だいがく",
    "대",
    "iv",
    "ty",
    "versi",
    "u of",
]
HOSTILE = [
    *["a" * 200, "un" * 100, "un " * 66, "u o a b c d e f g h", "of university state college institute of"],
    *["%", "%%%", "__", "\\", "\\\\%", "'; DROP TABLE institution; --", '"', "$1", ":search", "{}", "NULL"],
    *[
        "\u200bun\u200biv",
        "\u202euniv",
        "\ufeff",
        "👩‍🎓👩‍🎓",
        "🏫 univ",
        "ｶﾞｸｲﾝ",
        "か\u3099く",
        "o\u0301\u0302\u0303" * 60,
    ],
    *["ﬁeld", "Weißen", "İst", "ıst", "Ørs", "Łódź", "大學", "ラー", "ーー", "Tōkyō", "ẞẞ", "x" * 199 + "é", "\0un"],
    *["\U0010ffff\U0010ffff", "ﷺﷺ", "un\nun", "\t\t", "q x", "ж я"],
]


@pytest.fixture(scope="module")
async def many(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[asyncpg.Connection]:
    """25,000 institutions in the database that is open, for all tests of this file; none changes them."""
    await empty(database_url)
    connection = await asyncpg.connect(database_url, server_settings=SERVER_SETTINGS)
    await many_institutions.load(connection)
    settings = settings_for(database_url, tmp_path_factory.mktemp("var"))
    async with database.opened(database_url, settings.pool_size):
        yield connection
    await connection.close()
    await empty(database_url)


async def found(search: str) -> list[str]:
    """What a search finds, as shown, best first."""
    return [shown(row) for row in await suggestions.search(search)]


def shown(row: Mapping[str, Any]) -> str:
    """An institution's name, with its department."""
    return shown_name(row["institution_name"], row["department"])


async def test_each_search_of_the_golden_set_finds_what_is_meant_first(many: asyncpg.Connection) -> None:
    """S1: any script, width, case, accents and short forms; and nothing where nothing is meant."""
    golden = many_institutions.searches()
    assert len(golden) >= 60
    wrong = {search: first for search, meant in golden if (first := next(iter(await found(search)), None)) != meant}
    assert wrong == {}


class Name(NamedTuple):
    """One name of an institution, as it is searched."""

    searched: str
    shown: str


@cache
def all_names() -> list[Name]:
    """Every name of every institution."""
    return [
        Name(folded(written), shown_name(one.name, one.department))
        for one in institutions()
        for written in many_institutions.names_of(one)
    ]


@cache
def names_of_all() -> dict[str, list[str]]:
    """The searched names of every institution as shown."""
    found: dict[str, list[str]] = {}
    for name in all_names():
        found.setdefault(name.shown, []).append(name.searched)
    return found


def kind_of(searched: str, words: list[str]) -> int | None:
    """How well a name answers, told plainly: 0 it is the text, 1 it begins with it, 2 its words do, 3 it holds it."""
    if not all(word in searched for word in words):
        return None
    text, begun = " ".join(words), f" {searched}"
    if searched.startswith(text):
        return 0 if searched == text else 1
    if all(f" {word}" in begun for word in words):
        return 2
    held = all((f" {word}" if is_initial(word) else word) in begun for word in words)
    return 3 if held or text in searched else None


def distances(search: str) -> list[tuple[int, int]]:
    """How far the best twenty are, by looking at all names; of two institutions with one name both count."""
    words = search_words(search)
    best: dict[str, tuple[int, int]] = {}
    for name in all_names():
        if (kind := kind_of(name.searched, words)) is not None:
            distance = (kind, len(name.searched))
            best[name.shown] = min(best.get(name.shown, distance), distance)
    return sorted(best.values())[: suggestions.MOST_SUGGESTIONS]


def parts() -> Iterator[str]:
    """Frequent texts, and parts of names from everywhere."""
    yield from FREQUENT
    for name in all_names()[7::6007]:
        yield name.searched[: 2 + len(name.searched) % 5].strip()
        yield name.searched[-3:].strip()
    yield from ("state u", "gakuin josh", "u wes", "ville", "b c", "n u", "national gang", "ge of te")


async def test_the_best_twenty_are_the_best_of_all(many: asyncpg.Connection) -> None:
    """S1: exact, prefix of the name, of a word, inside; short before long: as if all names had been compared."""
    asked = [part for part in dict.fromkeys(parts()) if search_words(part)]
    assert len(asked) > 35
    for search in asked:
        words = search_words(search)
        told = [
            min((kind, len(one)) for one in names_of_all()[name] if (kind := kind_of(one, words)) is not None)
            for name in await found(search)
        ]
        assert told == distances(search), search


@pytest.mark.parametrize("reach", [0, 12, 1000])
async def test_a_wrong_guess_of_how_long_names_are_changes_no_answer(
    many: asyncpg.Connection, monkeypatch: MonkeyPatch, reach: int
) -> None:
    """S1: it is about work alone; too short a reach goes on with the longer names, too long a one sorts more."""
    expected = {search: await found(search) for search in ("of", "iv", "ty", "学", "gakuin josh", "waseda")}
    guess = f"CASE WHEN count(*) = {suggestions.ENOUGH_SEEN} THEN max(length) ELSE {suggestions.LONGEST} END"
    assert suggestions.SEARCH.count(guess) == 2
    monkeypatch.setattr(suggestions, "SEARCH", suggestions.SEARCH.replace(guess, f"coalesce(min({reach}), {reach})"))
    assert {search: await found(search) for search in expected} == expected


async def test_an_answer_is_the_same_each_time(many: asyncpg.Connection) -> None:
    """S1: ties do not change places while somebody types."""
    for search in FREQUENT:
        first = await suggestions.search(search)
        assert [row["institution_id"] for row in await suggestions.search(search)] == [
            row["institution_id"] for row in first
        ]


async def test_hostile_searches_find_at_most_twenty_and_break_nothing(many: asyncpg.Connection) -> None:
    """S1: patterns, quotes, signs that cannot be seen, marks without end, other directions."""
    for search in HOSTILE:
        assert len(await found(search)) <= suggestions.MOST_SUGGESTIONS, search
    assert await found("ﬁeld") == await found("field") != []
    assert await found("\u202euniv") == await found("univ") != []
    assert await found("un\0iv") == await found("univ")


async def test_no_search_reads_all_names_or_looks_up_all_institutions(
    many: asyncpg.Connection, monkeypatch: MonkeyPatch
) -> None:
    """S1: by the plans that production has; `un` is in 20,000 names, and hostile texts may not cost more."""
    for search in [*FREQUENT, *HOSTILE, "mar", "zzzz"]:
        for plan in await plans_of(many, search, monkeypatch):
            nodes = list(nodes_of(plan))
            assert not [node for node in nodes if node["Node Type"] == "Seq Scan"], search
            looked_up = [node for node in nodes if node.get("Relation Name") == "institution"]
            assert looked_up, search
            assert sum(node["Actual Loops"] for node in looked_up) <= 8 * suggestions.MOST_NAMES, search


async def test_of_names_that_only_hold_a_text_a_fifth_at_most_is_sorted(
    many: asyncpg.Connection, monkeypatch: MonkeyPatch
) -> None:
    """S1: `ty` begins nothing and is inside a third of all names."""
    holding = sum("ty" in name.searched for name in all_names())
    assert holding > 15_000
    (plan,) = await plans_of(many, "ty", monkeypatch)
    sorted_by = [node["Plans"][-1] for node in nodes_of(plan) if node["Node Type"] == "Sort"]
    assert 500 < max(below["Actual Rows"] for below in sorted_by) < holding / 5


LITERAL = {"text": "SELECT quote_literal($1::text)", "text[]": "SELECT quote_literal(($1::text[])::text)"}


async def plans_of(connection: asyncpg.Connection, search: str, monkeypatch: MonkeyPatch) -> list[Any]:
    """How PostgreSQL ran the statements of a search, by the one plan that it keeps for each."""
    plans: list[Any] = []

    async def explained(statement: str, **named: Any) -> list[Any]:
        text, names = database.numbered(statement)
        kinds = ["text[]" if isinstance(named[name], list) else "text" for name in names]
        values = [
            await connection.fetchval(LITERAL[kind], named[name]) for kind, name in zip(kinds, names, strict=True)
        ]
        await connection.execute(f"PREPARE search ({', '.join(kinds)}) AS {text}")
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE search ({', '.join(values)})")
        await connection.execute("DEALLOCATE search")
        plans.append(json.loads(told)[0]["Plan"])
        return []

    with monkeypatch.context() as patched:
        patched.setattr(database, "rows", explained)
        await suggestions.search(search)
    return plans


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes_of(below)
