"""How large an operation is, known before it runs: depth, fields, aliases, directives, and its cost.

One walk over the document, each fragment once however often it is spread: Strawberry's own limiters walk a fragment
again at each spread, so that 18 fragments which spread each other twice keep them busy for hours.

Cost: an object costs 1 and a scalar 0 unless `@cost` says otherwise; a list costs its size times what is selected of
one element. The size is the slicing argument's value, or what `@listSize` assumes; where it names `sizedFields`, only
those are lists of that size. A mutation costs 10 more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from strawberry.federation.schema_directives import ListSize

from schema.costs import SIZED_FIELDS, cost_of, list_size_of
from schema.documents import Document

MUTATION_COST = 10
LARGEST = 2**31 - 1  # of an Int; more digits than Python turns into a number must not reach it
INTROSPECTION = ("__schema", "__type", "_service")
COMPOSITE = (GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)


@dataclass(frozen=True, slots=True)
class Measure:
    """Sizes of an operation or a part of it, every spread of a fragment counted."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    sized: int = 0  # cost of the fields that some `sizedFields` names: as often as the field above them says
    introspects: bool = False

    def and_then(self, other: "Measure") -> "Measure":
        """Two parts beside each other."""
        return Measure(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
            self.sized + other.sized,
            self.introspects or other.introspects,
        )


def measured(
    schema: GraphQLSchema, document: Document, name: str | None, variables: Mapping[str, Any] | None
) -> Measure:
    """The measure of the operation that will run.

    Raises GraphQLError when the name does not tell which one that is, or when its fragments go too deep to follow.
    """
    sizes = {key: size for key, value in (variables or {}).items() if (size := _size(value)) is not None}
    key = (name, *sorted(sizes.items()))
    known: Measure | None = document.measures.get(key)
    if known is None:
        known = _measured(schema, document.node, name, sizes)
        document.keep_measure(key, known)
    return known


def _size(value: Any) -> int | None:
    """What a variable can be for a cost: a number (JSON's 100.0 is an Int too), or the length of a list."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(min(value, LARGEST))
    return len(value) if isinstance(value, list) else None


def _written_size(value: Any) -> int | None:
    """The same for a value in the document."""
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) < len(str(LARGEST)) else LARGEST
    return len(value.values) if isinstance(value, ListValueNode) else None


def _measured(schema: GraphQLSchema, node: DocumentNode, name: str | None, sizes: dict[str, int]) -> Measure:
    operation = operation_of(node, name)
    walk = Walk(schema, node, _defaults(operation) | sizes)
    try:
        whole = walk.selections(operation.selection_set, schema.get_root_type(operation.operation))
    except RecursionError:
        message = "The operation is too large: its fragments are nested too deeply."
        raise GraphQLError(message, extensions={"code": "OPERATION_TOO_LARGE"}) from None
    extra = MUTATION_COST if operation.operation is OperationType.MUTATION else 0
    return whole.and_then(Measure(directives=len(operation.directives or ()), cost=extra))


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that will run. Raises GraphQLError when the name does not tell which one that is."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if name is not None:
        operations = [one for one in operations if one.name is not None and one.name.value == name]
    if len(operations) != 1:
        message = "Say with `operationName` which operation of the document to run; it must be in it once."
        raise GraphQLError(message, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})
    return operations[0]


def _defaults(operation: OperationDefinitionNode) -> dict[str, int]:
    """Sizes of variables that have a default."""
    return {
        one.variable.name.value: size
        for one in operation.variable_definitions or ()
        if (size := _written_size(one.default_value)) is not None
    }


class Walk:
    """One walk over one document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, sizes: Mapping[str, int]) -> None:
        self.schema = schema
        self.sizes = sizes
        self.fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self.known: dict[str, Measure | None] = {}

    def selections(self, selected: SelectionSetNode | None, on: GraphQLNamedType | None) -> Measure:
        """What is selected of one object of a type. Of members of a union or interface, all count together."""
        total = Measure()
        for selection in selected.selections if selected else ():
            total = total.and_then(self._selection(selection, on))
        return total

    def _selection(self, selection: Any, on: GraphQLNamedType | None) -> Measure:
        directives = Measure(directives=len(selection.directives or ()))
        if isinstance(selection, FieldNode):
            return directives.and_then(self._field(selection, on))
        if isinstance(selection, FragmentSpreadNode):
            return directives.and_then(self._spread(selection.name.value))
        assert isinstance(selection, InlineFragmentNode)
        condition = selection.type_condition
        inside = self.schema.get_type(condition.name.value) if condition else on
        return directives.and_then(self.selections(selection.selection_set, inside))

    def _spread(self, name: str) -> Measure:
        """A fragment, measured once; one that spreads itself is refused by validation and counts nothing here."""
        if name not in self.known:
            self.known[name] = None
            fragment = self.fragments.get(name)
            if fragment is None:
                return Measure()
            inside = self.schema.get_type(fragment.type_condition.name.value)
            self.known[name] = self.selections(fragment.selection_set, inside)
        return self.known[name] or Measure()

    def _field(self, node: FieldNode, on: GraphQLNamedType | None) -> Measure:
        name = node.name.value
        field = on.fields.get(name) if isinstance(on, GraphQLObjectType | GraphQLInterfaceType) else None
        below = self.selections(node.selection_set, get_named_type(field.type) if field else None)
        cost = self._cost(node, field, below)
        is_sized = name in SIZED_FIELDS
        return Measure(
            below.depth + 1,
            below.fields + 1,
            below.aliases + (node.alias is not None),
            below.directives,
            0 if is_sized else cost,
            cost if is_sized else 0,
            below.introspects or name in INTROSPECTION,
        )

    def _cost(self, node: FieldNode, field: GraphQLField | None, below: Measure) -> int:
        if field is None:
            return below.cost + below.sized
        composite = isinstance(get_named_type(field.type), COMPOSITE)
        own, each = cost_of(field), 0
        if own is None:
            own, each = 0, int(composite)
        declared = list_size_of(field)
        size = max(self._list_size(node, field, declared), 1) if declared else 1
        if declared and declared.sized_fields:
            return own + each + below.cost + size * below.sized
        return own + size * (each + below.cost + below.sized)

    def _list_size(self, node: FieldNode, field: GraphQLField, declared: ListSize) -> int:
        """How many elements a field answers: 1 where it is no list."""
        for argument in declared.slicing_arguments or ():
            size = self._argument(node, field, argument)
            if size is not None:
                return size
        return declared.assumed_size if declared.assumed_size is not None and _is_sized(field.type, declared) else 1

    def _argument(self, node: FieldNode, field: GraphQLField, name: str) -> int | None:
        for argument in node.arguments or ():
            if argument.name.value == name:
                return self._value(argument.value)
        default = field.args[name].default_value if name in field.args else None
        return default if isinstance(default, int) else None

    def _value(self, value: Any) -> int | None:
        return self.sizes.get(value.name.value) if isinstance(value, VariableNode) else _written_size(value)


def _is_sized(type_: GraphQLOutputType, declared: ListSize) -> bool:
    """Whether the field is a list itself, or names the field of its type that is one."""
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(inner, GraphQLList) or bool(declared.sized_fields)
