"""The short way through plain fields answers exactly what Strawberry's own executor answers."""

import gc
import json
import weakref
from collections.abc import AsyncGenerator
from datetime import date
from enum import Enum
from typing import Any, ClassVar

import pytest
import strawberry
from graphql import FieldNode, GraphQLResolveInfo
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.extensions import SchemaExtension

from schema.execution import Executor, Plans


@strawberry.enum
class Colour(Enum):
    RED = "the colour of tomatoes"
    GREEN = "the colour of cucumbers"


@strawberry.interface
class Thing:
    id: strawberry.ID


@strawberry.type
class Leaf(Thing):
    colour: Colour
    number: int | None
    fell_on: date

    @strawberry.field
    def plus(self, more: int) -> int:
        return (self.number or 0) + more

    @strawberry.field
    def twice(self) -> int | None:
        return self.number and self.number * 2


@strawberry.type
class Tree(Thing):
    best: Leaf | None
    leaves: list[Leaf]
    places: list[Leaf | None] | None
    words: list[list[str]]
    thing: Thing

    @strawberry.field
    async def later(self) -> Leaf | None:
        return self.best


@strawberry.type
class Query:
    @strawberry.field
    async def tree(self, info: strawberry.Info[Any, None]) -> Tree | None:
        found: Tree = info.context
        return found


SELECTABLE: dict[str, dict[str, str | None]] = {
    "Leaf": {"id": None, "colour": None, "number": None, "fellOn": None, "twice": None, "__typename": None},
    "Tree": {
        "id": None, "__typename": None, "words": None, "best": "Leaf", "leaves": "Leaf", "places": "Leaf",
        "later": "Leaf", "thing": "Thing",
    },
    "Thing": {"id": None, "__typename": None},
}  # fmt: skip


def selections(type_name: str, depth: int = 2) -> st.SearchStrategy[str]:
    """Any selection on a type: fields in any order, again and again, under other names, left out and put in."""
    fields = {name: inner for name, inner in SELECTABLE[type_name].items() if depth or inner is None}
    one = st.sampled_from(sorted(fields)).flatmap(lambda name: field(name, fields[name], depth))
    return st.lists(one, min_size=1, max_size=5).map(lambda several: f"{{ {' '.join(several)} }}")


def field(name: str, inner: str | None, depth: int) -> st.SearchStrategy[str]:
    alias = st.sampled_from(["", f"{name}1: ", f"{name}2: "])
    directive = st.sampled_from(["", " @include(if: $yes)", " @skip(if: $yes)"])
    below = selections(inner, depth - 1) if inner else st.just("")
    return st.tuples(alias, directive, below).map(lambda parts: f"{parts[0]}{name}{parts[1]} {parts[2]}")


def tree(leaf: Any, **facts: Any) -> Tree:
    """A tree of this leaf, with some facts otherwise."""
    right = {"best": leaf, "leaves": [leaf, leaf], "places": [leaf, None], "words": [["a", "b"], []], "thing": leaf}
    return Tree(id=strawberry.ID("tree"), **(right | facts))


def leaf(**facts: Any) -> Leaf:
    """A leaf, with some facts otherwise than its type says."""
    right: dict[str, Any] = {
        "id": strawberry.ID("leaf"),
        "colour": Colour.RED,
        "number": 7,
        "fell_on": date(2026, 11, 22),
    }
    return Leaf(**(right | facts))


TREES = [
    tree(leaf()),
    tree(leaf(number=None, colour=Colour.GREEN)),
    tree(None, leaves=[], places=None, thing=leaf()),
    # and what no tree should be
    tree(leaf(colour=None)),
    tree(leaf(colour="nonsense")),
    tree(leaf(number="seven")),
    tree(leaf(fell_on="in autumn")),
    tree(leaf(), leaves=None),
    tree(leaf(), leaves=[leaf(), None]),
    tree(leaf(), words=[["a", None]]),
    tree(leaf(), words=7),
]


class Counting(Executor):
    """Counts the fields that go the long way."""

    long_way: list[str]

    def build_resolve_info(
        self, field_def: Any, field_nodes: list[FieldNode], parent_type: Any, path: Any
    ) -> GraphQLResolveInfo[Any]:
        self.long_way.append(field_nodes[0].name.value)
        return super().build_resolve_info(field_def, field_nodes, parent_type, path)


class Watching(SchemaExtension):
    """Sees every field, as a check of permissions would."""

    seen: ClassVar[list[str]] = []

    def resolve(self, _next: Any, root: Any, info: GraphQLResolveInfo[Any], *args: Any, **kwargs: Any) -> Any:
        self.seen.append(info.field_name)
        return _next(root, info, *args, **kwargs)


class Kept(Executor):
    """Tells what it keeps."""

    last: ClassVar[list["Kept"]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last[:] = [self]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def trees(self) -> AsyncGenerator[Tree, None]:
        for number in range(100):
            yield tree(leaf(number=number))


STRAWBERRYS = strawberry.Schema(query=Query, types=[Leaf])
OURS = strawberry.Schema(query=Query, types=[Leaf], execution_context_class=Executor)
WATCHED = strawberry.Schema(query=Query, types=[Leaf], execution_context_class=Executor, extensions=[Watching])
KEEPING = strawberry.Schema(query=Query, subscription=Subscription, types=[Leaf], execution_context_class=Kept)
COUNTING = strawberry.Schema(query=Query, types=[Leaf], execution_context_class=Counting)


async def _answer(schema: strawberry.Schema, document: str, found: Tree, **variables: Any) -> str:
    """All that a client would see, as text: the order of the fields counts too."""
    result = await schema.execute(document, {"yes": True} | variables, context_value=found)
    errors = [error.formatted for error in result.errors or ()]
    return json.dumps({"data": result.data, "errors": errors})


@settings(deadline=None)  # other tests may hold the processor
@given(selections("Tree"), st.sampled_from(TREES))
async def test_any_operation_is_answered_as_by_strawberry(selection: str, found: Tree) -> None:
    document = f"query ($yes: Boolean!) {{ tree {selection} never: tree @skip(if: $yes) {{ id }} }}"
    for yes in (True, False):
        ours = await _answer(OURS, document, found, yes=yes)
        assert ours == await _answer(STRAWBERRYS, document, found, yes=yes)


@given(selections("Tree"), st.integers(0, 9), st.integers(0, 9))
@settings(deadline=None)
async def test_an_operation_that_is_known_is_answered_by_what_is_asked_now(selection: str, one: int, two: int) -> None:
    document = f"query ($more: Int!) {{ tree {{ best {{ plus(more: $more) }} ...T }} }} fragment T on Tree {selection}"
    document = document.replace("@include(if: $yes)", "").replace("@skip(if: $yes)", "")
    for more, found in ((one, TREES[0]), (two, TREES[1]), (one, TREES[4]), (two, TREES[0])):
        ours = await _answer(OURS, document, found, more=more)
        assert ours == await _answer(STRAWBERRYS, document, found, more=more)


@pytest.mark.parametrize("found", TREES)
async def test_fragments_are_followed(found: Tree) -> None:
    document = """
        query ($yes: Boolean!) { tree { ...Best leaves { ... on Leaf @include(if: $yes) { number } } ...Best } }
        fragment Best on Tree { best { id } best { ...Colour } thing { ... on Leaf { fellOn } } }
        fragment Colour on Leaf { colour }"""
    assert await _answer(OURS, document, found) == await _answer(STRAWBERRYS, document, found)


async def _fields_the_long_way(selection: str) -> list[str]:
    Counting.long_way = []
    await _answer(COUNTING, f"{{ tree {selection} }}", tree(leaf()))
    return Counting.long_way


async def test_only_resolvers_and_what_holds_them_go_the_long_way() -> None:
    """Without this, all of the above would hold for an executor that does nothing."""
    assert await _fields_the_long_way("{ id words best { id colour } leaves { number } }") == ["tree"]
    assert await _fields_the_long_way("{ id best { id twice } }") == ["tree", "best", "twice"]
    assert await _fields_the_long_way("{ words later { colour } }") == ["tree", "later"]


async def test_an_extension_that_looks_at_every_field_sees_every_field() -> None:
    Watching.seen.clear()
    await _answer(WATCHED, "{ tree { id best { id } } }", tree(leaf()))
    assert Watching.seen == ["tree", "id", "best", "id"]


async def test_a_stream_keeps_no_more_after_a_hundred_events_than_after_one() -> None:
    kept = set()
    numbers = []
    async for result in await KEEPING.subscribe("subscription { trees { best { number } later { id } } }"):
        numbers.append(result.data["trees"]["best"]["number"])  # type: ignore[index]  # there is one
        executor = Kept.last[0]
        kept.add((len(executor.plans.divided), len(executor.plans.selected), len(executor._relevant_sub_fields)))
    assert numbers == list(range(100))
    assert len(kept) == 1


async def test_plans_hold_on_to_nothing_that_was_read() -> None:
    found = tree(leaf())
    is_there = weakref.ref(found)
    await _answer(OURS, "{ tree { id best { id twice } later { id } } }", found)
    del found
    gc.collect()
    assert is_there() is None


async def _plans(document: str) -> Plans:
    await _answer(KEEPING, document, tree(leaf()))
    return Kept.last[0].plans


async def test_plans_are_kept_and_do_not_grow() -> None:
    document = "{ tree { id best { id twice } later { id } } }"
    plans = await _plans(document)
    sizes = len(plans.selected), len(plans.divided)
    assert await _plans(document) is plans
    assert (len(plans.selected), len(plans.divided)) == sizes


@pytest.mark.parametrize("document", ["{ tree { id @skip(if: true) } }", "{ tree { id } } #" + 5000 * " "])
async def test_plans_that_may_change_and_plans_of_long_documents_are_not_kept(document: str) -> None:
    assert await _plans(document) is not await _plans(document)
