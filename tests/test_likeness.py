"""Whose a domain is, and which names look alike (O4)."""

from zoneinfo import ZoneInfo

import pytest

from models import timezones
from models.domains import domain_of_email, domain_of_site, is_free_mail, registrable
from models.likeness import same_text, skeleton


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.com", "example.com"),
        ("www.example.com", "example.com"),
        ("WWW.Example.CO.UK.", "example.co.uk"),
        ("admissions.kyoto-u.ac.jp", "kyoto-u.ac.jp"),
        ("ac.jp", None),  # others register below it
        ("x.y.kawasaki.jp", "x.y.kawasaki.jp"),  # a rule with a star
        ("www.city.kawasaki.jp", "city.kawasaki.jp"),  # and its exception
        ("one.github.io", "one.github.io"),  # two strangers under one roof
        ("大学.jp", "xn--pss25c.jp"),
        ("xn--pss25c.jp", "xn--pss25c.jp"),
        ("www.大学.公司.cn", "xn--pss25c.xn--55qx5d.cn"),
        ("b.a.nosuchending", "a.nosuchending"),
        ("192.0.2.1", None),
        ("localhost", None),
        ("a..example", None),
        ("", None),
        ("x" * 64 + ".example", "x" * 64 + ".example"),
    ],
)
def test_a_domain_is_what_somebody_has_registered(host: str, domain: str | None) -> None:
    """O4: by the Public Suffix List."""
    assert registrable(host) == domain


def test_domains_are_read_from_sites_and_addresses() -> None:
    """O4"""
    assert domain_of_site("https://user@www.keio.ac.jp:8443/en/?a=b#c") == "keio.ac.jp"
    assert [domain_of_site(bad) for bad in ("", "keio.ac.jp", "https://[", "https:///x")] == [None] * 4
    assert domain_of_email("Aoi@Admissions.Keio.ac.jp ") == "keio.ac.jp"


def test_free_mail_is_known_below_its_domain_too() -> None:
    """O4"""
    assert [is_free_mail(f"a@{domain}") for domain in ("gmail.com", "Yahoo.co.jp", "x.docomo.ne.jp")] == [True] * 3
    assert [is_free_mail(f"a@{domain}") for domain in ("notgmail.com", "co.jp", "gmail.com.example")] == [False] * 3


KYOTO = "University of Kyoto"


@pytest.mark.parametrize(
    "name",
    [
        "Univеrsity of Kyоto",  # Cyrillic е and о
        "University οf Kyotο",  # Greek ο
        "ＵＮＩＶＥＲＳＩＴＹ　ＯＦ　ＫＹＯＴＯ",  # full width
        "UNIVERSITY OF KYOTO",
        "UΝΙVERSITY OF ΚΥΟΤΟ",  # Greek capitals
        "UNIVERSITY OF КУОТО",  # Cyrillic capitals
        "Universlty of Kyoto",  # a small l
        "Un1versity of Kyoto",
        "University of Ky0to",
        "University of Kyōto",
        "Univer\u200bsity of Kyoto",
        "𝐔niversity of 𝒦yoto",
        "University of Κуоtо",
    ],
)
def test_names_that_look_alike_have_one_skeleton(name: str) -> None:
    """O4"""
    assert skeleton(name) == skeleton(KYOTO)


@pytest.mark.parametrize("name", ["University of Tokyo", "Kyoto University", "University of Kyot", "京都大学", ""])
def test_names_that_differ_have_other_skeletons(name: str) -> None:
    """O4"""
    assert skeleton(name) != skeleton(KYOTO)


def test_signs_of_other_scripts_are_compared_with_each_other() -> None:
    """O4: the kanji for mouth and the katakana ro."""
    assert skeleton("口ボット大学") == skeleton("ロボット大学") != skeleton("ボット大学")


def test_the_same_text_is_no_look_alike() -> None:
    """O4: case and blanks aside."""
    assert same_text("University of  Kyoto ", "UNIVERSITY OF KYOTO")
    assert not same_text("Univеrsity of Kyoto", KYOTO)
    assert not same_text("Ｕniversity of Kyoto", KYOTO)


def test_a_country_with_one_zone_gives_it() -> None:
    """O2"""
    assert [timezones.of_country(one) for one in ("JP", "GB", "US", "ZZ")] == [
        "Asia/Tokyo",
        "Europe/London",
        "UTC",
        "UTC",
    ]
    assert len(timezones.countries()) > 240
    for country in timezones.countries():
        ZoneInfo(timezones.of_country(country))
