"""Documents parsed once: the same text is not read again by any transport."""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, parse
from strawberry.extensions import SchemaExtension

MOST_TOKENS = 4000


@lru_cache(maxsize=500)
def parsed(text: str) -> DocumentNode:
    """The document; raises GraphQLSyntaxError. A wrong one is not kept."""
    return parse(text, max_tokens=MOST_TOKENS)


def operation_type(document: DocumentNode, name: str | None) -> OperationType | None:
    """Type of the operation that will run; None when the name does not tell which one that is."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if name is not None:
        operations = [one for one in operations if one.name is not None and one.name.value == name]
    return operations[0].operation if len(operations) == 1 else None


class ParsedOnce(SchemaExtension):
    """Gives Strawberry the parsed document."""

    def on_parse(self) -> Iterator[None]:
        """Before Strawberry would parse; what is wrong with a document, Strawberry finds and tells itself."""
        self.execution_context.parse_options = {"max_tokens": MOST_TOKENS}
        with suppress(GraphQLError):
            self.execution_context.graphql_document = parsed(self.execution_context.query or "")
        yield
