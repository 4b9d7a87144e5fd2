"""A Confirmation of Entry says all that a candidate needs to claim an entry, and its code gives away no secret (R1)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from documents.confirmation import MOST_PAGES, ConfirmationFacts, bundles, confirmation, shown
from documents.statement import code
from errors import NotPrintable
from tests.papers import BOARD, SITE, boxes, confirmation_facts, letterhead, reader, said, squeezed

SENTENCES = {
    "en": (
        "You may pass both numbers on to organisations that verify results.",
        "4 November 2026",
        "It is never a password",
    ),
    "ja": ("両方の番号は、結果を確認する機関に伝えることができます。", "2026年11月4日", "パスワードではありません"),
}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_confirmation_says_every_item_on_one_page(language: str) -> None:
    """R1: names, exam, date, centre, both numbers, the site and who may have them, and when results are out."""
    facts = confirmation_facts()
    pdf = confirmation(facts, letterhead(language))
    items = (
        facts.name, facts.native_name, facts.qualification, "2026", facts.centre_number, facts.centre,
        facts.candidate_number, facts.id_number, facts.secret_number, SITE, BOARD, *SENTENCES[language],
    )  # fmt: skip
    told = said(pdf)
    assert [one for one in items if squeezed(str(one)) not in told] == []
    assert len(reader(pdf).pages) == 1
    assert boxes(pdf) == 0


def test_code_leads_to_the_site_with_the_id_number_and_without_the_secret() -> None:
    """R1: whoever sees the page on a photo has the ID Number; only who reads it has both."""
    first, second = (shown([confirmation_facts(secret_number=secret)], letterhead()) for secret in ("0427", "9999"))
    assert first["entries"][0]["code"] == second["entries"][0]["code"] == code(f"{SITE}#ABC123456")
    other = shown([confirmation_facts(id_number="ABC123457")], letterhead())
    assert other["entries"][0]["code"] != first["entries"][0]["code"]


@pytest.mark.parametrize(("language", "words"), [("en", "This is issue 2."), ("ja", "これは第2回発行")])
def test_new_issue_says_that_the_old_secret_is_dead(language: str, words: str) -> None:
    """A7: and the first issue says nothing of it."""
    head = letterhead(language)
    assert squeezed(words) in said(confirmation(confirmation_facts(issue=2), head))
    assert squeezed(words.replace("2", "1")) not in said(confirmation(confirmation_facts(), head))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_same_facts_make_the_same_bytes(language: str) -> None:
    facts, head = confirmation_facts(), letterhead(language)
    assert confirmation(facts, head) == confirmation(facts, head)
    assert confirmation(replace(facts, secret_number="0428"), head) != confirmation(facts, head)


def test_document_says_when_its_numbers_were_made() -> None:
    """And neither number stands in what a program lists about it."""
    metadata = reader(confirmation(confirmation_facts(), letterhead())).metadata
    assert metadata is not None
    assert metadata.creation_date == datetime(2026, 8, 1, 9, tzinfo=UTC)
    assert metadata.title == "Confirmation of Entry"
    assert not any("ABC123456" in str(one) or "0427" in str(one) for one in metadata.values())


def test_sign_that_no_font_has_is_an_error_that_names_it() -> None:
    with pytest.raises(NotPrintable, match=r"U\+0726"):
        confirmation(confirmation_facts(native_name="ܝܘܣܦ"), letterhead())


@pytest.mark.parametrize("name", ["Maria Aleksandra " * 18, "W" * 300])
def test_long_name_stands_whole_on_one_page(name: str) -> None:
    pdf = confirmation(confirmation_facts(name=name, native_name="名" * 300, issue=2), letterhead("ja"))
    assert squeezed(name) in said(pdf)
    assert len(reader(pdf).pages) == 1


# ---- many at once


def entries(count: int, **changes: Any) -> Iterator[ConfirmationFacts]:
    for number in range(count):
        yield confirmation_facts(candidate_number=f"{number:04}", name=f"Person{number:05}", **changes)


def test_many_entries_make_one_document_for_each_centre_and_session() -> None:
    """R1: a page each, in the order given, as one alone would have had it."""
    given = [
        *entries(3), *entries(2, exam_date=date(2026, 9, 27)), *entries(1, qualification="B2 First"),
        *entries(2, centre_number="JP902"),
    ]  # fmt: skip
    made = list(bundles(given, letterhead()))
    assert [(one.centre_number, one.qualification, one.exam_date.day, one.part) for one in made] == [
        ("JP901", "C1 Advanced", 20, 1), ("JP901", "C1 Advanced", 27, 1), ("JP901", "B2 First", 20, 1),
        ("JP902", "C1 Advanced", 20, 1),
    ]  # fmt: skip
    pages = [squeezed(page.extract_text()) for one in made for page in reader(one.pdf).pages]
    alone = [said(confirmation(one, letterhead())) for one in given]
    assert pages == alone


def test_large_session_comes_in_parts_and_is_never_in_memory_whole() -> None:
    """R1: entries are read as they are printed."""
    read = 0

    def counted() -> Iterator[ConfirmationFacts]:
        nonlocal read
        for one in entries(2 * MOST_PAGES + 1):
            read += 1
            yield one

    parts = bundles(counted(), letterhead())
    first = next(parts)
    assert (first.part, len(reader(first.pdf).pages)) == (1, MOST_PAGES)
    assert read <= MOST_PAGES + 1
    assert [(one.part, len(reader(one.pdf).pages)) for one in parts] == [(2, MOST_PAGES), (3, 1)]
