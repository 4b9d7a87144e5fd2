"""Whatever happens to a result, those who hold a version that ended are told, and nobody else is (R11, S10)."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from starlette.applications import Starlette

from errors import Refusal
from models.institution import Institution
from models.result import Result
from models.version import HolderNotice
from models.viewer import Kind, Viewer
from resolvers import corrections, shares, withdrawals
from resolvers.corrections import Facts, Order
from tests.client import Client
from tests.conftest import ControlledClock
from tests.scene import WAYS, Asker, Scene, scene_of, told_by
from tests.test_corrections import Case, case_of
from tests.world import World, gid

# What each version's overall score was; the first is that of the world's results.
SCORES = [168, *range(181, 200)]
OFFICES = 2


@dataclass
class History:
    """A result and what happened to it, with what it should have come to, kept by the plainest of means."""

    case: Case
    offices: list[Institution]
    shared: dict[int, Any] = field(default_factory=dict)  # office -> its live share
    held: set[tuple[int, int]] = field(default_factory=set)  # (office, version) that was read
    told: set[tuple[int, int]] = field(default_factory=set)
    version: int = 1
    score: int = SCORES[0]
    status: str = "RELEASED"

    @classmethod
    async def begun(cls, world: World, clock: ControlledClock) -> "History":
        """A released result that nobody has got yet."""
        case = await case_of(world, clock, shared=False)
        return cls(case, [await world.institution() for _ in range(OFFICES)])

    # ---- what can happen

    async def share(self, office: int) -> None:
        """The candidate sends it; only what stands released can be sent."""
        if self.status == "RELEASED" and office not in self.shared:
            self.shared[office] = await self.case.world.share(self.case.result, self.offices[office])

    async def withdraw(self, office: int) -> None:
        """The candidate takes it back; what was read stays read."""
        if office in self.shared:
            viewer = self.case.world.viewer(Kind.CANDIDATE, self.case.candidate.id)
            await withdrawals.withdraw(viewer, self.shared.pop(office))

    async def read(self, office: int) -> None:
        """A verifier opens it, and is shown the version that stands."""
        if office in self.shared:
            row = await shares.open_share(self.verifier(office), self.shared[office])
            assert row["version"] == self.version
            self.held.add((office, self.version))

    async def amend(self, _: int) -> None:
        """The board corrects the score."""
        score = next(one for one in SCORES[1:] if one > self.score) if self.score < SCORES[-1] else SCORES[1]
        if await self._correct("AMENDED", {"RELEASED", "WITHHELD"}, self.status, score):
            self.score = score

    async def withhold(self, _: int) -> None:
        await self._correct("WITHHELD", {"RELEASED"}, "WITHHELD")

    async def release_again(self, _: int) -> None:
        await self._correct("RELEASED_AGAIN", {"WITHHELD"}, "RELEASED")

    async def revoke(self, _: int) -> None:
        await self._correct("REVOKED", {"RELEASED", "WITHHELD"}, "REVOKED")

    async def _correct(self, change: str, allowed: set[str], then: str, score: int = 0) -> bool:
        """One correction, which is refused exactly where the state does not allow it; tells whether it was done."""
        order = Order(self.case.result.id, self.version, "Because.")
        try:
            if change == "AMENDED":
                await corrections.amend(self.case.viewer, order, Facts(overall_score=score))
            else:
                await ORDERS[change](self.case.viewer, order)
        except Refusal:
            assert self.status not in allowed, (change, self.status)
            return False
        assert self.status in allowed, (change, self.status)
        self.told |= {(office, version) for office, version in self.held if version == self.version}
        self.version, self.status = self.version + 1, then
        return True

    # ---- what holds

    def verifier(self, office: int) -> Viewer:
        """A user of the office, at this moment."""
        return self.case.world.viewer(Kind.VERIFIER, self.case.result.id, institution_id=self.offices[office].id)

    async def check(self) -> None:
        """That those who were told are those who held what ended, and that whoever looks sees what stands."""
        numbers = {office.id: number for number, office in enumerate(self.offices)}
        notices = await HolderNotice.filter(result_id=self.case.result.id)
        assert {(numbers[one.institution_id], one.version) for one in notices} == self.told
        assert len(notices) == len(self.told)
        for office, share_id in self.shared.items():
            row = (await shares.by_ids(self.verifier(office), [share_id]))[share_id]
            assert (row["version"], row["overall_score"]) == (self.version, self.score)
            ended = await corrections.versions_of(self.verifier(office), [self.case.result.id])
            assert {one["version"] for one in ended.get(self.case.result.id, [])} == set(range(1, self.version))
        for office in set(range(OFFICES)) - self.shared.keys():
            assert await corrections.versions_of(self.verifier(office), [self.case.result.id]) == {}
            assert await corrections.notices_of(self.verifier(office), [self.case.result.id]) == {}


ORDERS = {
    "WITHHELD": corrections.withhold,
    "RELEASED_AGAIN": corrections.release_again,
    "REVOKED": corrections.revoke,
}
# Revoking ends a history: it comes seldom.
OFTEN = {"share": 8, "read": 12, "amend": 6, "withhold": 4, "release_again": 6, "withdraw": 3, "revoke": 1}
HAPPENINGS = [name for name, times in OFTEN.items() for _ in range(times)]
# One that has everything, whatever chance brings.
EVERYTHING = [
    "share",
    "read",
    "amend",
    "read",
    "withhold",
    "read",
    "release_again",
    "withdraw",
    "amend",
    "share",
    "read",
]
FULL = [(name, office) for name in [*EVERYTHING, "revoke", "amend"] for office in range(OFFICES)]
# Long ones: left to itself hypothesis makes lists of five, in which hardly anybody reads what is corrected afterwards.
HISTORIES = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, OFFICES - 1)), min_size=30, max_size=40)


@example(history=FULL)
@given(history=HISTORIES)
@examples(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_told_are_exactly_those_who_held_the_version_that_ended(
    open_database: None, world: World, clock: ControlledClock, history: list[tuple[str, int]]
) -> None:
    """R11: in any history; and late readers, of whom there are none here, are not made up."""
    it = await History.begun(world, clock)
    for happening, office in history:
        clock.forward(seconds=1)
        await getattr(it, happening)(office)
        await it.check()
    assert await corrections.tell_late_holders(clock()) == 0


# ---- no path shows the old value


@pytest.mark.parametrize("who", ["candidate", "home user"])
@pytest.mark.parametrize("name", ["amend", "withhold", "release again", "revoke"])
async def test_no_path_shows_an_old_value_after_a_correction(
    name: str, who: str, app: Starlette, client: Client, world: World, clock: ControlledClock
) -> None:
    """R11: and wherever the result is shown, its version and what it superseded are shown too."""
    scene = await scene_of(world)
    result = scene.rows["result 1"]
    if name == "release again":
        await Result.filter(id=result.id).update(withheld_at=clock())
    await correct(scene, name)
    told = await reads(scene, app, client, who)
    old = scene.texts["award 1"] | scene.texts["old award 1"]
    for way, answer in told.items():
        holding = {text for text in old if answer.holds(text)}
        assert holding <= (scene.texts["award 1"] if name == "release again" else set()), way
        shown = [one for one in answer.objects() if one.get("id") == gid(result) and "versions" in one]
        assert all([one["version"] for one in result["versions"]] == [2, 1] for result in shown), way
        assert all(one["version"] == 3 for one in shown), way
    ways = {way for way, answer in told.items() if any(one.get("id") == gid(result) for one in answer.objects())}
    assert ways >= {"Query.result", "Query.node Result", "Query._entities Result"}
    assert who == "candidate" or ways >= {"Query.inbox", "Query.share", "Subscription.newShares"}


async def correct(scene: Scene, name: str) -> None:
    """One correction of the candidate's first result, which stands in its second version."""
    viewer = scene.world.viewer(Kind.STAFF, scene.rows["staff"].id, is_board=True)
    order = Order(scene.rows["result 1"].id, 2, "Because.")
    if name == "amend":
        await corrections.amend(viewer, order, Facts(overall_score=185, certificate_number="C26000002"))
    else:
        await ORDERS[{"withhold": "WITHHELD", "release again": "RELEASED_AGAIN"}.get(name, "REVOKED")](viewer, order)


async def reads(scene: Scene, app: Starlette, client: Client, who: str) -> dict[str, Any]:
    """What one asker is told by all ways that change nothing."""
    asker = Asker(scene.tokens[who])
    names = [name for name in WAYS if not name.startswith("Mutation.")]
    return {name: await told_by(name, scene, app, client, asker) for name in names}
