"""Sittings as far as a test needs them: everything by the resolvers that candidates and proctors use."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from engine.database import Row
from models.candidate import Candidate
from models.sittings.check_in import STEPS, Step
from models.sittings.proctoring import Part
from models.sittings.sitting import Sitting
from models.sittings.states import SittingState
from models.sittings.table import Facts
from models.verifier import StaffRole, StaffUser
from models.viewer import Kind, Viewer
from resolvers.sittings import bookings, check_ins, proctoring, running, views
from resolvers.sittings.bookings import Appointment
from resolvers.sittings.check_ins import Released
from schema.ids import global_id
from tests.conftest import ControlledClock
from tests.world import World

EXAM = "IBT_HOME_2026"
ALL_SKILLS = ["READING", "LISTENING", "SPEAKING", "WRITING"]
IN_TOKYO = datetime(2026, 11, 25, 10, 0)  # noqa: DTZ001  # what the clock on the wall shows
HERE = Appointment(EXAM, IN_TOKYO, "Asia/Tokyo")


class Home:
    """One candidate with one sitting, and one proctor."""

    def __init__(self, world: World, clock: ControlledClock) -> None:
        self.world = world
        self.clock = clock
        self.candidate: Candidate
        self.staff: StaffUser
        self.id: UUID
        self.released: Released

    @classmethod
    async def booked(cls, world: World, clock: ControlledClock, appointment: Appointment = HERE, **name: Any) -> "Home":
        """A sitting in three days, and a proctor who does not have it yet."""
        home = cls(world, clock)
        home.candidate = await world.candidate(**name)
        home.staff = await proctor_of(world)
        home.id = (await bookings.book(home.viewer, appointment)).sitting["id"]
        return home

    @property
    def viewer(self) -> Viewer:
        """The candidate, now."""
        return self.world.viewer(Kind.CANDIDATE, self.candidate.id)

    @property
    def proctor(self) -> Viewer:
        """The proctor, now."""
        return self.world.viewer(Kind.PROCTOR, self.staff.id)

    @property
    def board(self) -> Viewer:
        """Somebody of the board's staff, now."""
        return self.world.viewer(Kind.STAFF, self.staff.id, is_board=True)

    @property
    def gid(self) -> str:
        """Its id as clients know it."""
        return str(global_id("Sitting", self.id))

    async def row(self) -> Row:
        """The sitting as its candidate sees it."""
        return (await views.by_ids(self.viewer, [self.id]))[self.id]

    async def stands(self) -> str:
        """Where it stands at this moment."""
        return views.facts_at(await self.row(), self.clock()).state.value

    async def told(self, viewer: Viewer | None = None) -> list[str]:
        """What the timeline tells."""
        return [event["kind"] for event in await views.timeline(viewer or self.viewer, self.id)]

    async def check_system(self) -> None:
        await bookings.record_system_check(self.viewer, self.id, list(Part))

    async def come(self, late: timedelta = timedelta(0)) -> None:
        """Check the system, wait for the appointment, and start the check-in."""
        await self.check_system()
        self.clock.now = (await self.row())["appointment_at"] + late
        await self.start()

    async def start(self) -> None:
        """Start the check-in, and wait for a proctor."""
        await check_ins.start(self.viewer, self.id)

    async def taken(self) -> None:
        """Come, and be taken by the proctor."""
        await self.come()
        assert await proctoring.take_next(self.proctor) == self.id

    async def confirm(self, *steps: Step) -> None:
        for step in steps:
            name = f"{self.candidate.given_name} {self.candidate.family_name}"
            done = await check_ins.confirm_step(self.proctor, self.id, step, name)
            if done.released:
                self.released = done.released

    async def begun(self) -> None:
        """Come, be checked in, and begin the test."""
        await self.taken()
        await self.confirm(*STEPS)
        await check_ins.enter_test(self.viewer, self.id, self.released.test_id, self.released.password)

    async def sections(self, count: int) -> None:
        """Take so many sections, one after the other."""
        for _ in range(count):
            await running.start_section(self.viewer, self.id)
            await running.finish_section(self.viewer, self.id)

    async def finished(self) -> Facts:
        """Take the whole test."""
        await self.begun()
        await self.sections(4)
        return await running.finish(self.viewer, self.id)


async def proctor_of(world: World, **facts: Any) -> StaffUser:
    """A proctor."""
    return await world.staff(role=StaffRole.PROCTOR, **facts)


def at(viewer: Viewer, moment: datetime) -> Viewer:
    """The same viewer at another moment."""
    return replace(viewer, at=moment)


async def row_of(world: World, candidate: Candidate, state: SittingState, **facts: Any) -> Sitting:
    """The row of a sitting in this state, as if it had come there; its appointment is now."""
    now = world.clock()
    known: dict[str, Any] = {"exam_id": EXAM, "timezone": "Asia/Tokyo", "sections": ALL_SKILLS, "booked_at": now}
    known |= {"appointment_at": now, "since": now}
    return await Sitting.create(candidate_id=candidate.id, state=state, **known | facts)


async def booked(world: World) -> Sitting:
    """The row of a sitting that somebody has booked."""
    viewer = world.viewer(Kind.CANDIDATE, (await world.candidate()).id)
    return await Sitting.get(id=(await bookings.book(viewer, HERE)).sitting["id"])
