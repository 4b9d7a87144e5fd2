"""The Statement of Results (R8): one result as it stands, for paper and for the eyes of those who must trust it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import segno

from documents import typesetting, wording
from documents.signing import Signer
from documents.typesetting import tidy

WITHOUT_STATEMENT = ("PENDING", "WITHHELD")


@dataclass(frozen=True, slots=True)
class Skill:
    """One line of the profile; `share` is where the score lies on its scale, 0 to 1, None where that has no ends."""

    code: str
    score: str
    share: float | None


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """All that a statement says. `issued_at` is when this version was released (UTC), never the moment of making.

    `score_ends` are the ends of the overall scale where the score itself does not tell them, as `85/100` does (R4).
    """

    language: str
    organisation: str
    number: str
    check_address: str
    name: str
    native_name: str | None
    qualification: str
    exam_date: date
    centre: str
    outcome: str
    headline: str | None
    grade: str | None
    cefr: str | None
    score: str | None
    score_ends: tuple[int, int] | None
    skills: Sequence[Skill]
    skill_ends: tuple[int, int] | None
    certificate_number: str | None
    version: int
    issued_at: datetime
    notices: Sequence[str]


def statement(facts: StatementFacts, signer: Signer) -> bytes:
    """The signed PDF/A-2b: the same facts and the same key make the same bytes.

    Raises NotPrintable, and ValueError for an outcome that has no statement.
    """
    return signer.signed(unsigned(facts), facts.issued_at)


def unsigned(facts: StatementFacts) -> bytes:
    """The PDF before it is signed; raises as `statement` does."""
    return typesetting.typeset("statement", shown(facts), facts.issued_at)


def shown(facts: StatementFacts) -> dict[str, Any]:
    """What the template is handed: every sentence ready, every name tidy."""
    if facts.outcome in WITHOUT_STATEMENT:
        raise ValueError(f"A result that is {facts.outcome} has no statement.")
    language, words = facts.language, wording.STATEMENT[facts.language]
    page, _, check_code = facts.check_address.partition("#")
    return {
        "language": language,
        "words": words,
        "title": f"{words['title']} {facts.number}",
        "organisation": facts.organisation,
        "number": facts.number,
        "name": tidy(facts.name),
        "native_name": tidy(facts.native_name) if facts.native_name else None,
        "about": _about(facts, words),
        "headline": _headline(facts),
        "figures": _figures(facts, words),
        "skills": _skills(facts) if facts.headline else [],
        "skill_ends": [str(end) for end in facts.skill_ends] if facts.skill_ends and facts.skills else None,
        "version": words["version"].format(version=facts.version),
        "issued": wording.day(facts.issued_at.date(), language),
        "replaces": _replaces(facts, words),
        "notices": list(facts.notices),
        "check_how": words["check_how"].format(address=page, code=check_code),
        "signed": words["signed"].format(organisation=facts.organisation),
        "code": code(facts.check_address),
    }


def code(address: str) -> str:
    """The QR code of an address, as SVG."""
    drawn = io.BytesIO()
    segno.make_qr(address, error="m").save(drawn, kind="svg", border=0, xmldecl=False, dark="#16233f")
    return drawn.getvalue().decode()


def _about(facts: StatementFacts, words: dict[str, str]) -> list[list[str]]:
    rows = [
        [words["qualification"], facts.qualification],
        [words["exam_date"], wording.day(facts.exam_date, facts.language)],
        [words["centre"], tidy(facts.centre)],
    ]
    return rows + ([[words["certificate"], facts.certificate_number]] if facts.certificate_number else [])


def _headline(facts: StatementFacts) -> str:
    """The headline as awarded, or what came out instead of one."""
    if facts.headline is not None and facts.outcome != "FAIL":
        return facts.headline
    said = wording.OUTCOMES[facts.outcome][facts.language]
    return facts.headline if facts.headline and facts.headline != "Fail" else said


def _figures(facts: StatementFacts, words: dict[str, str]) -> list[list[str]]:
    """Grade, level and score, as far as the result has them; they are different things."""
    overall = words["overall"]
    if facts.score_ends:
        lowest, highest = facts.score_ends
        overall = words["scale"].format(label=overall, lowest=lowest, highest=highest)
    found = [(overall, facts.score), (words["cefr"], facts.cefr), (words["grade"], facts.grade)]
    return [[label, figure] for label, figure in found if figure is not None]


def _skills(facts: StatementFacts) -> list[dict[str, Any]]:
    return [
        {"name": wording.SKILLS[skill.code][facts.language], "score": skill.score, "share": skill.share}
        for skill in facts.skills
    ]


def _replaces(facts: StatementFacts, words: dict[str, str]) -> str | None:
    if facts.version == 1:
        return None
    return words["replaces"].format(version=facts.version, former=facts.version - 1)
