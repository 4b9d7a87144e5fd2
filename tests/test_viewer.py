"""Who is asking, and the rule that decides what they see."""

from importlib import import_module
from inspect import getmembers, isclass
from typing import Any
from uuid import UUID

import pytest

from engine.database import ROOMS, numbered
from errors import NotAllowed, NotLoggedIn
from models.entry import Entry
from models.institution import Institution
from models.result import Result
from models.viewer import Kind, Viewer, visible
from tests.conftest import START
from tests.world import World

SOMEBODY = UUID("00000000-0000-7000-8000-000000000001")
INSIDE = [found for room in ROOMS for _, found in getmembers(import_module(room), isclass) if found.__module__ == room]
ROWS: dict[str, Any] = {found.__name__: found for found in INSIDE if hasattr(found, "visible_to")}


def viewer(kind: Kind) -> Viewer:
    return Viewer(kind, START, id=None if kind is Kind.ANONYMOUS else SOMEBODY, institution_id=SOMEBODY)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.ANONYMOUS}, key=str), ids=str)
def test_a_viewer_must_be_of_the_kind_that_an_order_is_for(kind: Kind) -> None:
    assert viewer(kind).must_be(kind) == SOMEBODY
    for other in set(Kind) - {kind}:
        with pytest.raises(NotAllowed):
            viewer(kind).must_be(other)


@pytest.mark.parametrize("kind", Kind, ids=str)
def test_a_stranger_must_log_in_whatever_the_order_is_for(kind: Kind) -> None:
    with pytest.raises(NotLoggedIn):
        viewer(Kind.ANONYMOUS).must_be(kind)


def test_a_kind_that_a_rule_does_not_name_sees_nothing() -> None:
    assert str(visible(Result, viewer(Kind.WORKER), {Kind.STAFF: "true"})) == "(false)"


@pytest.mark.parametrize("name", ROWS)
def test_a_stranger_sees_institutions_and_nothing_else(name: str) -> None:
    """Nor does a worker, which reads what its job names and asks for no one."""
    assert (str(ROWS[name].visible_to(viewer(Kind.ANONYMOUS))) != "(false)") == (name == "Institution")
    assert str(ROWS[name].visible_to(viewer(Kind.WORKER))) == "(false)"


@pytest.mark.parametrize("kind", Kind, ids=str)
@pytest.mark.parametrize("name", ROWS)
def test_a_rule_comes_with_the_values_that_it_names_and_no_others(name: str, kind: Kind) -> None:
    """Two rules can so be put into one statement."""
    rule = ROWS[name].visible_to(viewer(kind))
    assert set(rule.named) == set(numbered(str(rule))[1])


async def test_a_row_is_found_only_by_those_who_may_see_it(open_database: None, world: World) -> None:
    result = await world.result()
    entry = await Entry.get(id=result.entry_id)
    own = world.viewer(Kind.CANDIDATE, entry.candidate_id)
    assert await Result.visible_to(own).get_or_none(result.id) == result
    assert await Result.visible_to(own).get_or_none(result.id, lock="FOR UPDATE") == result
    assert await Result.visible_to(own).get_or_none(SOMEBODY) is None
    assert await Result.visible_to(viewer(Kind.CANDIDATE)).get_or_none(result.id) is None


async def test_a_row_that_is_found_is_whole(open_database: None, world: World) -> None:
    institution = await world.institution("Aoba Gakuin University", department="Faculty of Letters")
    found = await Institution.visible_to(viewer(Kind.ANONYMOUS)).get_or_none(institution.id)
    assert found is not None
    there = await Institution.get(id=institution.id)
    assert [getattr(found, name) for name in Institution._meta.fields_db_projection] == [
        getattr(there, name) for name in Institution._meta.fields_db_projection
    ]
