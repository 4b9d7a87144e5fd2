"""A short way through plain fields: attributes without a resolver, of scalars, enums, and objects of nothing else.

graphql-core gives every field a path, an `info` and a walk through all the kinds of types there are: some 5 µs each,
which is most of a long page. A plain field needs none of it: it is read, and written as JSON. If anything about it is
unusual (null where none may be, a value that its type does not take), the object that it belongs to is executed again
by the long way, which knows what to say: reading attributes twice changes nothing.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeGuard

from graphql import (
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_leaf_type,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter

KEPT_TEXT = 4 * 1024  # longer documents are rare, and keeping the plans of very many could take much memory

Fields = dict[str, Any]  # what graphql-core collected of one selection, by the name in the answer
Read = Callable[[Any], Any]  # from an object to the value of its attribute
Write = Callable[[Any], Any]  # from a value to JSON
Plain = list[tuple[str, Read, Write]]


class Unusual(Exception):
    """Something that the short way leaves to the long one."""


class Plans:
    """What was found out about an operation: its fields, collected and divided; by ids of what is kept here too."""

    __slots__ = ("divided", "root", "selected")

    def __init__(self) -> None:
        self.root: Fields | None = None
        self.selected: dict[tuple[GraphQLObjectType, int], tuple[Any, Any]] = {}
        self.divided: dict[int, tuple[Plain, Fields, Fields]] = {}


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor with the short way; one per operation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plans = _plans(self.schema, self.operation)
        manager = self.middleware_manager
        self.is_watched = manager is not None and bool(manager.middlewares)  # by an extension that sees every field

    def execute_collected_root_fields(
        self, root_type: GraphQLObjectType, root_value: Any, grouped_field_set: Fields, *rest: Any
    ) -> Any:
        """Begin with the fields that the plans were made for.

        graphql-core collects anew for every event of a stream, and keeps it all for as long as the stream is open.
        """
        if self.plans.root is None:
            self.plans.root = grouped_field_set
        return super().execute_collected_root_fields(root_type, root_value, self.plans.root, *rest)

    def collect_subfields(self, return_type: GraphQLObjectType, field_details_list: Any) -> Any:
        """What is selected of an object, collected once."""
        key = (return_type, id(field_details_list))
        known = self.plans.selected.get(key)
        if known is None:
            collected = super().collect_subfields(return_type, field_details_list)
            known = self.plans.selected[key] = (collected, field_details_list)  # kept, so that its id stays its own
        return known[0]

    def execute_fields(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Any, grouped_field_set: Fields, context: Any
    ) -> Any:
        """Read the plain fields of one object, and let graphql-core execute the others."""
        plain, others = self._divide(parent_type, grouped_field_set)
        results: dict[str, Any] = dict.fromkeys(grouped_field_set)  # in the order asked
        try:
            for name, read, write in plain:
                results[name] = write(read(source_value))
        except Exception:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, context)
        if not others:
            return results
        rest: Any = super().execute_fields(parent_type, source_value, path, others, context)
        if self.is_awaitable(rest):
            return _joined(results, rest)
        results.update(rest)
        return results

    def _divide(self, parent_type: GraphQLObjectType, fields: Fields) -> tuple[Plain, Fields]:
        """The plain ones of these fields, and the others; found out once."""
        known = self.plans.divided.get(id(fields))
        if known is None:
            plain = [(name, *way) for name, details in fields.items() if (way := self._way(parent_type, details))]
            names = {name for name, _, _ in plain}
            others = {name: details for name, details in fields.items() if name not in names}
            known = self.plans.divided[id(fields)] = (plain, others, fields)
        return known[0], known[1]

    def _way(self, parent_type: GraphQLObjectType, details: Any) -> tuple[Read, Write] | None:
        """How this field of an object is read and written; None for a field that is not plain."""
        if self.is_watched:
            return None
        field_name = details[0].node.name.value
        if leaf := _leaf(parent_type, field_name):
            return leaf
        field = parent_type.fields.get(field_name)
        write = _writer(field.type, lambda type_: self._object_writer(type_, details)) if _is_attribute(field) else None
        return (_reader(field), write) if write else None

    def _object_writer(self, type_: GraphQLObjectType, details: Any) -> Write | None:
        selected = self.collect_subfields(type_, details)
        plain, others = self._divide(type_, selected.grouped_field_set)
        if others or selected.new_defer_usages:
            return None
        return lambda source: {name: write(read(source)) for name, read, write in plain}


def _plans(schema: GraphQLSchema, operation: OperationDefinitionNode) -> Plans:
    """Those of the last time, unless a directive may select something else this time."""
    text = operation.loc.source.body if operation.loc else "@"
    if len(text) > KEPT_TEXT or "@" in text:
        return Plans()
    return _kept_plans(schema, text, operation.name and operation.name.value)


@lru_cache(maxsize=200)
def _kept_plans(_schema: GraphQLSchema, _text: str, _name: str | None) -> Plans:
    return Plans()


async def _joined(results: dict[str, Any], rest: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    results.update(await rest)
    return results


@lru_cache(maxsize=4096)
def _leaf(parent_type: GraphQLObjectType, field_name: str) -> tuple[Read, Write] | None:
    """How a field of scalars or enums is read and written; the same in every operation."""
    if field_name == "__typename":
        return lambda _: parent_type.name, str
    field = parent_type.fields.get(field_name)
    write = _writer(field.type, lambda _: None) if _is_attribute(field) else None
    return (_reader(field), write) if write else None


def _is_attribute(field: GraphQLField | None) -> TypeGuard[GraphQLField]:
    """Whether Strawberry does nothing for the field but read an attribute."""
    return field is not None and getattr(field.resolve, "_is_default", False)


def _reader(field: GraphQLField) -> Read:
    return attrgetter(field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name)


def _writer(type_: Any, of_objects: Callable[[GraphQLObjectType], Write | None]) -> Write | None:
    """What writes values of a type, or null; None where that takes more than reading attributes."""
    is_required = isinstance(type_, GraphQLNonNull)
    write = _value_writer(type_.of_type if is_required else type_, of_objects)
    return write and _or_null(write, is_required)


def _value_writer(type_: Any, of_objects: Callable[[GraphQLObjectType], Write | None]) -> Write | None:
    if isinstance(type_, GraphQLList):
        each = _writer(type_.of_type, of_objects)
        return each and (lambda values: [each(value) for value in values])
    if isinstance(type_, GraphQLObjectType):
        return of_objects(type_)
    return _leaf_writer(type_) if is_leaf_type(type_) else None


def _leaf_writer(type_: GraphQLLeafType) -> Write:
    """A scalar or enum as JSON; an enum by a table, for Strawberry looks through its members one by one."""
    if isinstance(type_, CustomGraphQLEnumType):
        return {type_.wrapped_cls(value.value): name for name, value in type_.values.items()}.__getitem__
    return type_.coerce_output_value


def _or_null(write: Write, is_required: bool) -> Write:
    def written(value: Any) -> Any:
        if value is None and not is_required:
            return None
        found = None if value is None else write(value)
        if found is None:
            raise Unusual
        return found

    return written
