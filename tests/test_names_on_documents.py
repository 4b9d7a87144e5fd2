"""A person's own name stands on every document, in whatever script it is written (R8, R1)."""

import csv
from collections import Counter
from unicodedata import name as sign_name

import pytest

from documents.confirmation import bundles, confirmation
from documents.statement import unsigned
from documents.typesetting import OWN_FONTS
from models.names import full_name
from tests.papers import (
    aloud,
    boxes,
    confirmation_facts,
    fonts,
    is_inside,
    letterhead,
    reader,
    squeezed,
    statement_facts,
)
from tests.reading import ROOT

# With signs that join, stack, stand before their consonant or hold an invisible joiner, where a script has such.
NAMES = {
    "Latin": ["Nguyễn Thị Hằng", "Łukasz Żółć", "Þóra Æsa Ðəŋ Kaʻimi"],
    "Greek": ["Ὀδυσσεύς Λαέρτου"],
    "Cyrillic": ["Пётр Їжак Ґалаґан", "Айдос Нұрланов"],
    "Kana and kanji": ["髙﨑 ゆヷ", "シュミット 恵麻"],
    "Chinese": ["李娜 龙马"],
    "Hangul": ["선우예지"],
    "Armenian": ["Անահիտ Գրիգորյան"],
    "Georgian": ["ქეთევან ბერიძე", "ᲥᲔᲗᲔᲕᲐᲜ"],
    "Devanagari": ["केतकी देशपांडे", "श्रीकृष्ण"],
    "Bengali": ["তিথি মুখার্জি", "র‍্যাব"],
    "Gurmukhi": ["ਹਰਲੀਨ ਕੌਰ", "ਸ੍ਰੀ ਗੁਰਪ੍ਰੀਤ"],
    "Gujarati": ["કવન પટેલ", "ક્ષિતિજ"],
    "Odia": ["ପ୍ରିୟଙ୍କା ମହାପାତ୍ର"],
    "Tamil": ["மீனாட்சி ஐயர்"],
    "Telugu": ["సాయి చరణ్ రెడ్డి"],
    "Kannada": ["ಶ್ರೀನಿವಾಸ ಕೃಷ್ಣಮೂರ್ತಿ"],
    "Malayalam": ["ഗോപിക നായർ", "ശ്രീക്കുട്ടന്‍"],
    "Sinhala": ["තරුෂි වික්‍රමසිංහ", "ශ්‍රී"],
    "Thai": ["กิตติพัฒน์ เจริญพรพิพัฒน์"],
    "Lao": ["ຄຳ ແສງ"],
    "Myanmar": ["ခင်သက်နှင်း"],
    "Tibetan": ["བསྟན་འཛིན་རྒྱ་མཚོ"],
    "Mongolian": ["ᠪᠠᠲᠤ ᠡᠷᠳᠡᠨᠢ", "ᠠᠨ᠎ᠠ"],
    "Ethiopic": ["ሐና ተስፋዬ"],
    "Cherokee": ["ᏍᏏᏉᏯ ꮳꮃꭹ"],
    "Ol Chiki": ["ᱨᱟᱢ ᱪᱟᱸᱫ"],
    "Meetei Mayek": ["ꯕꯤꯔꯦꯟ ꯁꯤꯡꯍ"],
    "Tifinagh": ["ⵎⴰⵙⵉⵏⵉⵙⵙⴰ"],
}
# Those that run to the left stand in the order of the paper in the file; and what a raised mark belongs to is told
# again with the mark (typst 0.15, wherever a mark has a place of its own).
READ_OTHERWISE = {
    "Arabic": ["محمد عبد الله", "نازنین‌زهرا رستمی"],
    "Hebrew": ["יונתן פרץ־לוי"],
    "Thaana": ["އަޙްމަދު ނަޝީދު"],
    "Khmer": ["ជា ស្រីពៅ"],
    "N'Ko": ["ߞߊ߲ߕߋ߫ ߛߟߏߡߊߣߊ߫"],
}


def each(names: dict[str, list[str]]) -> list[object]:
    return [pytest.param(name, id=f"{script} {place}") for script in names for place, name in enumerate(names[script])]


def papers(name: str) -> list[bytes]:
    """A statement and a confirmation of somebody who has this name in both places, where it is bold and where not."""
    names = {"name": name, "native_name": name}
    return [unsigned(statement_facts(**names)), confirmation(confirmation_facts(**names), letterhead())]


@pytest.mark.parametrize("name", each(NAMES))
def test_name_is_printed_sign_by_sign_and_can_be_read_out_again(name: str) -> None:
    """R8, R1: sign by sign as it was entered, no box for any, and its font is inside."""
    for pdf in papers(name):
        assert aloud(pdf).count(squeezed(name)) == 2
        assert boxes(pdf) == 0
        assert all(is_inside(font) for font in fonts(pdf))


@pytest.mark.parametrize("name", each(READ_OTHERWISE))
def test_name_that_is_read_in_another_order_has_all_of_its_signs(name: str) -> None:
    """R8, R1: each as often as it was entered, no box for any, and its font is inside."""
    for pdf in papers(name):
        assert Counter(squeezed(name) * 2) <= Counter(aloud(pdf))
        assert boxes(pdf) == 0
        assert all(is_inside(font) for font in fonts(pdf))


def test_every_font_of_our_own_prints_a_name() -> None:
    """R8: what no name needs would be two megabytes for nothing."""
    names = [name for table in (NAMES, READ_OTHERWISE) for some in table.values() for name in some]
    used = {
        str(font["/BaseFont"]).partition("+")[2]
        for name in names
        for font in fonts(unsigned(statement_facts(native_name=name)))
    }
    assert {path.stem for path in OWN_FONTS.glob("*.ttf")} - used == set()


def people() -> list[tuple[str, str]]:
    """Each person of the demo: the name, and the name in the own script or nothing."""
    with (ROOT / "demo" / "people.csv").open(encoding="utf-8", newline="") as file:
        return [(full_name(one["given_name"], one["family_name"]), one["native_name"]) for one in csv.DictReader(file)]


def test_everybody_in_the_demo_gets_a_confirmation() -> None:
    """R1."""
    entries = [confirmation_facts(name=name, native_name=native or None) for name, native in people()]
    assert len(entries) > 250
    assert sum(len(reader(bundle.pdf).pages) for bundle in bundles(entries, letterhead())) == len(entries)


def test_people_of_the_demo_get_a_statement_whatever_their_script() -> None:
    """R8: one of each."""
    of_script = {
        sign_name(sign).partition(" ")[0]: native for _, native in people() for sign in native if sign.isalpha()
    }
    assert {"SINHALA", "ARMENIAN", "GEORGIAN", "MALAYALAM", "GURMUKHI", "GUJARATI"} <= set(of_script)
    for native in of_script.values():
        assert boxes(unsigned(statement_facts(native_name=native))) == 0
