"""Suggesting institutions while somebody types (S1): the best twenty by the least work.

Names are looked at kind by kind, the best kind first, and no further than twenty institutions need; within a kind,
short names come first. How a text that is in thousands of names stays cheap: docs/decisions/0017-finding.md.
"""

from collections.abc import Sequence
from datetime import timedelta

from engine import database
from engine.database import Row
from engine.limits import Rate, network
from engine.pace import Pace
from errors import TooManyTries
from models.names import as_spelt_in_names, is_initial, search_grams, search_words, start_grams
from models.viewer import Viewer
from resolvers import columns

MOST_SUGGESTIONS = 20
LONGEST_SEARCH = 200
MOST_NAMES = 5 * MOST_SUGGESTIONS  # of a kind: an institution has several names
ENOUGH_SEEN = 8  # of a sample of one in a hundred: some eight hundred names
LONGEST = 1_000_000
LAST_SIGN = "\U0010ffff"
# For each account, and for each network without one: a room full of people types less, a program that copies more.
SEARCHES = Rate("searches", most=1200, window=timedelta(minutes=1))

BEGINS = "starts_with(searched, :search)"
BEGINS_WORDS = "(' ' || searched) LIKE ALL(:beginnings)"
HOLDS = "((' ' || searched) LIKE ALL(:insides) OR strpos(searched, :search) > 0)"
ONLY_HOLDS = f"{HOLDS} AND NOT {BEGINS} AND NOT {BEGINS_WORDS}"


def _best(kind: str, condition: str) -> str:
    """The best names of one kind that belong to approved institutions, each looked up only when its turn has come."""
    return f"""
        SELECT one.institution_id, {kind} AS kind, one.length
        FROM (SELECT institution_id, searched, length(searched) AS length FROM institution_name WHERE {condition}
              ORDER BY length(searched), searched, institution_id) AS one
        CROSS JOIN LATERAL (
            SELECT FROM institution WHERE id = one.institution_id AND status = 'APPROVED' AND sandbox_of_id IS NULL
            LIMIT 1) AS approved
        ORDER BY one.length, one.searched, one.institution_id LIMIT {MOST_NAMES}"""


def _too_few(*kinds: str) -> str:
    """Asks whether these kinds hold fewer institutions than are suggested."""
    found = " UNION ALL ".join(f"SELECT institution_id FROM {kind}" for kind in kinds)
    return f"(SELECT count(DISTINCT institution_id) < {MOST_SUGGESTIONS} FROM ({found}) AS found)"


def _nearest(name: str, kind: str, condition: str, grams: str, better: Sequence[str]) -> str:
    """The best of a kind that may be wide, in two steps, as far as the better kinds leave room.

    One name in a hundred tells up to which length there are some hundreds of them, so that no more are compared and
    sorted; were they too few after all, the longer ones follow.
    """
    indexed = f"grams @> {grams} AND length(searched)"
    near = f"(SELECT length FROM {name}_reach)"
    return f"""
    {name}_sample AS MATERIALIZED (
        SELECT length(searched) AS length FROM institution_name TABLESAMPLE SYSTEM (1) REPEATABLE (1)
        WHERE {condition} AND {_too_few(*better)} ORDER BY 1 LIMIT {ENOUGH_SEEN}
    ),
    {name}_reach AS MATERIALIZED (
        SELECT CASE WHEN count(*) = {ENOUGH_SEEN} THEN max(length) ELSE {LONGEST} END AS length FROM {name}_sample
    ),
    {name} AS MATERIALIZED ({_best(kind, f"{indexed} <= {near} AND {condition} AND {_too_few(*better)}")}),
    {name}_farther AS MATERIALIZED ({
        _best(kind, f"{indexed} > {near} AND {condition} AND {_too_few(*better, name)}")
    })"""


BEGINNING = _best("CASE WHEN one.searched = :search THEN 0 ELSE 1 END", "searched ~>=~ :search AND searched ~<~ :after")
WORDS = _nearest("words", "2", f"{BEGINS_WORDS} AND NOT {BEGINS}", ":starts", ["beginning"])
INSIDE = _nearest("inside", "3", ONLY_HOLDS, ":grams", ["beginning", "words", "words_farther"])
SEARCH = f"""
    WITH beginning AS MATERIALIZED ({BEGINNING}),{WORDS},{INSIDE}
    SELECT {columns.INSTITUTION} FROM institution JOIN (
        SELECT institution_id, min(kind * 1000 + least(length, 999)) AS distance
        FROM (TABLE beginning UNION ALL TABLE words UNION ALL TABLE words_farther
              UNION ALL TABLE inside UNION ALL TABLE inside_farther) AS found
        GROUP BY institution_id
    ) AS best ON best.institution_id = institution.id
    ORDER BY best.distance, institution.department IS NOT NULL, institution.name, institution.department, institution.id
    LIMIT {MOST_SUGGESTIONS}
"""


async def suggest(viewer: Viewer, text: str, pace: Pace) -> list[Row]:
    """What `search` finds, for one who does not ask too often. Raises TooManyTries."""
    asker = str(viewer.id) if viewer.id else network(viewer.address)
    if not pace.count(asker, viewer.at):
        raise TooManyTries(SEARCHES.ends_at(viewer.at))
    return await search(text)


async def search(text: str) -> list[Row]:
    """At most 20 approved institutions with this text in a name or alias, best match first; none if it is too short.

    Best is the whole name, then its beginning, the beginnings of words, anything inside. Any case, accents, width and
    script of an alias; every word must be found, in any order. A word of one letter is the beginning of one, unless the
    text stands in the name just as it is. What is nowhere is tried once more as names spell long vowels.
    """
    words = search_words(text[:LONGEST_SEARCH].replace("\0", ""))
    found = await _find(words) if words else []
    if not found and (instead := as_spelt_in_names(words)) != words:
        return await _find(instead)
    return found


async def _find(words: list[str]) -> list[Row]:
    return await database.rows(SEARCH, **values_for(words))


def values_for(words: list[str]) -> dict[str, str | list[str]]:
    """What the statement is given for these words; folded, they hold no sign that patterns know."""
    text = " ".join(words)
    return {
        "search": text,
        "after": text + LAST_SIGN,
        "starts": start_grams(words),
        "grams": search_grams(words),
        "insides": [f"% {word}%" if is_initial(word) else f"%{word}%" for word in dict.fromkeys(words)],
        "beginnings": [f"% {word}%" for word in dict.fromkeys(words)],
    }
