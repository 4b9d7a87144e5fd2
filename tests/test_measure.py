"""How large an operation is, known before it runs."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_introspection_query,
    get_named_type,
)
from graphql.error import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from schema.build import schema
from schema.documents import MOST_MEASURES, Document, document
from transport import measure
from transport.measure import Measure, measured
from transport.operations import MOST

GRAPHQL = schema._schema
HUGE = "9" * 5000  # more digits than Python turns into a number


def of(query: str, name: str | None = None, **variables: Any) -> Measure:
    """The measure of an operation."""
    return measured(GRAPHQL, document(query), name, variables)


def cost(query: str, **variables: Any) -> int:
    """The cost of an operation."""
    return of(query, **variables).cost


# ---- depth, fields, aliases, directives


@pytest.mark.parametrize(
    ("query", "depth", "fields"),
    [
        ("{ viewer { kind } }", 2, 2),
        ("{ viewer { kind } exams { id scale { code } } }", 3, 6),
        ("{ ... { ... on Query { viewer { ... { kind } } } } }", 2, 2),
        ("{ ...A ...A } fragment A on Query { viewer { ...B } } fragment B on Viewer { kind }", 2, 4),
        ("query a { viewer { kind } } fragment Unused on Query { viewer { verifier { id } } }", 2, 2),
    ],
)
def test_depth_and_fields_count_through_fragments(query: str, depth: int, fields: int) -> None:
    measure = of(query)
    assert (measure.depth, measure.fields) == (depth, fields)


def test_aliases_count_at_every_spread() -> None:
    query = "{ a: viewer { b: kind } ...F ...F } fragment F on Query { c: viewer { kind } }"
    assert of(query).aliases == 4


def test_directives_count_wherever_they_may_stand() -> None:
    query = """query @a { viewer @skip(if: false) { kind @skip(if: false) @include(if: true) }
               ... @include(if: true) { viewer { kind } } ...F @skip(if: true) }
               fragment F on Query { viewer @include(if: true) { kind } }"""
    assert of(query).directives == 7


def test_only_the_operation_that_runs_is_measured() -> None:
    query = "query small { viewer { kind } } query large { exams { id } }"
    assert (of(query, "small").cost, of(query, "large").cost) == (1, 20)


@pytest.mark.parametrize("name", [None, "other", ""])
def test_an_operation_that_cannot_be_told_is_refused_with_a_code(name: str | None) -> None:
    with pytest.raises(GraphQLError) as refused:
        of("query a { viewer { kind } } query b { viewer { kind } }", name)
    assert refused.value.extensions == {"code": "OPERATION_RESOLUTION_FAILURE"}


# ---- cost


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 0),
        ("{ viewer { kind } }", 1),
        ("{ viewer { kind } again: viewer { kind } }", 2),
        ("{ exams { id code } }", 20),
        ("{ exams { id scale { code } } }", 40),
        ('{ node(id: "x") { id } }', 1),
        ("{ inbox { liveCursor } }", 1),
        ("{ inbox { edges { cursor } } }", 1 + 50),
        ("{ inbox(first: 3) { edges { cursor } } }", 1 + 3),
        ("{ inbox(first: 3) { edges { node { id } } } }", 1 + 3 * 2),
        ("{ changes(first: 3) { cursor nodes { cursor share { id } } } }", 1 + 3 * 2),
        ("{ changes { nodes { cursor } } }", 1 + 100),
        ("{ inbox(first: 3) { edges { node { shares: result { id skillScores { score } } } } } }", 1 + 3 * (2 + 1 + 5)),
        ('mutation { logOut(input: {}) { ... on LoggedOut { sessionsEnded } } }', 1 + 10),
        ('mutation { logIn(input: {idNumber: "", password: ""}) { ... on LoggedIn { viewer { kind } } } }', 111),
        ("subscription { newShares { share { id } } }", 2),
    ],
)  # fmt: skip
def test_cost_is_what_the_schema_declares(query: str, expected: int) -> None:
    assert cost(query) == expected


def test_a_page_costs_its_size_only_for_what_the_schema_names_as_sized() -> None:
    """`sizedFields: ["edges"]`: the counts beside the edges are made once."""
    assert cost("{ inbox(first: 100) { totalCount unreadCount pageInfo { endCursor } } }") == 1 + 10 + 10 + 1
    fragments = "fragment C on InboxConnection { totalCount } fragment E on InboxConnection { edges { cursor } }"
    assert cost(f"{{ inbox(first: 100) {{ ...C ...E }} }} {fragments}") == 1 + 10 + 100


@pytest.mark.parametrize("declared", ["Int!", "Int! = 7", "Int = 7"])
def test_a_page_costs_the_size_that_its_variable_has(declared: str) -> None:
    query = f"query ($n: {declared}) {{ inbox(first: $n) {{ edges {{ cursor }} }} }}"
    assert cost(query, n=3) == 1 + 3
    assert cost(query, n=3.0) == 1 + 3, "GraphQL takes 3.0 for an Int"


def test_a_variable_that_is_not_given_costs_its_default() -> None:
    assert cost("query ($n: Int! = 7) { inbox(first: $n) { edges { cursor } } }") == 1 + 7
    assert cost("query ($n: Int! = 7) { inbox(first: $n) { edges { cursor } } }", other=3) == 1 + 7


def test_a_page_costs_what_is_assumed_where_nothing_tells_its_size() -> None:
    assert cost("query ($n: Int) { inbox(first: $n) { edges { cursor } } }") == 1 + 50
    assert cost("query ($n: Int) { inbox(first: $n) { edges { cursor } } }", n="3") == 1 + 50


@pytest.mark.parametrize("first", ["0", "-1", f"-{HUGE}"])
def test_no_size_makes_an_operation_cheaper_than_a_page_of_one(first: str) -> None:
    assert cost(f"{{ inbox(first: {first}) {{ edges {{ cursor }} }} }}") >= 2


@pytest.mark.parametrize("first", ["2147483648", "99999999999999999999", HUGE])
def test_a_huge_size_is_a_huge_cost_and_no_accident(first: str) -> None:
    assert cost(f"{{ inbox(first: {first}) {{ edges {{ cursor }} }} }}") > MOST.cost
    assert cost(f"query ($n: Int! = {first}) {{ inbox(first: $n) {{ edges {{ cursor }} }} }}") > MOST.cost


@pytest.mark.parametrize("first", [2**31, 10**300, 1e308])
def test_a_huge_variable_is_a_huge_cost_and_no_accident(first: float) -> None:
    assert cost("query ($n: Int!) { inbox(first: $n) { edges { cursor } } }", n=first) > MOST.cost


def test_entities_cost_as_many_as_are_asked_for() -> None:
    """P5: however the representations come in."""
    asked = '{__typename: "Exam", code: "C1_ADVANCED"}'
    selected = "{ ... on Exam { id scale { code } } }"
    assert cost(f"{{ _entities(representations: [{asked}, {asked}, {asked}]) {selected} }}") == 3 * 2
    by_variable = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {selected} }}"
    assert cost(by_variable, r=[{}, {}, {}, {}]) == 4 * 2
    assert cost(by_variable, r={}) == 2, "GraphQL takes one value for a list of one"
    by_default = f"query ($r: [_Any!]! = [{asked}, {asked}]) {{ _entities(representations: $r) {selected} }}"
    assert cost(by_default) == 2 * 2


def test_members_of_a_union_or_an_interface_count_together() -> None:
    query = '{ node(id: "x") { ... on Exam { scale { code } } ... on Entry { exam { id } centre { name } } } }'
    assert cost(query) == 1 + 1 + 2


def test_unknown_names_are_measured_too_and_never_an_accident() -> None:
    """Validation, which comes later, says that they are unknown."""
    query = "{ nothing(first: 100) { a { b } inbox(first: 2) { c } } ...F ...Gone } fragment F on Gone { d { e } }"
    measure = of(query)
    assert (measure.depth, measure.fields, measure.cost) == (3, 7, 0)


@pytest.mark.parametrize("field", ["__schema { types { name } }", '__type(name: "Exam") { name }', "_service { sdl }"])
@pytest.mark.parametrize("way", ["{ %s }", "{ a: viewer { kind } ... { ...F } } fragment F on Query { %s }"])
def test_asking_for_the_schema_is_seen_behind_fragments_and_aliases(field: str, way: str) -> None:
    assert of(way % field).introspects
    assert of(way % f"alias: {field}").introspects


def test_type_names_are_no_introspection() -> None:
    assert not of("{ __typename viewer { __typename kind } }").introspects


def test_the_introspection_query_of_tools_is_within_the_limits() -> None:
    query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    measure = of(query)
    for name in ("depth", "fields", "aliases", "directives", "cost"):
        assert getattr(measure, name) <= getattr(MOST, name), name


# ---- fragments


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The selections that were looked at, in order."""
    seen: list[Any] = []
    look: Callable[..., Measure] = measure.Walk._selection

    def noting(walk: measure.Walk, selection: Any, on: Any) -> Measure:
        seen.append(selection)
        return look(walk, selection, on)

    monkeypatch.setattr(measure.Walk, "_selection", noting)
    return seen


def doubling(fragments: int) -> str:
    """Fragments each of which spreads the next one twice."""
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(fragments))
    return f"{{ ...F0 }} {chain} fragment F{fragments} on Query {{ viewer {{ kind }} }}"


def test_each_fragment_is_walked_once_however_often_it_is_spread(walked: list[Any]) -> None:
    """Strawberry's own limiters walk these for hours."""
    measure = of(doubling(18))
    assert measure.fields == 2 * 2**18
    assert measure.cost == 2**18
    assert len(walked) == 1 + 18 * 2 + 2


def test_a_number_of_fields_that_no_machine_could_walk_is_still_told(walked: list[Any]) -> None:
    assert of(doubling(200)).fields == 2 * 2**200
    assert len(walked) == 1 + 200 * 2 + 2


@pytest.mark.parametrize(
    "fragments",
    [
        "fragment A on Query { ...A }",
        "fragment A on Query { viewer { kind } ...A ...B } fragment B on Query { ...A ...B }",
    ],
)
def test_fragments_in_a_circle_end(fragments: str, walked: list[Any]) -> None:
    of(f"{{ ...A }} {fragments}")
    assert len(walked) <= 7


def test_fragments_too_deep_to_follow_are_refused_with_a_code() -> None:
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} }} " for n in range(490))
    with pytest.raises(GraphQLError) as refused:
        of(f"{{ ...F0 }} {chain} fragment F490 on Query {{ viewer {{ kind }} }}")
    assert refused.value.extensions == {"code": "OPERATION_TOO_LARGE"}


# ---- what is remembered


def test_a_measure_is_remembered_for_the_sizes_it_was_made_with(walked: list[Any]) -> None:
    query = "query ($n: Int!, $search: String) { inbox(first: $n) { edges { cursor } } }"
    known = Document(document(query).node)
    assert measured(GRAPHQL, known, None, {"n": 3, "search": "a"}).cost == 4
    so_far = len(walked)
    assert measured(GRAPHQL, known, None, {"n": 3, "search": "b"}).cost == 4
    assert len(walked) == so_far
    assert measured(GRAPHQL, known, None, {"n": 4}).cost == 5


def test_of_very_many_sizes_only_the_latest_are_remembered() -> None:
    known = Document(document("query ($n: Int!) { inbox(first: $n) { edges { cursor } } }").node)
    for n in range(3 * MOST_MEASURES):
        assert measured(GRAPHQL, known, None, {"n": n}).cost == 1 + max(n, 1)
        assert len(known.measures) <= MOST_MEASURES


# ---- any operation

Selected = list[Any]  # of [text before the braces, name of the type inside or None, what is selected inside]


def fields_of(type_: GraphQLNamedType) -> dict[str, GraphQLField]:
    """The fields that may be selected of a type."""
    return type_.fields if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else {}


@st.composite
def selections(draw: st.DrawFn, type_name: str = "Query", depth: int = 4) -> Selected:
    """Some fields of a type, with some fields of theirs; on a union, of its members."""
    type_ = GRAPHQL.type_map[type_name]
    if isinstance(type_, GraphQLUnionType):
        members = draw(st.lists(st.sampled_from([one.name for one in type_.types]), min_size=1, max_size=2))
        return [[f"... on {name}", name, draw(selections(name, depth))] for name in members]
    names = st.sampled_from(sorted(fields_of(type_)))
    return [draw(fields(type_name, name, depth)) for name in draw(st.lists(names, min_size=1, max_size=3))]


@st.composite
def fields(draw: st.DrawFn, type_name: str, name: str, depth: int) -> Any:
    """One field with what is selected of it."""
    field = fields_of(GRAPHQL.type_map[type_name])[name]
    inner = get_named_type(field.type)
    alias = draw(st.sampled_from(["", "", "a: "]))
    sizes = st.sampled_from(["", "(first: 3)", "(first: -1)", "(first: $n)"]) if "first" in field.args else st.just("")
    text = f"{alias}{name}{draw(sizes)}"
    is_leaf = not (fields_of(inner) or isinstance(inner, GraphQLUnionType))
    if is_leaf or depth == 0:
        return [text, None, []]
    return [text, inner.name, draw(selections(inner.name, depth - 1))]


def written(selected: Selected) -> str:
    """The text of selections."""
    return " ".join(f"{text} {{ {written(inside)} }}" if inside else text for text, _, inside in selected)


def sets_of(selected: Selected, type_name: str) -> list[tuple[Selected, str]]:
    """Every selection set, with the name of its type."""
    inner = [found for _, name, inside in selected if inside for found in sets_of(inside, name)]
    return [(selected, type_name), *inner]


@given(selections(), st.data(), st.integers(1, 100))
def test_no_operation_becomes_smaller_by_one_more_field(selected: Selected, data: st.DataObject, n: int) -> None:
    before = of(f"query ($n: Int!) {{ {written(selected)} }}", n=n)
    place, type_name = data.draw(st.sampled_from(sets_of(selected, "Query")))
    place.extend(data.draw(selections(type_name, 2)))
    after = of(f"query ($n: Int!) {{ {written(selected)} }}", n=n)
    for name in ("depth", "fields", "aliases", "directives", "cost"):
        assert getattr(after, name) >= getattr(before, name), name
    assert after.fields > before.fields


@given(selections(), st.data(), st.integers(1, 100))
def test_a_fragment_counts_as_if_its_fields_stood_where_it_is_spread(
    selected: Selected, data: st.DataObject, n: int
) -> None:
    plain = of(f"query ($n: Int!) {{ {written(selected)} }}", n=n)
    place, type_name = data.draw(st.sampled_from(sets_of(selected, "Query")))
    fragment = f"fragment F on {type_name} {{ {written(place)} }}"
    place[:] = [["...F", None, []]]
    assert of(f"query ($n: Int!) {{ {written(selected)} }} {fragment}", n=n) == plain
