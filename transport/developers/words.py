"""From the schema's own words to HTML: descriptions with their `code`, and types with links to what they are."""

import re
from functools import cache

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLType,
    GraphQLUnionType,
    Undefined,
    ast_from_value,
    print_ast,
)
from markupsafe import Markup, escape

from schema.build import schema

TYPES_PAGE = "/developers/types"
KINDS = {
    GraphQLObjectType: "object",
    GraphQLInterfaceType: "interface",
    GraphQLUnionType: "union",
    GraphQLInputObjectType: "input",
    GraphQLEnumType: "enum",
}


def told(text: str) -> Markup:
    """A description, with what stands between backticks as code, linked where it begins with a type's name."""
    return Markup("").join(_code(part) if place % 2 else escape(part) for place, part in enumerate(text.split("`")))


def _code(text: str) -> Markup:
    [name] = re.findall(r"^\w*", text)
    return Markup("<code>{}{}</code>").format(linked(name), text[len(name) :])


def linked(name: str) -> Markup:
    """A name, with a link if it is that of a type of ours."""
    return Markup('<a href="{}#{}">{}</a>').format(TYPES_PAGE, name, name) if name in types() else escape(name)


def typed(type_: GraphQLType) -> Markup:
    """A type as GraphQL writes it, with a link to what is inside."""
    if isinstance(type_, GraphQLNonNull):
        return typed(type_.of_type) + "!"
    if isinstance(type_, GraphQLList):
        return Markup("[{}]").format(typed(type_.of_type))
    assert isinstance(type_, GraphQLNamedType)
    return linked(type_.name)


def default(given: GraphQLArgument | GraphQLInputField) -> str | None:
    """What is taken where nothing is given, as GraphQL writes it; None where it must be given, or is null."""
    if given.default_value is Undefined or given.default_value is None:
        return None
    written = ast_from_value(given.default_value, given.type)
    return print_ast(written) if written else None


@cache
def types() -> dict[str, GraphQLNamedType]:
    """Every type of the schema by name, in order, but the three roots, GraphQL's own and federation's."""
    known = schema._schema
    roots = {type_.name for type_ in (known.query_type, known.mutation_type, known.subscription_type) if type_}
    ours = {
        name: type_
        for name, type_ in known.type_map.items()
        if not name.startswith("_") and name not in roots and (type_.description or "").strip()
    }
    return dict(sorted(ours.items()))


def kind_of(type_: GraphQLNamedType) -> str:
    """What kind of type it is."""
    return next((word for kind, word in KINDS.items() if isinstance(type_, kind)), "scalar")
