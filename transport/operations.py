"""Before an operation runs, on every transport: it can be read, it is not too large, and it asks what it may."""

from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
)

from schema.build import schema
from schema.context import Cost
from schema.documents import document
from settings import LARGEST_OPERATION
from transport.measure import Measure, measured, operation_of
from transport.requests import GraphQLRequest

MOST = Measure(depth=16, fields=2000, aliases=100, directives=100, cost=LARGEST_OPERATION)
MOST_INTROSPECTING = replace(MOST, aliases=5)  # the schema is hundreds of objects, and costs nothing by its directives
NAMES = {
    "depth": "levels deep",
    "fields": "fields",
    "aliases": "aliases",
    "directives": "directives",
    "cost": "in cost (see @cost and @listSize in the schema)",
}
CONNECTING = "sittingEvents"
SIGN_SECONDS = 5  # how often whoever follows one is asked for a sign of life


def until_sign(now: float) -> float:
    """Seconds until the next sign is asked for: by all streams of a process at once, so that they come together."""
    return SIGN_SECONDS - now % SIGN_SECONDS


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that may run."""

    asked: GraphQLRequest
    type: OperationType
    cost: Cost
    roots: tuple[str, ...]  # the fields it asks for, each once

    @property
    def keeps_connected(self) -> bool:
        """Whether its stream tells that a person is there, for as long as they give signs of life (H5)."""
        return CONNECTING in self.roots

    @property
    def path(self) -> str:
        """What it asks for, as the trail says it."""
        return f"{self.type.value} {', '.join(self.roots)}"


def checked(asked: GraphQLRequest, may_introspect: bool) -> Operation:
    """The operation, if it may run; raises GraphQLError, coded, otherwise."""
    assert asked.query is not None  # known by now (transport/known_documents.py)
    parsed = document(asked.query)
    operation = operation_of(parsed.node, asked.operation_name)
    measure = measured(schema._schema, parsed, asked.operation_name, asked.variables)
    _check_size(measure)
    if measure.introspects and not may_introspect:
        raise _refused("The schema is not open here.", "INTROSPECTION_DISABLED")
    roots = tuple(_roots(parsed.node, operation.selection_set))
    return Operation(asked, operation.operation, Cost(measure.cost, MOST.cost), roots)


def _roots(node: DocumentNode, selected: SelectionSetNode) -> dict[str, None]:
    """The names of the root fields, each once. No name that the client chose: one may be a person's."""
    names: dict[str, None] = {}
    spread: set[str] = set()
    waiting = [selected]
    while waiting:
        for one in waiting.pop().selections:
            if isinstance(one, FieldNode):
                names[one.name.value] = None
            elif isinstance(one, InlineFragmentNode):
                waiting.append(one.selection_set)
            elif isinstance(one, FragmentSpreadNode) and one.name.value not in spread:
                spread.add(one.name.value)
                waiting += [
                    found.selection_set
                    for found in node.definitions
                    if isinstance(found, FragmentDefinitionNode) and found.name.value == one.name.value
                ]
    return names


def _check_size(measure: Measure) -> None:
    limits = MOST_INTROSPECTING if measure.introspects else MOST
    for name, words in NAMES.items():
        size, most = getattr(measure, name), getattr(limits, name)
        if size > most:
            raise _refused(f"The operation is too large: {size} {words}, at most {most}.", "OPERATION_TOO_LARGE")


def _refused(message: str, code: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def formatted(result: Any) -> dict[str, Any]:
    """One result as it goes out, without `data` where the operation did not begin to run."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if not is_request_error(result):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def is_request_error(result: Any) -> bool:
    """Whether the operation did not begin to run: its document or its variables are wrong."""
    return result.data is None and bool(result.errors) and all(error.path is None for error in result.errors)
