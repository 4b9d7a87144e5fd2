"""From facts to PDF: typst with our own fonts and nothing else, the same bytes on every machine.

Facts go in as data (`sys.inputs`), never as markup: a name can not become an instruction.
"""

import json
import re
import threading
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import typst

from errors import NotPrintable

TEMPLATES = Path(__file__).with_name("templates")
# Packages that hold nothing but fonts; docs/decisions/0012-documents.md says which scripts are among them.
FONTS = (
    "fontpkg_noto_sans",
    "justmytype_intl_rtl",
    "justmytype_intl_south_asia",
    "justmytype_intl_sea",
    "justmytype_intl_africa",
    "noto_cjk_sans_jp_regular",
    "noto_cjk_sans_jp_bold",
)
OWN_FONTS = Path(__file__).with_name("fonts")  # of scripts that no package of ours has
# What templates have in common beside that which all have.
SHARED = {"statement": ("statement_page",), "statements": ("statement_page",)}
STANDARD: Literal["a-2b"] = "a-2b"  # PDF/A: everything that is needed to show it in fifty years is inside
MISSING_SIGN = re.compile(r'the text `"(.+)"` could not be displayed', re.DOTALL)
ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
# Line ends and other controls, and the signs that turn the direction of all that follows.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
LONG_WORD = re.compile(r"\S{41,}")

_own = threading.local()


def typeset(template: str, facts: Mapping[str, Any], moment: datetime) -> bytes:
    """A PDF/A-2b of one template; `moment` is when it says it was made. Raises NotPrintable."""
    pdf = _compiled(template, facts, format="pdf", pdf_standards=[STANDARD], timestamp=moment.replace(microsecond=0))
    assert isinstance(pdf, bytes)
    return pdf


def pictures(template: str, facts: Mapping[str, Any], ppi: float = 100) -> list[bytes]:
    """Each page as a PNG, for eyes; a sign without a glyph is a box here."""
    pages = _compiled(template, facts, format="png", ppi=ppi)
    return pages if isinstance(pages, list) else [pages or b""]


def tidy(text: str) -> str:
    """A name on one line, without signs that cannot be seen; a word too long for any line may break."""
    line = UNSEEN.sub(" ", text).strip()
    return LONG_WORD.sub(lambda word: "\u200b".join(re.findall(".{1,20}", word[0])), line)


def _compiled(template: str, facts: Mapping[str, Any], **wanted: Any) -> bytes | list[bytes] | None:
    inputs = {"facts": json.dumps(facts, ensure_ascii=False)}
    try:
        return _compiler().compile(input=_source(template), sys_inputs=inputs, **wanted)
    except typst.TypstError as error:
        missing = MISSING_SIGN.search(error.message)
        if missing is None:
            raise
    raise NotPrintable(ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), missing[1]))


def _compiler() -> typst.Compiler:
    """This thread's own; all share the fonts, which are read once."""
    if not hasattr(_own, "compiler"):
        _own.compiler = typst.Compiler(root=TEMPLATES, font_paths=_fonts(), ignore_system_fonts=True)
    compiler: typst.Compiler = _own.compiler
    return compiler


@cache
def _fonts() -> typst.Fonts:
    folders = [*map(_folder, FONTS), OWN_FONTS]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


def _folder(package: str) -> Path:
    """Where a package lies; it is not imported, because all that we want of it is its fonts."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"The fonts of {package} are not installed.")
    return Path(spec.origin).parent


@cache
def _source(template: str) -> bytes:
    """A template after what it shares with others; typst reads no file, so there is none that facts could lead to."""
    parts = ["common", *SHARED.get(template, ()), template]
    return b"\n".join((TEMPLATES / f"{part}.typ").read_bytes() for part in parts)
