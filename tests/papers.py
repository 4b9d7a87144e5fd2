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


def actual_text(pdf: bytes) -> str:
    """What the document says of glyphs that do not stand for one sign each (`ActualText`)."""
    contents = b"".join(page.get_contents().get_data() for page in reader(pdf).pages)  # type: ignore[union-attr]
    found = re.findall(rb"/ActualText<FEFF([0-9A-F]+)>", contents)
    return "".join(bytes.fromhex(one.decode()).decode("utf-16-be") for one in found)


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
                found += sum(map(_boxes_in, operands[0] if operator == b"TJ" else operands))
    return found


def _boxes_in(shown: Any) -> int:
    if not isinstance(shown, str | bytes):  # a kerning
        return 0
    raw = shown if isinstance(shown, bytes) else shown.original_bytes  # type: ignore[attr-defined]
    return sum(raw[place : place + 2] == b"\0\0" for place in range(0, len(raw), 2))


def checked(pdf: bytes, trusted: Signer) -> PdfSignatureStatus:
    """What a stranger's program finds out about the signature, who trusts this signer's certificate alone."""
    root = x509.Certificate.load(trusted.certificate.public_bytes(Encoding.DER))
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    (signature,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    return validate_pdf_signature(signature, context)
