"""Several Statements of Results in one signed PDF, after a page that lists them (D1)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from documents import typesetting, wording
from documents.signing import Signer
from documents.statement import StatementFacts, shown


def bundle(statements: Sequence[StatementFacts], organisation: str, signer: Signer, moment: datetime) -> bytes:
    """The signed PDF/A-2b, in the language of the statements; `moment` (UTC) is when it was asked for.

    The same statements, moment and key make the same bytes. Raises NotPrintable.
    """
    facts = _shown(statements, organisation, moment)
    return signer.signed(typesetting.typeset("statements", facts, moment), moment)


def _shown(statements: Sequence[StatementFacts], organisation: str, moment: datetime) -> dict[str, Any]:
    """What the template is handed."""
    language = statements[0].language
    words = wording.STATEMENT[language] | wording.STATEMENTS[language]
    return {
        "language": language,
        "words": words,
        "title": words["title"],
        "organisation": organisation,
        "made": words["made"].format(day=wording.day(moment.date(), language)),
        "statements": [shown(one) for one in statements],
    }
