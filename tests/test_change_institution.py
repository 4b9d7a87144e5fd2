"""What the board's staff change of an institution, and what it is found by then (S1, S2)."""

from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette

from models.institution import Institution, InstitutionStatus
from tests.client import Client
from tests.world import World, gid

CHANGED = """... on InstitutionChanged { institution {
    id name department shownAs kind country city website timezone aliases parent { id } } }
    ... on InvalidInput { problems { path message } }"""


@dataclass
class Desk:
    """The board's staff, and an institution."""

    world: World
    client: Client
    board: Client
    institution: Institution

    async def change(self, **wishes: Any) -> Any:
        """The answer to a change."""
        return await self.board.order("changeInstitution", CHANGED, **{"id": gid(self.institution)} | wishes)

    async def found(self, search: str) -> list[str]:
        """The names of the institutions that candidates find."""
        answer = await self.client.ask("query ($s: String!) { institutions(search: $s) { shownAs } }", s=search)
        return [one["shownAs"] for one in answer["institutions"]]


@pytest.fixture
async def desk(app: Starlette, client: Client, world: World) -> Desk:
    """The desk."""
    board = client.as_(await world.token(await world.staff()))
    return Desk(world, client, board, await world.institution("Kamome University", aliases=["鴎大学"]))


async def test_every_fact_can_be_changed_and_the_others_stay(desk: Desk) -> None:
    """S2"""
    parent = await desk.world.institution()
    wishes: dict[str, Any] = {
        "name": "Kamome Daigaku", "department": "Law", "kind": "EMPLOYER", "country": "US", "city": "Boston",
        "website": "https://kamome.example", "timezone": "America/New_York", "aliases": ["かもめ", "Kamome U"],
    }  # fmt: skip
    before = (await desk.change())["institution"]
    for name, value in wishes.items():
        after = (await desk.change(**{name: value}))["institution"]
        assert after[name] == value
        assert {key for key in after if after[key] != before[key]} <= {name, "shownAs"}
        before = after
    assert (await desk.change(parentId=gid(parent)))["institution"]["parent"] == {"id": gid(parent)}
    assert (await desk.change(city="Salem"))["institution"]["parent"] == {"id": gid(parent)}
    last = (await desk.change(isMain=True, department=" "))["institution"]
    assert (last["parent"], last["department"]) == (None, None)


async def test_it_is_found_by_its_new_names_and_by_no_old_ones(desk: Desk) -> None:
    """S1: in any script; what was not changed is still found."""
    assert await desk.found("鴎") == ["Kamome University"]
    await desk.change(name="Tsubame University")
    assert (await desk.found("kamome"), await desk.found("鴎")) == ([], ["Tsubame University"])
    await desk.change(aliases=["كامومي", "Καμόμε"], department="Law")
    found = [await desk.found(search) for search in ("鴎", "كامو", "καμομε", "law")]
    assert found == [[], *[["Tsubame University, Law"]] * 3]


async def test_what_it_looks_like_is_kept_with_its_name(desk: Desk) -> None:
    """O4: for the flags of applications."""
    before = await Institution.get()
    await desk.change(name="Tsubame", website="https://www.tsubame.ac.jp")
    after = await Institution.get()
    assert (before.skeleton, before.domain) != (after.skeleton, after.domain)
    assert after.domain == "tsubame.ac.jp"


@pytest.mark.parametrize(
    ("wishes", "path"),
    [
        ({"name": " "}, "name"),
        ({"city": ""}, "city"),
        ({"country": "XX"}, "country"),
        ({"website": "ftp://a.example"}, "website"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"aliases": ["ok", "?"]}, "aliases"),
        ({"aliases": [f"Alias {number}" for number in range(51)]}, "aliases"),
        ({"parentId": "nobody"}, "parentId"),
    ],
)
async def test_a_fault_is_told_and_nothing_changes(desk: Desk, wishes: dict[str, Any], path: str) -> None:
    answer = await desk.change(**{"department": "Law"} | wishes)
    assert [problem["path"] for problem in answer["problems"]] == [path]
    assert (await Institution.get()).department is None
    assert await desk.found("鴎") == ["Kamome University"]


async def test_departments_are_one_level_deep(desk: Desk) -> None:
    """S2: no institution is a department of itself, by whatever way."""
    department = await desk.world.institution(parent_id=desk.institution.id)
    applied = await desk.world.institution(status=InstitutionStatus.APPLIED, approved_at=None)
    for parent in (desk.institution, department, applied):
        answer = await desk.change(parentId=gid(parent))
        assert [problem["path"] for problem in answer["problems"]] == ["parentId"]
    other = await desk.change(id=gid(applied), parentId=gid(department))
    assert [problem["path"] for problem in other["problems"]] == ["parentId"]
    with_departments = await desk.change(parentId=gid(await desk.world.institution()))
    assert [problem["path"] for problem in with_departments["problems"]] == ["parentId"]


@pytest.mark.parametrize("who", ["stranger", "candidate", "verifier", "centre"])
async def test_only_the_boards_staff_change_institutions_and_see_aliases(desk: Desk, who: str) -> None:
    world = desk.world
    owners: dict[str, Any] = {
        "candidate": await world.candidate(),
        "verifier": await world.verifier(desk.institution),
        "centre": await world.staff(centre=await world.centre()),
    }
    desk.board = desk.client.as_(await world.token(owners[who]) if who in owners else None)
    assert (await desk.change(name="Mine"))["__typename"] == ("NotLoggedIn" if who == "stranger" else "NotAllowed")
    seen = await desk.board.ask('{ institutions(search: "kamome") { aliases } }')
    assert seen["institutions"] == [{"aliases": None}]


async def test_one_that_was_merged_or_is_not_there_cannot_be_changed(desk: Desk) -> None:
    kept = await desk.world.institution()
    merged = await desk.world.institution(status=InstitutionStatus.MERGED, merged_into_id=kept.id)
    for id in (gid(merged), "x"):
        assert (await desk.change(id=id, city="Kobe"))["__typename"] == "InstitutionNotFound"
