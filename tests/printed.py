"""The schema as clients and gateways know it: built anew from the text that the service prints."""

from functools import cache

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_ast_schema,
    get_named_type,
    parse,
)

from schema.build import schema

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType


@cache
def text() -> str:
    """The text itself."""
    return schema.as_str()


@cache
def printed() -> GraphQLSchema:
    """The schema that the text describes."""
    return build_ast_schema(parse(text()), assume_valid=True, assume_valid_sdl=True)


def object_types() -> dict[str, GraphQLObjectType]:
    """Every object type by name, those of federation itself left out."""
    return {name: one for name, one in named_types().items() if isinstance(one, GraphQLObjectType)}


def named_types() -> dict[str, GraphQLNamedType]:
    """Every type by name that this service defines; not GraphQL's own nor federation's."""
    own = {name: one for name, one in printed().type_map.items() if not name.startswith("_") and one.ast_node}
    return dict(sorted(own.items()))


def fields_of(type_name: str) -> dict[str, GraphQLField]:
    """The fields of an object type or an interface."""
    type_ = printed().type_map[type_name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    return dict(type_.fields)


def members_of(type_: GraphQLNamedType) -> list[GraphQLObjectType]:
    """The object types that a value of this type can be."""
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return list(printed().get_possible_types(type_))
    return [type_] if isinstance(type_, GraphQLObjectType) else []


def implements(type_: GraphQLObjectType, interface: str) -> bool:
    """Whether a type implements an interface."""
    return interface in {one.name for one in type_.interfaces}


def payload_of(mutation: str) -> GraphQLUnionType:
    """The union that a mutation answers with."""
    payload = get_named_type(fields_of("Mutation")[mutation].type)
    assert isinstance(payload, GraphQLUnionType), f"{mutation} answers with {payload}, which is not a union"
    return payload


def keys_of_entities() -> dict[str, list[str]]:
    """The key fields of each entity, from its `@key` directives."""
    keys: dict[str, list[str]] = {}
    for name, type_ in object_types().items():
        for directive in (type_.ast_node and type_.ast_node.directives) or ():
            if directive.name.value == "key":
                keys.setdefault(name, []).append(str(directive.arguments[0].value.value))  # type: ignore[union-attr, index]
    return keys
