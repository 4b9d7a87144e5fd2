"""Every refusal reaches its client as data: whatever an order can raise is in its union, and nothing else is."""

from functools import cache
from typing import Any

import pytest
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition

import errors
from schema.build import schema
from schema.entities import ENTITIES
from schema.extensions import EXPECTED
from schema.refusals import TYPES
from tests.printed import fields_of, implements, payload_of
from tests.reading import Program, sources


def refusals() -> dict[str, frozenset[str]]:
    """Every refusal by name, with the names of what it is a kind of."""

    def below(kind: type[errors.Refusal]) -> list[type[errors.Refusal]]:
        return [one for child in kind.__subclasses__() for one in (child, *below(child))]

    return {kind.__name__: frozenset(base.__name__ for base in kind.__mro__) for kind in below(errors.Refusal)}


@cache
def program() -> Program:
    return Program(sources("schema", "resolvers", "models", "engine"), refusals())


def path_of(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def resolvers_of(definition: StrawberryObjectDefinition) -> dict[str, str]:
    """The function behind each field of a type, where there is one."""
    fields = [field for field in definition.fields if field.base_resolver is not None]
    name = schema.config.name_converter.get_graphql_name
    return {name(field): path_of(field.base_resolver.wrapped_func) for field in fields if field.base_resolver}


@cache
def orders() -> dict[str, str]:
    """Every mutation, and the function behind it."""
    return resolvers_of(get_object_definition(schema.mutation, strict=True))


@cache
def reads() -> dict[str, str]:
    """Every other field with a function behind it, and every way to an entity."""
    definitions = [
        one.definition
        for one in schema.schema_converter.type_map.values()
        if isinstance(one.definition, StrawberryObjectDefinition) and one.definition.name != "Mutation"
    ]
    fields = {
        f"{one.name}.{name}": path
        for one in definitions
        for name, path in resolvers_of(one).items()
        if not name.startswith("_") and not one.name.startswith("_")  # federation's own
    }
    return fields | {f"_entities {name}": path_of(one.resolve_reference) for name, one in ENTITIES.items()}


@cache
def unions() -> dict[str, frozenset[str]]:
    """The refusals that each mutation's union lists."""
    members = {name: payload_of(name).types for name in fields_of("Mutation")}
    return {name: frozenset(one.name for one in all if implements(one, "Refusal")) for name, all in members.items()}


def missing(mutation: str, listed: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The refusals that a mutation can raise and its union does not list, each with the way it comes."""
    return {name: way for name, way in program().raised_by(orders()[mutation]).items() if name not in listed}


def test_every_mutation_has_its_function() -> None:
    assert set(orders()) == set(unions())
    assert set(orders().values()) <= set(program().bodies)


@pytest.mark.parametrize("mutation", orders())
def test_a_mutation_lists_every_refusal_that_it_can_raise(mutation: str) -> None:
    assert missing(mutation, unions()[mutation]) == {}


@pytest.mark.parametrize("mutation", orders())
def test_a_mutation_lists_no_refusal_that_cannot_happen(mutation: str) -> None:
    assert unions()[mutation] - set(program().raised_by(orders()[mutation])) == frozenset()


@pytest.mark.parametrize(
    ("mutation", "refusal"), [(name, one) for name, all in unions().items() for one in sorted(all)]
)
def test_a_refusal_that_is_dropped_from_a_union_is_missed(mutation: str, refusal: str) -> None:
    assert set(missing(mutation, unions()[mutation] - {refusal})) == {refusal}


@pytest.mark.parametrize("read", reads())
def test_a_read_refuses_only_with_a_code(read: str) -> None:
    """A read answers null; what it raises all the same must be told with a code, and not as a fault of ours."""
    coded = {kind.__name__ for kind in EXPECTED}
    uncoded = {name: way for name, way in program().raised_by(reads()[read]).items() if name not in coded}
    assert uncoded == {}


def test_every_refusal_can_happen_somewhere() -> None:
    raised = [set(program().raised_by(function)) for function in orders().values()]
    assert set(refusals()) - set().union(*raised) == set()


def test_every_refusal_has_a_type_of_its_own_name_with_its_facts() -> None:
    """The handler reads each field of the type from the exception: a fact that is not there would be a bug."""
    assert {kind.__name__ for kind in TYPES} == set(refusals())
    for kind, type_ in TYPES.items():
        assert type_.__name__ == kind.__name__
        fields = {field.python_name for field in get_object_definition(type_, strict=True).fields} - {"message"}
        assert fields <= set(kind.__init__.__code__.co_names), kind.__name__


# ---- the reader itself, on code made up for it

HEAD = """
import contextlib
import errors
from errors import LinkNotValid, NotAllowed, Refusal, WrongNumbers
from models.paper import Paper, Stamped, check
from models import paper as papers
"""
PAPER = """
from errors import NotAllowed, NotLoggedIn, WrongNumbers
class Paper:
    def lend(self): raise NotAllowed
    def sign(self): self.lend()
    @property
    def reader(self): raise NotLoggedIn
    @classmethod
    def of(cls): return cls.lend
class Stamped(Paper):
    def __post_init__(self): raise WrongNumbers
def check(): raise WrongNumbers
RULES = {"check": check}
"""
SHAPES = {
    "raise NotAllowed": {"NotAllowed"},
    "raise WrongNumbers()": {"WrongNumbers"},
    "raise errors.AlreadyRegistered": {"AlreadyRegistered"},
    "return NotAllowed()": {"NotAllowed"},
    "check()": {"WrongNumbers"},
    "await papers.check()": {"WrongNumbers"},
    "later(check)": {"WrongNumbers"},
    "papers.RULES[x]()": {"WrongNumbers"},
    "return [check() for _ in x]": {"WrongNumbers"},
    "return lambda: check()": {"WrongNumbers"},
    "x.sign()": {"NotAllowed"},
    "return x.y.reader": {"NotLoggedIn"},
    "Paper.of()": {"NotAllowed"},
    "Stamped()": {"WrongNumbers"},
    "Stamped.sign(x)": {"NotAllowed"},
    "try: check()\n  except WrongNumbers: pass": set(),
    "try: check()\n  except Refusal: pass": set(),
    "try: check()\n  except (ValueError, errors.WrongNumbers): pass": set(),
    "try: check()\n  except LinkNotValid: pass": {"WrongNumbers"},
    "try: check()\n  except WrongNumbers: raise": {"WrongNumbers"},
    "try: check()\n  except WrongNumbers as error: raise error": {"WrongNumbers"},
    "try: check()\n  except WrongNumbers: raise NotAllowed from None": {"NotAllowed"},
    "try: pass\n  finally: check()": {"WrongNumbers"},
    "with contextlib.suppress(WrongNumbers): check()": set(),
    "async with x(check): pass": {"WrongNumbers"},
    "return isinstance(x, WrongNumbers)": set(),
    "y: NotAllowed = x": set(),
    "return x": set(),
}


@pytest.mark.parametrize("body", SHAPES)
def test_the_reader_finds_refusals_however_they_are_raised(body: str) -> None:
    shop = f"{HEAD}\nasync def order(x: NotAllowed) -> None:\n  {body}\n"
    made_up = Program({"resolvers.shop": shop, "models.paper": PAPER}, refusals())
    assert set(made_up.raised_by("resolvers.shop.order")) == SHAPES[body]


def test_the_reader_tells_the_way_a_refusal_comes() -> None:
    shop = f"{HEAD}\nasync def order(x: Paper) -> None:\n  x.sign()\n"
    made_up = Program({"resolvers.shop": shop, "models.paper": PAPER}, refusals())
    assert made_up.raised_by("resolvers.shop.order") == {
        "NotAllowed": ("resolvers.shop.order", "models.paper.Paper.sign", "models.paper.Paper.lend")
    }
