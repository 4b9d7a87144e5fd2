"""Facts for documents, and what can be read out of a PDF again."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader
from pypdf.generic import ContentStream, DictionaryObject

from documents.confirmation import ConfirmationFacts, Letterhead
from documents.signing import Signer
from documents.statement import Skill, StatementFacts

BOARD = "Lanternfield Examinations Board"
ISSUED = datetime(2026, 11, 1, 9, tzinfo=UTC)
SITE = "https://results.lanternfield.example"
CHECK = f"{SITE}/check#S260000123.abcdefghijklmnopqrstuv"
SCORES = {"READING": 168, "USE_OF_ENGLISH": 160, "WRITING": 176, "LISTENING": 170, "SPEAKING": 166}
SKILLS = tuple(Skill(skill, str(score), (score - 80) / 150) for skill, score in SCORES.items())


def statement_facts(**changes: Any) -> StatementFacts:
    """C1 Advanced 168, "Council of Europe Level B2", in English, unless told otherwise."""
    facts: dict[str, Any] = {
        "language": "en", "organisation": BOARD, "number": "S260000123", "check_address": CHECK,
        "name": "Aoi Tanaka", "native_name": "田中 葵", "qualification": "C1 Advanced",
        "exam_date": date(2026, 9, 20), "centre": "JP901 Shiokaze Examination Centre", "outcome": "LEVEL",
        "headline": "Council of Europe Level B2", "grade": None, "cefr": "B2", "score": "168", "score_ends": (80, 230),
        "skills": SKILLS, "skill_ends": (80, 230), "certificate_number": None, "version": 1, "issued_at": ISSUED,
        "notices": ("The certificate follows.", "Wrong details go to the centre."),
    }  # fmt: skip
    return StatementFacts(**facts | changes)


def confirmation_facts(**changes: Any) -> ConfirmationFacts:
    """An entry for C1 Advanced, unless told otherwise."""
    facts: dict[str, Any] = {
        "name": "Aoi Tanaka", "native_name": "田中 葵", "qualification": "C1 Advanced",
        "exam_date": date(2026, 9, 20), "centre_number": "JP901", "centre": "Shiokaze Examination Centre",
        "candidate_number": "0012", "results_by": date(2026, 11, 4), "id_number": "ABC123456",
        "secret_number": "0427", "issue": 1, "issued_at": datetime(2026, 8, 1, 9, tzinfo=UTC),
    }  # fmt: skip
    return ConfirmationFacts(**facts | changes)


def letterhead(language: str = "en") -> Letterhead:
    return Letterhead(language, BOARD, SITE)


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf), strict=True)


def said(pdf: bytes) -> str:
    """All text of a document without its blanks, which no reader agrees on."""
    return squeezed("".join(page.extract_text() for page in reader(pdf).pages))


def aloud(pdf: bytes) -> str:
    """All text without its blanks, in the order of the file: what glyphs stand for together, or each alone."""
    document = reader(pdf)
    return squeezed("".join(_spoken(page, document) for page in document.pages))


def _spoken(page: Any, document: PdfReader) -> str:
    """The text of one page; a mark that says what its glyphs stand for is believed, and its glyphs are passed over."""
    said_by = {name: _signs_of(font.get_object()) for name, font in page["/Resources"]["/Font"].items()}
    text, signs, marks = "", dict[bytes, str](), list[bool]()
    for operands, operator in ContentStream(page.get_contents(), document).operations:
        if operator == b"Tf":
            signs = said_by[operands[0]]
        elif operator in (b"BDC", b"BMC"):
            mark = operands[1] if operator == b"BDC" else {}
            marks.append("/ActualText" in mark)
            text += mark.get("/ActualText", "")
        elif operator == b"EMC":
            marks.pop()
        elif operator in (b"Tj", b"TJ") and not any(marks):
            text += "".join(signs[one] for one in _glyphs(operands[0] if operator == b"TJ" else operands))
    return text


def _signs_of(font: Any) -> dict[bytes, str]:
    """What each glyph of a font stands for, by its own table."""
    pairs = re.findall(rb"^<([0-9A-F]{4})> <([0-9A-F]+)>$", font["/ToUnicode"].get_data(), re.MULTILINE)
    return {bytes.fromhex(glyph.decode()): bytes.fromhex(signs.decode()).decode("utf-16-be") for glyph, signs in pairs}


def _glyphs(shown: Any) -> list[bytes]:
    """The glyphs of a line, two bytes each; what is a number there is a kerning."""
    raws = [_raw(one) for one in shown if isinstance(one, str | bytes)]
    return [raw[place : place + 2] for raw in raws for place in range(0, len(raw), 2)]


def _raw(shown: Any) -> bytes:
    return shown if isinstance(shown, bytes) else bytes(shown.original_bytes)


def is_inside(font: Any) -> bool:
    """Whether the file holds the font itself."""
    described = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
    return bool({"/FontFile2", "/FontFile3"} & set(described))


def squeezed(text: str) -> str:
    """Text without blanks, and without the joints where a long word may break."""
    return re.sub(r"[\s\u200b]+", "", text)


def fonts(pdf: bytes) -> Iterator[DictionaryObject]:
    """Every font that any page names."""
    for page in reader(pdf).pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            yield font.get_object()


def boxes(pdf: bytes) -> int:
    """How many glyphs are the box that a font shows for a sign it lacks: glyph 0 of every font."""
    document, found = reader(pdf), 0
    for page in document.pages:
        for operands, operator in ContentStream(page.get_contents(), document).operations:
            if operator in (b"Tj", b"TJ"):
                found += _glyphs(operands[0] if operator == b"TJ" else operands).count(b"\0\0")
    return found


def checked(pdf: bytes, trusted: Signer) -> PdfSignatureStatus:
    """What a stranger's program finds out about the signature, who trusts this signer's certificate alone."""
    root = x509.Certificate.load(trusted.certificate.public_bytes(Encoding.DER))
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    (signature,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    return validate_pdf_signature(signature, context)
