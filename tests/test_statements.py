"""A Statement of Results says all that the result is, in any script, can be trusted, and is always the same (R8)."""

import asyncio
import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.status import SignatureCoverageLevel

from documents import typesetting
from documents.signing import Signer, made_pem, own_signer, signer_of
from documents.statement import Skill, code, shown, statement, unsigned
from engine import rendering
from errors import NotPrintable, Unavailable
from settings import Settings
from tests.papers import (
    BOARD,
    CHECK,
    ISSUED,
    boxes,
    checked,
    fonts,
    is_inside,
    reader,
    said,
    squeezed,
    statement_facts,
)
from tests.reading import ROOT

LANGUAGES = ("en", "ja")
PERSONS_300 = "Maria Aleksandra " * 18


@pytest.fixture(scope="session")
def signer(signing_pem: Path) -> Signer:
    return signer_of(signing_pem, signing_pem)


# ---- what it says


LABELS = {
    "en": (
        "Statement of Results", "Statement number", "Qualification", "20 September 2026", "Exam centre",
        "Overall score, on the scale from 80 to 230", "CEFR level", "Use of English", "Issued 1 November 2026",
        "Version 1",
    ),
    "ja": (
        "結果ステートメント", "ステートメント番号", "試験名", "2026年9月20日", "試験センター",
        "総合評価スコア（80～230）", "CEFR レベル", "ユース・オブ・イングリッシュ", "発行日 2026年11月1日", "第1版",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_statement_says_every_fact_on_one_page(language: str) -> None:
    """R4, R8, R10, in the reader's language; names, titles and headlines are never translated (A12)."""
    facts = statement_facts(language=language, grade="B", certificate_number="C0123456")
    pdf = unsigned(facts)
    told = said(pdf)
    plain = (
        facts.name, facts.native_name, facts.number, facts.qualification, facts.headline, facts.grade, facts.cefr,
        facts.score, facts.centre, facts.certificate_number, facts.organisation, *facts.notices,
        *(skill.score for skill in facts.skills), *LABELS[language], CHECK.partition("#")[2],
    )  # fmt: skip
    assert [one for one in plain if squeezed(str(one)) not in told] == []
    assert len(reader(pdf).pages) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("outcome", "headline", "en", "ja"),
    [
        ("GRADE", "Pass at Grade B", "Pass at Grade B", "Pass at Grade B"),
        ("LEVEL", "Council of Europe Level B2", "Council of Europe Level B2", "Council of Europe Level B2"),
        ("FAIL", "Fail", "Fail", "不合格 (Fail)"),
        ("FAIL", "E", "E", "E"),
        ("ABSENT_FROM_PART", None, "Absent from part (X)", "一部欠席 (X)"),
        ("ABSENT_FROM_ALL", None, "Absent from all parts (Z)", "全部欠席 (Z)"),
    ],
)
def test_every_outcome_is_told_in_its_own_words(
    language: str, outcome: str, headline: str | None, en: str, ja: str
) -> None:
    """R6: what is no grade has no skill profile, unless it is a fail."""
    changes: dict[str, Any] = {"language": language, "outcome": outcome, "headline": headline}
    if headline is None:
        changes |= {"score": None, "score_ends": None, "cefr": None}
    told = said(unsigned(statement_facts(**changes)))
    words = "Scores for each skill" if language == "en" else "技能別スコア"
    assert squeezed({"en": en, "ja": ja}[language]) in told
    assert (squeezed(words) in told) is (headline is not None)


@pytest.mark.parametrize("outcome", ["PENDING", "WITHHELD"])
def test_what_is_not_decided_or_withheld_has_no_statement(outcome: str) -> None:
    """R6."""
    with pytest.raises(ValueError, match=outcome):
        unsigned(statement_facts(outcome=outcome, headline=None))


def test_score_stands_with_its_scale_on_the_old_scale_too() -> None:
    """R4, R12: `85/100` tells its scale itself, and has no bars where a skill has no ends."""
    skills = (Skill("READING", "82", None), Skill("SPEAKING", "90", None))
    told = said(unsigned(statement_facts(score="85/100", score_ends=None, skills=skills, skill_ends=None)))
    assert "85/100" in told
    assert "scalefrom" not in told


def test_sections_from_0_to_30_stand_below_a_total_of_120() -> None:
    """R12."""
    skills = (Skill("READING", "0", 0.0), Skill("LISTENING", "30", 1.0))
    told = said(unsigned(statement_facts(score="95/120", score_ends=None, skills=skills, skill_ends=(0, 30))))
    assert "95/120" in told
    assert "Reading0Listening30030" in told


def test_later_version_says_which_one_it_replaces() -> None:
    """R11: in both languages; the first one says nothing."""
    second = {language: said(unsigned(statement_facts(language=language, version=2))) for language in LANGUAGES}
    assert "Thisisversion2.Itreplacesversion1,whichnolongerstands." in second["en"]
    assert "これは第2版です。第1版は無効" in second["ja"]
    assert "replaces" not in said(unsigned(statement_facts()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_300_signs_stand_whole_on_the_page(language: str) -> None:
    """R8: broken where no word ends, too; and every line lies inside the page."""
    for name in (PERSONS_300, "W" * 300):
        pdf = unsigned(statement_facts(language=language, name=name, native_name="名" * 300))
        assert squeezed(name) in said(pdf)
        assert "名" * 300 in said(pdf)
        assert len(reader(pdf).pages) == 1
        assert _ink_in_margins(name, language) == 0


def _ink_in_margins(name: str, language: str) -> int:
    """How many dark points lie outside of the columns of text."""
    facts = statement_facts(language=language, name=name, native_name="名" * 300)
    (page,) = typesetting.pictures("statement", shown(facts), ppi=72)
    picture = Image.open(BytesIO(page)).convert("L")
    width, height = picture.size
    sides = [picture.crop((0, 0, 55, height)), picture.crop((width - 55, 0, width, height))]
    return sum(sum(side.histogram()[:128]) for side in sides)


# ---- names in any script


@pytest.mark.parametrize(
    "name",
    [
        "Łukasz Żółć", "Şükrü İğdır", "Ὀδυσσεύς Λαέρτου", "Пётр Їжак Ґалаґан", "𠮷田 太郎",
        "﨑本 髙子", "김철수", "สมชาย ใจดี", "E\u0301mile", "葛\U000e0100城", "か\u3099", "李娜 龙马", "神 逸", "đơ ưǆȷ",
    ],
)  # fmt: skip
def test_name_in_any_script_is_printed_and_can_be_read_out_again(name: str) -> None:
    """R8: rare kanji and those of compatibility as they were entered; no box stands for a sign."""
    pdf = unsigned(statement_facts(name="A", native_name=name))
    assert normalize("NFC", squeezed(name)) in normalize("NFC", said(pdf))
    assert boxes(pdf) == 0


@pytest.mark.parametrize("name", ["ܝܘܣܦ", "ꦱꦫꦶ", "𞤀𞤣𞤢", "😀", "A\ue000"])
@pytest.mark.parametrize("part", ["name", "native_name"])
def test_sign_that_no_font_has_is_an_error_that_names_it(name: str, part: str) -> None:
    """R8: a box in place of a name is worse than no document."""
    with pytest.raises(NotPrintable) as error:
        unsigned(statement_facts(**{part: name}))
    assert set(error.value.signs) <= set(name)
    assert f"U+{ord(error.value.signs[0]):04X}" in str(error.value)


def test_a_box_would_be_noticed() -> None:
    """The proof above looks at what is drawn: the same page without PDF/A's refusal has boxes."""
    facts = shown(statement_facts(native_name="ܝܘܣܦ"))
    pdf = typesetting._compiled("statement", facts, format="pdf")
    assert isinstance(pdf, bytes)
    assert boxes(pdf) == 4


def test_name_is_never_markup() -> None:
    name = '#eval("1+1") *b* _i_ $x$ @ref <label> // c /* d */ \\u{41} [x] = #pagebreak() `raw`'
    assert squeezed(name) in said(unsigned(statement_facts(name=name)))


def test_signs_that_cannot_be_seen_turn_nothing_round() -> None:
    pdf = unsigned(statement_facts(name="Aoi\u202e Tanaka\n\x00\u2066"))
    assert "AoiTanaka" in said(pdf)


# ---- what others may rely on


@pytest.mark.parametrize("language", LANGUAGES)
def test_statement_is_for_keeping(language: str, signer: Signer) -> None:
    """PDF/A-2b as far as it can be read off here, with the signature: fonts inside, one truth, no way out."""
    pdf = statement(statement_facts(language=language), signer)
    document = reader(pdf)
    assert document.metadata is not None
    assert document.xmp_metadata is not None
    xmp = document.xmp_metadata.stream.get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in xmp
    assert document.metadata.title == f"{LABELS[language][0]} S260000123"
    assert document.metadata.author == BOARD
    assert document.metadata.creation_date == document.metadata.modification_date == ISSUED
    assert xmp.count(f"{ISSUED:%Y-%m-%dT%H:%M:%S}") >= 2
    root: dict[str, Any] = document.root_object
    assert root["/Lang"] == language
    assert root["/OutputIntents"]
    assert not {"/OpenAction", "/AA", "/Names"} & set(root)
    assert not document.is_encrypted
    assert all(is_inside(font) for font in fonts(pdf))
    (place,) = document.pages[0].annotations or [None]
    assert place is not None
    assert place.get_object()["/F"] & 0b111 == 0b100  # is printed, not hidden
    assert place.get_object()["/Rect"] == [0, 0, 0, 0]  # so that it needs no picture


def test_nothing_of_the_machine_stands_in_it(signer: Signer) -> None:
    pdf = statement(statement_facts(), signer)
    streams = b"".join(one.get_data() for one in _streams(pdf))
    for trace in (str(ROOT), str(Path.home()), ".venv", "site-packages"):
        assert trace.encode() not in pdf + streams


def _streams(pdf: bytes) -> Iterator[Any]:
    document = reader(pdf)
    numbers = {*document.xref_objStm, *(number for table in document.xref.values() for number in table)}
    for number in numbers:
        found = document.get_object(number)
        if hasattr(found, "get_data"):
            yield found


def test_same_facts_make_the_same_bytes(signer: Signer) -> None:
    """R8: in any thread, and whatever the thread made before."""
    names = ("田中", "김", "ශ්‍රී")
    facts = [statement_facts(language=language, native_name=name) for language in LANGUAGES for name in names]
    first = [statement(one, signer) for one in facts]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda one: statement(one, signer), [*facts, *reversed(facts)]))
    assert again == first + first[::-1]
    assert len(set(first)) == len(facts)


def test_another_process_makes_the_same_bytes(signer: Signer, signing_pem: Path) -> None:
    """R8: on another day, in another folder, with other names for hashes."""
    code = f"""if True:
        import hashlib, sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from documents.signing import signer_of
        from documents.statement import statement
        from tests.papers import statement_facts
        pem = Path({str(signing_pem)!r})
        print(hashlib.sha256(statement(statement_facts(language="ja"), signer_of(pem, pem))).hexdigest())"""
    env = {"PYTHONHASHSEED": "7", "TZ": "America/Lima", "LANG": "tr_TR.UTF-8"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd="/", env=env, check=True)
    here = hashlib.sha256(statement(statement_facts(language="ja"), signer)).hexdigest()
    assert ran.stdout.decode().strip() == here


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Aoi Tanaka2"}, {"score": "169"}, {"version": 2}, {"issued_at": ISSUED + timedelta(days=1)},
        {"check_address": CHECK[:-1]}, {"language": "ja"},
    ],
)  # fmt: skip
def test_other_facts_make_other_bytes(change: dict[str, Any]) -> None:
    assert unsigned(statement_facts(**change)) != unsigned(statement_facts())


# ---- the signature


def test_signature_is_valid_for_whoever_trusts_the_certificate(signer: Signer) -> None:
    """PAdES: over the whole file, and nothing may be changed after it."""
    found = checked(statement(statement_facts(), signer), signer)
    assert (found.intact, found.valid, found.trusted, found.bottom_line) == (True, True, True, True)
    assert found.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert found.modification_level is ModificationLevel.NONE
    assert found.docmdp_ok
    assert found.signer_reported_dt == ISSUED


def test_signature_is_one_that_archives_know(signer: Signer) -> None:
    (signature,) = PdfFileReader(BytesIO(statement(statement_facts(), signer))).embedded_signatures
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature.signer_info["signature_algorithm"].signature_algo == "rsassa_pkcs1v15"
    names = {attribute["type"].native for attribute in signature.signer_info["signed_attrs"]}
    assert names == {"content_type", "message_digest", "signing_certificate_v2"}


def test_another_certificate_is_not_trusted(signer: Signer, tmp_path: Path) -> None:
    other = own_signer(tmp_path / "other.pem", BOARD)
    found = checked(statement(statement_facts(), signer), other)
    assert found.intact
    assert found.valid
    assert not found.trusted


def test_one_changed_byte_breaks_the_signature(signer: Signer) -> None:
    """Anywhere in what it covers, and in the signature itself."""
    pdf = statement(statement_facts(), signer)
    (signature,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    _, first_end, second_start, _ = signature.byte_range
    dice = random.Random(8)
    places = [dice.randrange(first_end) for _ in range(15)] + [first_end + 101, second_start + 5, len(pdf) - 9]
    assert [place for place in places if _holds(_changed(pdf, place), signer)] == []


def _changed(pdf: bytes, place: int) -> bytes:
    other = b"1" if pdf[place : place + 1] == b"0" else b"0"
    return pdf[:place] + other + pdf[place + 1 :]


def _holds(pdf: bytes, signer: Signer) -> bool:
    try:
        found = checked(pdf, signer)
    except Exception:  # whatever the reader stumbles over: it says that this is no document
        return False
    return found.bottom_line and found.coverage is SignatureCoverageLevel.ENTIRE_FILE


def test_signature_is_never_older_than_its_certificate(signer: Signer) -> None:
    """A certificate that was bought last year signs what was released before."""
    old = datetime(1999, 7, 1, tzinfo=UTC)
    pdf = signer.signed(unsigned(statement_facts(issued_at=old)), old)
    assert checked(pdf, signer).signer_reported_dt == signer.certificate.not_valid_before_utc


def test_key_of_our_own_is_made_once(tmp_path: Path) -> None:
    """By whichever process comes first; nobody else can read it, and nothing is left beside it."""
    path = tmp_path / "var" / "signing.pem"
    start = threading.Barrier(3)

    def begin(_: int) -> bytes:
        start.wait()
        return own_signer(path, BOARD).certificate.fingerprint(hashes.SHA256())

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(begin, range(3)))) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_key_that_signs_differently_each_time_is_refused(signing_pem: Path, tmp_path: Path) -> None:
    """And one that cannot be read, or is not the certificate's: each is told when the service starts."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ec.pem").write_bytes(pem)
    own_signer(tmp_path / "other.pem", BOARD)
    for key, message in (("ec.pem", "RSA or Ed25519"), ("other.pem", "does not belong"), ("none.pem", "PEM files")):
        with pytest.raises(ValueError, match=message):
            signer_of(tmp_path / key, signing_pem)


def test_ed25519_signs_too(tmp_path: Path) -> None:
    path = tmp_path / "ed.pem"
    path.write_bytes(made_pem(BOARD, Ed25519PrivateKey.generate()))
    ed = signer_of(path, path)
    pdf = statement(statement_facts(), ed)
    assert checked(pdf, ed).bottom_line
    assert pdf == statement(statement_facts(), ed)


def test_production_signs_with_a_key_that_others_trust(signing_pem: Path, tmp_path: Path) -> None:
    """Told when the service starts, not when the first statement is wanted; without statements none is needed."""
    env = {"PRODUCTION": "1", "SECRET_KEY": "k" * 32, "VAR_DIR": str(tmp_path)}
    both = {"SIGNING_KEY": str(signing_pem), "SIGNING_CERT": str(signing_pem)}
    with pytest.raises(ValueError, match="SIGNING_KEY and SIGNING_CERT must be set in production"):
        Settings.from_env(env)
    with pytest.raises(ValueError, match="belong together"):
        Settings.from_env(env | {"SIGNING_KEY": str(signing_pem)})
    assert Settings.from_env(env | both).statements
    assert not Settings.from_env(env | {"STATEMENTS": "0"}).statements
    assert Settings.from_env({"VAR_DIR": str(tmp_path)}).statements


# ---- the QR code


def test_qr_code_leads_to_the_check_page() -> None:
    """What a camera would read, drawn again from the address, is what stands in the document."""
    assert shown(statement_facts())["code"] == code(CHECK)
    assert code(CHECK) != code(CHECK[:-1])


# ---- where it is made


async def test_documents_are_made_beside_the_event_loop() -> None:
    names = {await rendering.in_thread(lambda: threading.current_thread().name) for _ in range(4)}
    assert all(name.startswith("documents") for name in names)


async def test_too_many_documents_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits too long gives up before; nobody waits for ever, and those before are not harmed."""
    monkeypatch.setattr(rendering, "MOST_WAITING", 3)
    go = threading.Event()
    waiting = [asyncio.create_task(rendering.in_thread(go.wait, 10)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await rendering.in_thread(go.wait, 10)
    go.set()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await rendering.in_thread(go.wait, 10)
