"""What letters say: the same facts as text and as HTML, in English and Japanese (N2, N5, A12)."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from cli import main
from mailers import letters
from mailers.letters import Account, Envelope, Mail, Period
from mailers.post.writing import Writer
from mailers.samples import INBOX, SAMPLES, STOP, envelope, news, sample
from mailers.wording import FORMS, LANGUAGES, TEMPLATES, columns, environment, moment, tidy, wrapped, written
from settings import MAIL_FROM
from tests.conftest import START
from tests.mail_server import link_in, parsed, text_of

KINDS = {
    name
    for name, thing in vars(letters).items()
    if inspect.isfunction(thing) and thing.__module__ == letters.__name__ and not name.startswith("_")
}
KANA = re.compile(r"[ぁ-んァ-ヶ]")
LINK = "https://results.example/somewhere#token"
ALL = [(name, language) for name in SAMPLES for language in LANGUAGES]
every_letter = pytest.mark.parametrize(("name", "language"), ALL)
each_language = pytest.mark.parametrize("language", LANGUAGES)


class Page(HTMLParser):
    """The blocks of words that a reader of HTML sees, and the addresses of its links."""

    BLOCKS = ("p", "li", "h1", "h2", "td", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocks = [""]
        self.links: list[str] = []
        self.names: list[str] = []
        self.unseen: str | None = None
        self.is_name = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "title" or "display:none" in told.get("style", ""):
            self.unseen = tag
        if tag in self.BLOCKS:
            self.blocks.append("")
        if "href" in told:
            self.links.append(told["href"])
        self.is_name = told.get("translate") == "no"

    def handle_endtag(self, tag: str) -> None:
        if tag == self.unseen:
            self.unseen = None
        if tag in self.BLOCKS:
            self.blocks.append("")

    def handle_data(self, data: str) -> None:
        if self.unseen is None:
            self.blocks[-1] += data
            if self.is_name:
                self.names.append(data)
        self.is_name = False

    @property
    def words(self) -> list[str]:
        """The blocks that say something, without blanks."""
        return [squeezed(block) for block in self.blocks if squeezed(block)]


def squeezed(words: str) -> str:
    """Words without blanks and line ends, which differ between text and HTML."""
    return "".join(words.split())


def told(**facts: object) -> Callable[[str], Mail]:
    """The letter about these new shares, by language."""
    shares = replace(news(Period.AT_ONCE, {"C1 Advanced": 1}), **facts)  # type: ignore[arg-type]  # names differ
    return lambda language: letters.new_shares(envelope("new_shares", language), shares, INBOX, STOP)


# ---- every letter


def test_every_letter_is_there_in_every_language_and_no_template_is_left_over() -> None:
    """N5, A12."""
    found = {path.name for path in TEMPLATES.iterdir()}
    shared = {f"{name}.{form}" for name in ("layout", "parts") for form in FORMS}
    assert found == shared | {f"{kind}.{language}.jinja" for kind in {*KINDS, "letter"} for language in LANGUAGES}
    assert {name.partition("-")[0] for name in SAMPLES} == KINDS


@every_letter
def test_text_and_html_say_the_same(name: str, language: str) -> None:
    """N5: but for the hint below a button, everything stands in both."""
    mail = sample(name, language)
    page = Page(mail.html)
    assert page.words[:2] == ["Seiseki成績", squeezed(mail.subject)]
    text = squeezed(mail.text)
    in_html_only = {squeezed(environment("html", language).get_template("parts.html").module.FALLBACK[language])}  # type: ignore[attr-defined]
    assert [words for words in page.words[2:] if words not in text and words not in in_html_only] == []
    for line in mail.text.splitlines():
        said = squeezed(line.removeprefix("- ")).rstrip(":：")
        assert said in "".join(page.words) or line == "----" or line in page.links, line


@every_letter
def test_letter_is_in_its_language(name: str, language: str) -> None:
    """A12."""
    mail = sample(name, language)
    for words in (mail.subject, mail.text, mail.html):
        assert bool(KANA.search(words)) == (language == "ja")
    assert mail.html.startswith(f'<!doctype html>\n<html lang="{language}"')


@every_letter
def test_subject_fits_on_a_line_and_names_nobody(name: str, language: str) -> None:
    """N5."""
    mail = sample(name, language)
    assert 0 < len(mail.subject) < 78
    assert "Aoba" not in mail.subject


@every_letter
def test_no_letter_shows_an_address_of_mail(name: str, language: str) -> None:
    """A9, N5: the old address never learns the new one."""
    mail = sample(name, language)
    assert "@" not in mail.subject + mail.text + mail.html


@every_letter
def test_html_brings_nothing_from_elsewhere_and_all_its_styles_with_it(name: str, language: str) -> None:
    """N5: mail programs drop style sheets, and what is fetched tells the sender who reads."""
    mail = sample(name, language)
    assert re.findall(r"<(?:style|link|img|script|iframe|svg)|src=|url\(|@import", mail.html) == []
    assert set(re.findall(r"https?://[^\s\"<]+", mail.html)) <= {
        line for line in mail.text.splitlines() if "://" in line
    }


@every_letter
def test_lines_of_text_are_short_and_links_stand_alone(name: str, language: str) -> None:
    """N5."""
    for line in sample(name, language).text.splitlines():
        assert ("://" in line) == line.startswith("https://")
        assert line.startswith("https://") or columns(line) <= 76


@every_letter
def test_only_letters_that_one_can_stop_say_how(name: str, language: str) -> None:
    """N5: security notices cannot be stopped; the address stands in the header, the text and the HTML."""
    mail = sample(name, language)
    can_stop = name.startswith(("new_shares", "result_corrected"))
    assert mail.unsubscribe == (STOP if can_stop else None)
    assert (STOP in mail.text.splitlines(), STOP in Page(mail.html).links) == (can_stop, can_stop)
    header = parsed(Writer(MAIL_FROM).message(mail).as_bytes())["List-Unsubscribe"]
    assert header == (f"<{STOP}>" if can_stop else None)


@each_language
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_letter_with_a_fact_missing_is_not_written(kind: str, language: str) -> None:
    with pytest.raises(UndefinedError):
        written(kind, language, {})


def test_letter_in_a_language_that_we_do_not_speak_is_not_written() -> None:
    """A12: rather none than one in the wrong language; staff see it."""
    with pytest.raises(LookupError):
        letters.address_changed(envelope("address_changed", "xx"))


# ---- what single letters say


@each_language
@pytest.mark.parametrize("letter", [letters.confirm_address, letters.password_reset])
def test_letter_with_a_link_shows_it_as_a_button_and_in_words(
    letter: Callable[[Envelope, str], Mail], language: str
) -> None:
    """A5, A9."""
    mail = letter(envelope("link", language), LINK)
    assert link_in(parsed(Writer(MAIL_FROM).message(mail).as_bytes())) == LINK
    page = Page(mail.html)
    assert page.links == [LINK]
    assert LINK in page.words


@pytest.mark.parametrize(
    ("name", "english", "japanese"),
    [
        (
            "confirm_address",
            "The link works once, for 24 hours. Nothing changes until you use it",
            "24時間、1回だけ有効",
        ),
        ("password_reset", "The link works once, for 60 minutes.", "60分間、1回だけ有効"),
        ("password_changed", "All other sessions were ended.", "ほかの端末からは、すべてログアウトしました。"),
        ("password_changed", "on 22 November 2026, 09:00 UTC", "2026年11月22日 18:00（日本時間）に"),
        ("password_changed", "If it was not you", "お心当たりのない場合"),
        ("address_changed", "on 22 November 2026, 09:00 UTC", "2026年11月22日 18:00（日本時間）に"),
        ("address_changed", "contact your exam centre at once", "すぐに試験センターにご連絡ください"),
        ("login_locked", "four times in a row", "4回続けて"),
        ("login_locked", "until 22 November 2026, 09:30 UTC", "2026年11月22日 18:30（日本時間）まで"),
        ("login_locked", "setting it also ends the lock", "再設定すると、ロックも解除されます"),
    ],
)
def test_letter_tells_what_happened_and_what_to_do(name: str, english: str, japanese: str) -> None:
    """A4, A5, A9, N1."""
    for language, words in (("en", english), ("ja", japanese)):
        mail = sample(name, language)
        assert squeezed(words) in squeezed(mail.text)
        assert squeezed(words) in "".join(Page(mail.html).words)


@pytest.mark.parametrize("letter", [letters.password_changed, letters.login_locked])
def test_each_kind_of_account_is_told_its_own_way_back(letter: Callable[[Envelope, datetime, Account], Mail]) -> None:
    """A4, A9: only candidates have ID Numbers, and only institutions a Primary User."""
    ways = {
        "en": ("ID Number", "Primary User", "exam board"),
        "ja": ("ID ナンバー", "プライマリーユーザー", "実施団体"),
    }
    for language, words in ways.items():
        said = {account: letter(envelope("account", language), START, account).text for account in Account}
        known = {account: [squeezed(way) in squeezed(text) for way in words] for account, text in said.items()}
        assert known == {
            Account.CANDIDATE: [True, False, False],
            Account.VERIFIER: [False, True, True],
            Account.STAFF: [False, False, True],
        }


# ---- new shares


@pytest.mark.parametrize(
    ("count", "subject", "sentence", "japanese"),
    [
        (1, "1 new result in your inbox", "1 new result has been sent", "新しい試験結果が1件届きました"),
        (2, "2 new results in your inbox", "2 new results have been sent", "新しい試験結果が2件届きました"),
        (
            1234,
            "1,234 new results in your inbox",
            "1,234 new results have been sent",
            "新しい試験結果が1,234件届きました",
        ),
    ],
)
def test_numbers_of_results_are_said_as_people_say_them(count: int, subject: str, sentence: str, japanese: str) -> None:
    """N2, A12."""
    letter = told(count=count, by_exam=[("C1 Advanced", count)])
    assert letter("en").subject == subject
    assert letter("en").text.startswith(sentence)
    assert letter("ja").subject == japanese
    assert squeezed(japanese) in squeezed(letter("ja").text)


def shares(number: int) -> list[tuple[str, date, datetime]]:
    """Shares of an exam that is in no other list."""
    return [("C2 Proficiency", date(2026, 10, 10), START - timedelta(minutes=place)) for place in range(number)]


@each_language
def test_mail_at_once_lists_the_newest(language: str) -> None:
    """N2: exam, its date, and when it was sent, in the institution's time."""
    mail = told(count=2, by_exam=[("C2 Proficiency", 2)], latest=shares(2), timezone="America/New_York")(language)
    said = squeezed(mail.text)
    taken = {"en": "taken on 10 October 2026", "ja": "試験日：2026年10月10日"}[language]
    zone = {"en": "22 November 2026, 04:00 Eastern Standard Time", "ja": "2026年11月22日 04:00（アメリカ東部標準時）"}
    assert said.count(squeezed(taken)) == 2
    assert squeezed(zone[language]) in said
    assert squeezed(zone[language].replace("04:00", "03:59")) in said


@pytest.mark.parametrize(
    ("count", "given", "listed", "more"), [(100, 100, 100, 0), (101, 100, 100, 1), (1250, 150, 100, 1150), (3, 2, 2, 1)]
)
def test_mail_at_once_lists_a_hundred_at_most_and_says_how_many_more(
    count: int, given: int, listed: int, more: int
) -> None:
    """N2."""
    letter = told(count=count, by_exam=[("C1 Advanced", count)], latest=shares(given))
    for language, words in (("en", f"and {more:,} more"), ("ja", f"ほか{more:,}件")):
        mail = letter(language)
        assert mail.text.count("C2 Proficiency") == listed
        assert Page(mail.html).names.count("C2 Proficiency") == listed
        assert (words in mail.text.splitlines()) == (more > 0)
        assert ("ほか" in mail.text or " more\n" in mail.text) == (more > 0)


@each_language
@pytest.mark.parametrize("period", [Period.DAILY, Period.WEEKLY])
def test_digest_tells_numbers_only(period: Period, language: str) -> None:
    """N2, N5: how many, of which exam, and when digests leave; no list, no score, no time of a single share."""
    mail = told(period=period, count=5, by_exam=[("Linguaskill", 3), ("TKT", 2)], latest=shares(5))(language)
    assert "C2 Proficiency" not in mail.text + mail.html
    numbers = set(re.findall(r"\d+", mail.text.replace(INBOX, "").replace(STOP, "")))
    said = {"en": {"08", "00"}, "ja": {"8", "1"}}[language]  # 08:00, 午前8時, 1日
    assert numbers - said == {"5", "3", "2"}
    assert "Asia/Tokyo" in mail.text
    assert link_in(parsed(Writer(MAIL_FROM).message(mail).as_bytes())) == INBOX


def test_each_frequency_has_its_own_subject_and_reason() -> None:
    """N2, N3: a reader can tell digests from single mails, and why they come."""
    for language, often in (("en", ("at once", "once a day", "once a week")), ("ja", ("随時", "1日1回", "週1回"))):
        mails = [told(period=period)(language) for period in Period]
        assert len({mail.subject for mail in mails}) == 3
        for mail, words in zip(mails, often, strict=True):
            assert squeezed(words) in squeezed(mail.text.partition("----")[2])


# ---- what is written into a letter stays words

HOSTILE = '<b>A & B</b> "C"\r\nBcc: thief@mail.example\u2028https://thief.example\u202e\x00{{ 7 * 7 }}'
AS_WORDS = '<b>A & B</b> "C" Bcc: thief@mail.example https://thief.example {{ 7 * 7 }}'


@each_language
def test_what_others_wrote_stays_words(language: str) -> None:
    """N5, A12: an institution's name, or an exam's, is never markup, a template, a line or a header."""
    latest = [(HOSTILE, date(2026, 10, 10), START)]
    mail = told(institution=HOSTILE, by_exam=[(HOSTILE, 1)], latest=latest)(language)
    assert "<b>" not in mail.html
    page = Page(mail.html)
    assert page.names.count(AS_WORDS) == 4
    assert squeezed(AS_WORDS) in squeezed(mail.text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u2028\u202e]", mail.text + mail.html)
    assert page.links == [INBOX, STOP]
    sent = parsed(Writer(MAIL_FROM).message(mail).as_bytes())
    assert sent["Bcc"] is None
    assert sent["Subject"] == mail.subject
    assert {INBOX, STOP} <= set(text_of(sent).splitlines())


def test_link_stays_inside_its_attribute() -> None:
    link = 'https://results.example/?a=1&b="><script>alert(1)</script>'
    mail = letters.password_reset(envelope("password_reset", "en"), link)
    assert Page(mail.html).links == [link]
    assert "<script>" not in mail.html
    assert link in mail.text.splitlines()


@each_language
def test_names_are_kept_from_browsers_that_translate(language: str) -> None:
    """A12."""
    page = Page(told(institution="蒼羽学院大学")(language).html)
    assert page.names.count("蒼羽学院大学") == 2
    assert {"C1 Advanced", "Seiseki"} <= set(page.names)


@given(st.text())
def test_a_fact_is_one_line(words: str) -> None:
    assert len(str(tidy(words)).splitlines()) <= 1


@given(st.sampled_from(LANGUAGES), st.text(st.sampled_from("ab 、。」漢字")))
def test_wrapping_loses_no_word(language: str, words: str) -> None:
    assert squeezed(wrapped(words, "- ", "  ", language=language)) == squeezed(f"- {words}")


# ---- times


@pytest.mark.parametrize(
    ("at", "timezone", "english", "japanese"),
    [
        ("2026-11-22T09:00", None, "22 November 2026, 09:00 UTC", "2026年11月22日 18:00（日本時間）"),
        ("2026-11-22T15:00", None, "22 November 2026, 15:00 UTC", "2026年11月23日 00:00（日本時間）"),
        (
            "2026-11-22T09:00",
            "Asia/Tokyo",
            "22 November 2026, 18:00 Japan Standard Time",
            "2026年11月22日 18:00（日本時間）",
        ),
        ("2026-11-22T09:00", "UTC", "22 November 2026, 09:00 UTC", "2026年11月22日 09:00（UTC）"),
        ("2026-11-22T09:00", "Asia/Kolkata", "22 November 2026, 14:30 GMT+05:30", "2026年11月22日 14:30（GMT+05:30）"),
        # Spring: one minute before two o'clock comes three o'clock.
        (
            "2026-03-29T00:59",
            "Europe/London",
            "29 March 2026, 00:59 Greenwich Mean Time",
            "2026年3月29日 00:59（グリニッジ標準時）",
        ),
        (
            "2026-03-29T01:00",
            "Europe/London",
            "29 March 2026, 02:00 British Summer Time",
            "2026年3月29日 02:00（英国夏時間）",
        ),
        # Autumn: half past one comes twice, and is told apart.
        (
            "2026-10-25T00:30",
            "Europe/London",
            "25 October 2026, 01:30 British Summer Time",
            "2026年10月25日 01:30（英国夏時間）",
        ),
        (
            "2026-10-25T01:30",
            "Europe/London",
            "25 October 2026, 01:30 Greenwich Mean Time",
            "2026年10月25日 01:30（グリニッジ標準時）",
        ),
        (
            "2026-07-01T03:30",
            "America/New_York",
            "30 June 2026, 23:30 Eastern Daylight Time",
            "2026年6月30日 23:30（アメリカ東部夏時間）",
        ),
    ],
)
def test_times_are_written_for_people(at: str, timezone: str | None, english: str, japanese: str) -> None:
    """A12, N2."""
    then = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert moment(then, timezone, language="en") == english
    assert moment(then, timezone, language="ja") == japanese


# ---- the preview


def test_preview_writes_every_letter_without_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N5: `cli.py letters preview`; each file, in VAR_DIR, is the letter that it is named for; no other is touched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAR_DIR", "kept")
    assert main(["letters", "preview"]) == 0
    folder = tmp_path / "kept/letters"
    assert capsys.readouterr().out == f"Every letter: {folder / 'index.html'}\n"
    names = {f"{name}.{language}" for name, language in ALL}
    assert {str(path) for path in tmp_path.rglob("*") if path.is_file()} == {
        str(folder / name)
        for name in {"index.html"} | {f"{one}.{form}" for one in names for form in ("eml", "html", "txt")}
    }
    index = Page((folder / "index.html").read_text("utf-8"))
    assert {str(folder / link) for link in index.links} == {str(path) for path in folder.iterdir()} - {
        str(folder / "index.html")
    }


def test_previewed_mails_read_as_the_letters(tmp_path: Path) -> None:
    """N5: Japanese subjects too survive the way through a mail program."""
    assert main(["letters", "preview", "--folder", str(tmp_path)]) == 0
    for name, language in ALL:
        letter = sample(name, language)
        mail = parsed((tmp_path / f"{name}.{language}.eml").read_bytes())
        assert mail["Subject"] == letter.subject
        assert text_of(mail).splitlines() == letter.text.splitlines()
        assert text_of(mail, "html").splitlines() == letter.html.splitlines()
        assert (mail["To"], mail["Content-Language"]) == (letter.envelope.address, language)
        assert (tmp_path / f"{name}.{language}.html").read_text("utf-8") == letter.html
        assert (tmp_path / f"{name}.{language}.txt").read_text("utf-8") == letter.text
