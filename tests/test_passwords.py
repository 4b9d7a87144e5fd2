"""What a password may be (A2)."""

import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import passwords
from models.passwords import breached, password_problems
from tests.client import Client
from tests.world import PASSWORD, SECRET, World

SHORT = "The password needs at least 8 characters."
LONG = "The password may have at most 127 characters."
LETTER = "The password needs at least one letter."
DIGITS = "The password needs at least 2 digits."
PERSONAL = "The password may not be your ID Number, your name or your e-mail."
BREACHED = "The password is on a list of passwords that attackers try first."
NOT_THE_SAME = "The two passwords are not the same."
NO_TEXT = "The password contains characters that cannot be stored."

REGISTERED = "... on InvalidInput { problems { path message } } ... on LoggedIn { token }"


def told(password: str, *personal: str) -> list[str]:
    """The sentences of the rules that a password breaks."""
    return [problem.message for problem in password_problems(password, password, personal)]


@pytest.mark.parametrize(
    ("password", "sentences"),
    [
        ("ab cd12", [SHORT]),
        ("ab cde12", []),
        ("ab12" + "x" * 123, []),
        ("ab12" + "x" * 124, [LONG]),
        ("abcdefgh", [DIGITS]),
        ("abcdefg1", [DIGITS]),
        ("abcdez19", []),
        ("9405 1738!", [LETTER]),
        ("9405 1738x", []),
        ("", [SHORT, LETTER, DIGITS]),
        ("!!!!!!!", [SHORT, LETTER, DIGITS]),
        ("!" * 128, [LONG, LETTER, DIGITS]),
    ],
)
def test_each_broken_rule_is_told_by_name_and_no_other(password: str, sentences: list[str]) -> None:
    """A2: both sides of every edge."""
    assert told(password) == sentences


@pytest.mark.parametrize(
    "password",
    [
        "correct horse 42",
        "  12 ab  ",
        r"~`!@#$%^&*()_-+={[}]|\:;<,>.?/a12'" + '"',
        "ながいあいことば12",
        "пароль из слов 12",
        "كلمة السر ١٢",
        "पासवर्ड १२",
        "🔑🔑🔑🔑🔑a12",
        "𠮷野家の合言葉12",
        "tab\tand\nline 12",
    ],
)
def test_symbols_spaces_and_any_script_are_allowed(password: str) -> None:
    """A2: letters and digits of any script count as such."""
    assert told(password) == []


@pytest.mark.parametrize("again", ["Ab cde12", "ab cde12 ", "", "ab cde1２"])
def test_password_is_typed_twice_alike(again: str) -> None:
    """A1."""
    problems = password_problems("ab cde12", again)
    assert [(problem.path, problem.message) for problem in problems] == [("passwordAgain", NOT_THE_SAME)]


def test_length_is_that_of_the_characters_however_the_keyboard_composed_them() -> None:
    """A2: hashing keeps one form of a password, and its length is the length of that form."""
    short, long = "éüöñô12", "é" * 125 + "12"
    assert told(unicodedata.normalize("NFD", short)) == [SHORT]
    assert told(unicodedata.normalize("NFD", long)) == []
    assert password_problems(long, unicodedata.normalize("NFD", long)) == []


@pytest.mark.parametrize("password", ["ab cde1\x002", "ab cde12\ud800", "\udc00ab cde12"])
def test_what_is_not_text_is_no_password(password: str) -> None:
    """A2: NUL and half surrogate pairs."""
    assert told(password) == [NO_TEXT]


@pytest.mark.parametrize("password", ["KQX405173", "kqx405173", "kQx-405 173", "ＫＱＸ４０５１７３", "Kqx.405173"])
def test_id_number_is_refused_however_it_is_written(password: str) -> None:
    """A2."""
    assert told(password, "KQX405173") == [PERSONAL]
    assert told(password + "x", "KQX405173") == []


@pytest.mark.parametrize(
    "password", ["Aoi77@Mail.Example", "aoi77@mail.example", "AOI77 MAIL EXAMPLE", "aoi77mailexample"]
)
def test_email_is_refused_however_it_is_written(password: str) -> None:
    """A2."""
    assert told(password, "aoi77@mail.example") == [PERSONAL]


def test_empty_personal_facts_forbid_nothing() -> None:
    """A2: a candidate without a name in another script may use symbols that fold to nothing."""
    assert PERSONAL not in told("!!!!!!!!", "", "---")


def test_every_word_of_the_breached_list_is_refused_in_any_case() -> None:
    """A2."""
    words = Path(passwords.__file__).with_name("breached_passwords.txt").read_text("utf-8").split()
    assert len(words) == 4214
    kept = [word for word in words for form in (word, word.upper(), word.title()) if BREACHED not in told(form)]
    assert kept == []
    assert told("password123") == [BREACHED]
    assert told("password123 password123") == []


@given(st.text("aéж漢1２٣ !\u0301", max_size=12) | st.text("aж1٣ ", min_size=120, max_size=135))
def test_password_passes_only_if_it_keeps_every_rule(password: str) -> None:
    """A2: a second, plainer reading of the rules."""
    whole = unicodedata.normalize("NFC", password)
    digits = len(re.findall(r"\d", whole))
    letters = len(re.findall(r"[^\W\d_]", whole))
    keeps_all = 8 <= len(whole) <= 127 and digits >= 2 and letters >= 1 and whole.lower() not in breached()
    assert (told(password) == []) == keeps_all


@given(st.text(st.characters(), max_size=150), st.lists(st.text(st.characters()), max_size=3))
def test_any_text_is_judged_without_an_error(password: str, personal: list[str]) -> None:
    """A2: half surrogate pairs, controls and unassigned signs too."""
    assert (NO_TEXT in told(password, *personal)) == bool(re.search("[\0\ud800-\udfff]", password))


def test_judging_a_whole_body_of_accents_takes_no_time() -> None:
    """Putting accents in order takes the square of their number: 250 KB of them would stop the service for seconds."""
    started = time.process_time()
    assert told("ab12" + "\u0301\u0327" * 60_000) == [LONG]
    assert time.process_time() - started < 1


async def registered(client: Client, world: World, password: str, **names: str) -> list[tuple[str, str]]:
    """Register a candidate of these names; the problems, if any."""
    entry = await world.entry(await world.candidate(registered=False, **names))
    payload = await client.order(
        "register",
        REGISTERED,
        idNumber=entry.id_number,
        secretNumber=SECRET,
        email="aoi77@mail.example",
        emailAgain="aoi77@mail.example",
        password=password.format(id_number=entry.id_number),
        passwordAgain=password.format(id_number=entry.id_number),
        acceptsTerms=True,
    )
    return [(problem["path"], problem["message"]) for problem in payload.get("problems", [])]


@pytest.mark.parametrize("password", ["tanaka77 AOI", "aoi TANAKA77", "AoiTanaka77", "田中宮77 小百合", "tanaka77"])
async def test_registering_refuses_the_candidates_name_in_any_case_and_order(
    client: Client, world: World, password: str
) -> None:
    """A2: the name is the centre's; the form does not hold it."""
    names = {"family_name": "Tanaka77", "given_name": "Aoi", "native_name": "田中宮77 小百合"}
    problems = await registered(client, world, password, **names)
    assert problems == [("password", PERSONAL)]


@pytest.mark.parametrize("password", ["{id_number}", "aoi77@mail.example", "AOI77@MAIL.EXAMPLE"])
async def test_registering_refuses_id_number_and_email(client: Client, world: World, password: str) -> None:
    """A2."""
    assert await registered(client, world, password) == [("password", PERSONAL)]


async def test_registering_tells_every_broken_rule_of_the_password_at_once(client: Client, world: World) -> None:
    """A2."""
    assert await registered(client, world, "!") == [
        ("password", SHORT),
        ("password", LETTER),
        ("password", DIGITS),
    ]


async def test_registering_takes_a_good_password(client: Client, world: World) -> None:
    """A2: the other side of the refusals above."""
    assert await registered(client, world, PASSWORD) == []
