"""Documents: parsed once, validated once, and what was found out about them kept beside them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLError, parse
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from engine.allowance import Left

MOST_TOKENS = 4000
KEPT_TEXT = 16 * 1024  # longer ones are rare, and keeping 500 of them would cost more than it saves
MOST_MEASURES = 32
# graphql-core's own budget lets one document of a few KB hold a core for a second.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 50_000


class Document:
    """A document that was parsed, and what is known of it so far."""

    __slots__ = ("errors", "measures", "node")

    def __init__(self, node: DocumentNode) -> None:
        self.node = node
        self.errors: list[GraphQLError] | None = None
        self.measures: dict[Any, Any] = {}

    def keep_measure(self, key: Any, measure: Any) -> None:
        """Remember a measure; of very many different ones, only the latest."""
        if len(self.measures) >= MOST_MEASURES:
            self.measures.clear()
        self.measures[key] = measure


def document(text: str) -> Document:
    """The parsed document; raises GraphQLError, coded, when there is none in the text."""
    if (known := _known.get(text)) is not None:
        return known
    return _kept(text) if len(text) <= KEPT_TEXT else _kept_shortly(text)


def keep(text: str) -> Document:
    """The parsed document, from now on for ever: whatever strangers send, known clients' are not parsed again."""
    return _known.setdefault(text, _parsed(text))


def _parsed(text: str) -> Document:
    try:
        return Document(parse(text, max_tokens=MOST_TOKENS))
    except GraphQLError as error:
        error.extensions = {"code": "GRAPHQL_PARSE_FAILED"}
        raise
    except RecursionError:
        raise GraphQLError("The document is nested too deeply.", extensions={"code": "GRAPHQL_PARSE_FAILED"}) from None


_known: dict[str, Document] = {}
_kept = lru_cache(maxsize=500)(_parsed)
_kept_shortly = lru_cache(maxsize=8)(_parsed)  # one operation asks for its document three times


class Documents(SchemaExtension):
    """Gives Strawberry the parsed document and what validation said of it, and tells the client the cost."""

    def on_parse(self) -> Iterator[None]:
        """In place of Strawberry's parsing; the transports have refused what cannot be parsed."""
        self.execution_context.graphql_document = document(self.execution_context.query or "").node
        yield

    def on_validate(self) -> Iterator[None]:
        """In place of Strawberry's validation, which would be run again for every request."""
        context = self.execution_context
        known = document(context.query or "")
        if known.errors is None:
            known.errors = validate_document(context.schema._schema, known.node, context.validation_rules)
            for error in known.errors:
                error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
        context.pre_execution_errors = known.errors
        yield

    def get_results(self) -> dict[str, Any]:
        """What the operation costs, and what it might; what is left of the allowance after it (P3)."""
        context = self.execution_context.context
        cost = getattr(context, "cost", None)
        if cost is None:
            return {}
        told: dict[str, Any] = {"cost": {"estimated": cost.estimated, "maximum": cost.maximum}}
        if left := context.take_allowance():
            told["allowance"] = written(left)
        return told


def written(left: Left) -> dict[str, Any]:
    """What is left of the allowance that ends first, as clients are told."""
    least = left.least
    return {
        "of": least.name,
        "limit": least.most,
        "remaining": least.remaining,
        "resetsAt": left.resets_at.isoformat(),
    }
