"""Finding the right institution (S1, S2)."""

import csv
import unicodedata
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

import demo
from models.consent import CONSENT_VERSION
from models.institution import Institution, InstitutionStatus
from resolvers import institutions, suggestions
from resolvers.suggestions import SEARCHES
from tests.client import Client
from tests.conftest import ControlledClock, client_of
from tests.world import World

AOBA = ["蒼羽学院大学", "あおばがくいんだいがく", "アオバガクインダイガク", "Aoba Univ."]
WRITINGS = [
    "Aoba Gakuin University",
    *["ao", "ba", "oba g", "n U", "ty"],  # any part, across blanks too
    *["AOBA", "aOBA gAKUIN", "āōbā", "Aôba", "ÅOBA"],  # any case, any accents
    *["Ａｏｂａ　Ｇａｋｕｉｎ", "  aoba   gakuin ", "Aoba-Gakuin", "aoba‐g"],  # any width, blanks and hyphens
    *["Ao\u00adba", "\u200eAoba\u200f", "\ufeffaoba"],  # with signs that cannot be seen
    *["Gakuin Aoba", "univ aoba", "univ.", "Aoba Univ"],  # words in any order
    *["蒼羽学院大学", "羽学", "蒼羽 学院", "蒼", "学"],  # kanji, from one sign up
    *["あおば", "アオバ", "ｱｵﾊﾞ", "ｶﾞｸｲﾝ", "がく", "あオば", "あ", "ｱ"],  # either kana, either width
]
SEARCH = """query ($search: String!) { institutions(search: $search) {
    name department shownAs city country kind website consent { text version language } } }"""


async def found(search: str) -> list[str]:
    """Names, with departments, of what a search finds, best match first."""
    return [
        one["institution_name"] + (f", {one['department']}" if one["department"] else "")
        for one in await suggestions.search(search)
    ]


async def test_any_part_of_a_name_in_any_writing_finds_it(open_database: None, world: World) -> None:
    """S1."""
    await world.institution("Hoshikage Women's College", ["星影女子"])
    await world.institution("Aoba Gakuin University", AOBA)
    for search in WRITINGS:
        assert await found(search) == ["Aoba Gakuin University"], search


async def test_names_in_other_scripts_are_found(open_database: None, world: World) -> None:
    """S1: Korean from one sign, Greek and Cyrillic in any case, letters that no accent makes, vowels that are marks."""
    await world.institution("Hangang University", ["한강대학교"])
    await world.institution("University of Smolnograd", ["Смольноградский университет"])
    await world.institution("University of Kalydna", ["Πανεπιστήμιο Καλύδνας"])
    await world.institution("Øresø Højskole", ["Szkoła Łęczno"])
    await world.institution("Dhruvamala Institute", ["ध्रुवमाला संस्थान", "สถาบันธุรวมาลา"])
    for search, name in (
        ("강", "Hangang University"),
        ("대학", "Hangang University"),
        ("УНИВЕРСИТЕТ", "University of Smolnograd"),
        ("καλυδνασ", "University of Kalydna"),
        ("ΚΑΛΎΔΝΑΣ", "University of Kalydna"),
        ("oreso hojskole", "Øresø Højskole"),
        ("ǾRESǾ", "Øresø Højskole"),
        ("szkola lecz", "Øresø Højskole"),
        ("माला", "Dhruvamala Institute"),
        ("ุรวม", "Dhruvamala Institute"),
    ):
        assert await found(search) == [name], search


async def test_marks_of_kana_are_no_accents(open_database: None, world: World) -> None:
    """S1: か and が are two signs, not one with and without an accent."""
    await world.institution("Gakuin", ["がくいん"])
    await world.institution("Kakuin", ["かくいん"])
    assert (await found("ガク"), await found("カク")) == (["Gakuin"], ["Kakuin"])


async def test_apostrophes_can_be_written_any_way_or_left_out(open_database: None, world: World) -> None:
    """S1."""
    await world.institution("Kobe O'Malley's College")
    for apostrophe in ("'", "’", "‘", "ʼ", "`", "´", "＇", ""):
        assert await found(f"o{apostrophe}malley{apostrophe}s") == ["Kobe O'Malley's College"], apostrophe


async def test_hyphens_are_like_blanks(open_database: None, world: World) -> None:
    """S1."""
    await world.institution("Kita-Shiokaze Institute")
    for hyphen in ("-", " ", "‐", "–", "—", "－", "・"):
        assert await found(f"kita{hyphen}shiokaze") == ["Kita-Shiokaze Institute"], hyphen
        assert await found(f"a{hyphen}s") == ["Kita-Shiokaze Institute"], hyphen


async def test_one_latin_letter_beside_a_word_is_the_beginning_of_another(open_database: None, world: World) -> None:
    """S1: as people write "u tokyo"."""
    await world.institution("University of Tokyo Bay")
    await world.institution("Tokyo Bay Gakuin")
    await world.institution("Tokyo Bay Kunst College")
    assert await found("u tokyo") == ["University of Tokyo Bay"]
    assert await found("tokyo b u") == ["University of Tokyo Bay"]
    assert await found("t g") == ["Tokyo Bay Gakuin"]


async def test_what_is_shorter_than_two_signs_finds_nothing(open_database: None, world: World) -> None:
    """S1: except one CJK sign."""
    await world.institution("A é ж 7 Academy a", ["a", "é", "ж"])
    for search in ("", " ", "a", "Ａ", " a ", "é", "'", "-", "..", "☃", "ж", "7", "\0", "a\0"):
        assert await found(search) == [], search


async def test_signs_of_patterns_stand_for_nothing_but_themselves(open_database: None, world: World) -> None:
    """S1: `%`, `_` and `\\` are no wildcards, and are found where they are written."""
    await world.institution("Kobe College")
    await world.institution("100% Club_A\\B")
    for search in ("%", "_", "\\", "%%", "__", "k%e", "ko_e", "k*e", "k.e", "kob[e]", "\\w\\w"):
        assert await found(search) == [], search
    for search in ("100%", "0% c", "club_a", "b_a", "a\\b", "Club_A\\B"):
        assert await found(search) == ["100% Club_A\\B"], search


async def test_the_best_match_comes_first(open_database: None, world: World) -> None:
    """S1: the whole name, then its beginning, then the beginning of a word, then anything inside."""
    ranked = ["Kobe", "Kobe Gakuin", "University of Kobe", "Shinkobe College"]
    for name in reversed(ranked):
        await world.institution(name)
    assert await found("kobe") == ranked


async def test_an_alias_counts_as_much_as_the_name(open_database: None, world: World) -> None:
    """S1."""
    await world.institution("Kobe Gakuin")
    await world.institution("Harbour University", ["Kobe"])
    assert await found("kobe") == ["Harbour University", "Kobe Gakuin"]


async def test_a_short_name_comes_before_a_long_one(open_database: None, world: World) -> None:
    """S1."""
    await world.institution("Kobe Gakuin of Letters and Trade")
    await world.institution("Kobe Seaside")
    assert await found("kob") == ["Kobe Seaside", "Kobe Gakuin of Letters and Trade"]


async def test_at_most_twenty_are_suggested(open_database: None, world: World) -> None:
    """S1: the best twenty."""
    for number in range(25):
        await world.institution(f"Kobe College {number:02}")
    await world.institution("Kobe")
    suggested = await found("kobe")
    assert len(suggested) == 20
    assert suggested[0] == "Kobe"


async def test_only_approved_ones_are_found(open_database: None, world: World) -> None:
    """S1, O3."""
    college = await world.institution("Kobe College")
    institution = await world.institution("Kobe Gakuin")
    for status in InstitutionStatus:
        institution.status = status
        institution.suspended_at = world.clock() if status is InstitutionStatus.SUSPENDED else None
        institution.merged_into_id = college.id if status is InstitutionStatus.MERGED else None
        await institution.save()
        is_found = "Kobe Gakuin" in await found("kobe")
        assert is_found == (status is InstitutionStatus.APPROVED), status


async def test_a_main_account_comes_before_its_departments_by_a_name_they_share(
    open_database: None, world: World
) -> None:
    """S2: whatever order they were made in."""
    main = await world.institution("Kobe Gakuin", ["神学"])
    for department in ("Faculty of Arts", "Admissions Office"):
        await world.institution("Kobe Gakuin", ["神学"], department=department, parent_id=main.id)
    in_order = ["Kobe Gakuin", "Kobe Gakuin, Admissions Office", "Kobe Gakuin, Faculty of Arts"]
    assert await found("神学") == in_order
    await main.save(update_fields=["name"])  # a row written again stands elsewhere in the table
    assert await found("神学") == in_order


async def test_an_institution_found_by_many_names_takes_one_place(open_database: None, world: World) -> None:
    """S1: its best one."""
    await world.institution("Harbour Gakuin", [f"Kobe {word}" for word in ("A", "B", "C", "D", "E")])
    await world.institution("Kobe BC")
    assert await found("kobe") == ["Harbour Gakuin", "Kobe BC"]


async def test_old_forms_of_kanji_and_new_ones_find_each_other(open_database: None, world: World) -> None:
    """S1."""
    await world.institution("Aoba", ["國立靑羽學院大學"])
    await world.institution("Hoshikage", ["星影芸術大学"])
    for search, name in (("国立", "Aoba"), ("國立", "Aoba"), ("学院大学", "Aoba"), ("藝術大學", "Hoshikage")):
        assert await found(search) == [name], search


async def test_long_vowels_and_umlauts_may_be_written_out(open_database: None, world: World) -> None:
    """S1: only where the text as it is finds nothing."""
    await world.institution("Tōkyō Wan University", ["とうきょうわん"])
    await world.institution("Universität Köln")
    await world.institution("Southport Cooper College")
    for search, name in (
        ("toukyou", "Tōkyō Wan University"),
        ("tookyoo wan", "Tōkyō Wan University"),
        ("tohkyoh", "Tōkyō Wan University"),
        ("トーキョー", "Tōkyō Wan University"),
        ("koeln", "Universität Köln"),
        ("south", "Southport Cooper College"),
        ("coop", "Southport Cooper College"),
    ):
        assert await found(search) == [name], search
    assert await found("oo oo") == await found("ou") == ["Southport Cooper College"]
    assert await found("soth") == []


async def test_single_letters_alone_are_beginnings_of_words_or_stand_as_typed(
    open_database: None, world: World
) -> None:
    """S1: in any alphabet."""
    await world.institution("University of Tokyo Bay", ["Московский государственный университет"])
    await world.institution("Plan X Academy")
    assert await found("t b") == await found("м г у") == ["University of Tokyo Bay"]
    assert await found("n x") == ["Plan X Academy"]
    assert await found("b x") == await found("х м") == []


async def test_departments_are_shown_apart_from_their_institution(client: Client, world: World) -> None:
    """S2: with department, city and country, and found by either name; anybody may search."""
    main = await world.institution("Aoba Gakuin University", city="Yokohama")
    for department, city in (("Faculty of Science", "Sagamihara"), ("Faculty of Letters", "Yokohama")):
        await world.institution("Aoba Gakuin University", department=department, parent_id=main.id, city=city)
    suggested = (await client.ask(SEARCH, search="aoba gakuin"))["institutions"]
    assert [(one["name"], one["department"], one["city"], one["country"]) for one in suggested] == [
        ("Aoba Gakuin University", None, "Yokohama", "JP"),
        ("Aoba Gakuin University", "Faculty of Letters", "Yokohama", "JP"),
        ("Aoba Gakuin University", "Faculty of Science", "Sagamihara", "JP"),
    ]
    assert [one["shownAs"] for one in suggested][2] == "Aoba Gakuin University, Faculty of Science"
    science = (await client.ask(SEARCH, search="aoba science"))["institutions"]
    assert [one["department"] for one in science] == ["Faculty of Science"]


async def test_several_accounts_of_one_institution_come_with_a_hint_to_choose_between_them(
    client: Client, world: World
) -> None:
    """S2: a department says whom it is for, the main account that there are others; the only account says nothing."""
    main = await world.institution("Aoba Gakuin University")
    letters = await world.institution("Aoba Gakuin University", department="Faculty of Letters", parent_id=main.id)
    query = """query ($language: String!) { institutions(search: "aoba") { department hint(language: $language) } }"""

    async def hints(language: str) -> dict[str | None, str | None]:
        found = (await client.ask(query, language=language))["institutions"]
        return {one["department"]: one["hint"] for one in found}

    english, japanese = await hints("en"), await hints("ja")
    assert (english["Faculty of Letters"] or "").startswith("This account is for Faculty of Letters only.")
    assert (english[None] or "").startswith("Aoba Gakuin University has accounts for single departments, too.")
    assert (japanese["Faculty of Letters"] or "").startswith("このアカウントはFaculty of Letters専用です。")
    assert (japanese[None] or "").startswith("Aoba Gakuin Universityには部局ごとのアカウントもあります。")
    await world.suspend(letters)
    assert await hints("en") == {None: None}
    assert [one["extensions"]["code"] for one in await client.errors(query, language="fr")] == ["BAD_USER_INPUT"]


async def test_a_suggestion_brings_the_consent_sentence_to_show(client: Client, world: World) -> None:
    """S3."""
    await world.institution("Kobe College", department="Faculty of Letters")
    consent = (await client.ask(SEARCH, search="kobe"))["institutions"][0]["consent"]
    assert "is sent to Kobe College, Faculty of Letters," in consent["text"]
    assert (consent["version"], consent["language"]) == (CONSENT_VERSION, "en")


# What a person sees as one sign; some are two characters, some become two when folded.
LETTERS = [*"abcXYZ019éÅøßœĐñ", *"ＡｚアｱヴぁっーｯがガパがぷケヶΣςжЙ한국大学京𠮷々〇", "ｶﾞ", "ﾊﾟ", "㈱", "ﬁ"]
BETWEEN = [" ", "　", "-", "‐", "'", "’", "´", ".", "・", "&", "%", "_", "\\", "(", ")", ",", "/"]
ALIASES = [
    alias
    for line in csv.DictReader((Path(demo.__file__).parent / "institutions.csv").read_text("utf-8").splitlines())
    for alias in (line["name"], *line["aliases"].split("|"))
]


def signs_of(alias: str) -> list[str]:
    """The signs of an alias, each with the vowels and accents that belong to it."""
    signs: list[str] = []
    for sign in alias:
        if unicodedata.category(sign).startswith("M") and signs:
            signs[-1] += sign
        else:
            signs.append(sign)
    return signs


@st.composite
def alias_and_part(draw: st.DrawFn) -> tuple[str, str]:
    """An alias, and a part of it that holds at least two letters."""
    made_up = st.lists(st.one_of(st.sampled_from(LETTERS), st.sampled_from(BETWEEN)), min_size=2, max_size=30)
    signs = draw(st.one_of(made_up, st.sampled_from(ALIASES).map(signs_of)))
    letters = [place for place, sign in enumerate(signs) if sign not in BETWEEN]
    if len(letters) < 2:
        signs, letters = ["a", *signs, "b"], [0, len(signs) + 1]
    start = draw(st.integers(0, letters[-2]))
    second = [place for place in letters if place >= start][1]
    end = draw(st.integers(second + 1, len(signs)))
    return "".join(signs), "".join(signs[start:end])


@given(alias_and_part())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_part_of_two_signs_of_any_alias_finds_its_institution(
    open_database: None, world: World, alias_and_part: tuple[str, str]
) -> None:
    """S1."""
    alias, part = alias_and_part
    institution = await Institution.get_or_none(name="Q") or await world.institution("Q")
    await institutions.name_for_search(institution, [alias])
    assert await found(part) == ["Q"], (alias, part)


async def test_whoever_searches_more_than_people_type_is_told_when_to_go_on(
    client: Client, app: Starlette, world: World, clock: ControlledClock
) -> None:
    """S1: counted for each account and for each network without one, however many are in one request."""
    await world.institution("Kobe College")
    candidate = client.as_(await world.token(await world.candidate()))
    thirty = " ".join(f'a{number}: institutions(search: "-") {{ name }}' for number in range(30))
    for _ in range(SEARCHES.most // 30):
        await client.ask(f"{{ {thirty} }}")
    clock.forward(seconds=20)
    (error,) = await client.errors(SEARCH, search="kobe")
    assert error["extensions"]["code"] == "TOO_MANY_TRIES"
    assert error["extensions"]["retryAfter"] == "2026-11-22T09:01:00+00:00"
    async with client_of(app, "192.0.2.7") as elsewhere:
        for asking in (candidate, elsewhere):
            assert len((await asking.ask(SEARCH, search="kobe"))["institutions"]) == 1
    clock.forward(seconds=40)
    assert len((await client.ask(SEARCH, search="kobe"))["institutions"]) == 1
