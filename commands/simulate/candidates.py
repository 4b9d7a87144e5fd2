"""A candidate's app: it plays one story, from booking to report or cancel, whatever the service does meanwhile."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from commands.simulate.door import App, Fault, Payload
from commands.simulate.play import (
    BREAK,
    CHOICE,
    OVER,
    SECTION,
    THROWN_OUT,
    News,
    Play,
    ended,
    until,
)
from commands.simulate.stories import Room, Story
from commands.simulate.streams import Stream
from models.consent import CONSENT_VERSION

EXAM = "IBT_HOME_2026"
PARTS = ["CAMERA", "MICROPHONE", "SPEAKER", "SCREEN", "NETWORK", "BROWSER"]
ZONES = ("Asia/Tokyo", "Asia/Kolkata", "Africa/Lagos", "America/Phoenix")  # without summer time
SECTIONS = 4
BREAK_AFTER = 2  # sections: Reading and Listening
DROPS_IN = 2  # the third section
AWAY_SECONDS = (18, 25)  # the service takes a connection for lost after 15
ANSWER_SECONDS = 120
LONGEST_AHEAD_SECONDS = 120
PAUSE_SECONDS = 0.5
INTERRUPTED_SECONDS = 5.0  # that it goes on is told
UNOFFICIAL = "query ($id: ID!) { sitting(id: $id) { unofficialScores { skill } } }"


class Candidate:
    """One candidate with one sitting."""

    def __init__(self, play: Play, app: App, room: Room, number: int) -> None:
        self.play = play
        self.app = app
        self.room = room
        self.zone = ZoneInfo(ZONES[number % len(ZONES)])
        self.id = ""
        self.state = "BOOKED"
        self.news = News()
        self.thrown_out = asyncio.Event()
        self.appointment_at: datetime
        self.stream: Stream
        self.asked_at: list[float] = []  # questions without an answer

    @property
    def story(self) -> Story:
        """How it goes."""
        return self.room.story

    # ---- before the appointment

    async def book(self, institution_id: str, seconds_ahead: float) -> None:
        """Book, name who gets the result, and check the system; the appointment is so many seconds ahead."""
        payload = await self._booked(institution_id, seconds_ahead)
        while payload["__typename"] == "InvalidInput" and seconds_ahead < LONGEST_AHEAD_SECONDS:
            seconds_ahead *= 2  # it came after the appointment: the machine is slow
            payload = await self._booked(institution_id, seconds_ahead)
        if "sitting" not in payload:
            raise Fault(payload)
        self.id = payload["sitting"]["id"]
        self.play.rooms[self.id] = self.room
        self.stream = self.play.stream(self.app, self.id)
        self.stream.heard = self._heard
        self.stream.open()
        for place in range(self.story.checks_failed):
            await self.app.insist("recordSystemCheck", sittingId=self.id, passed=PARTS[place + 1 :])
        await self.app.insist("recordSystemCheck", sittingId=self.id, passed=PARTS)

    async def _booked(self, institution_id: str, seconds_ahead: float) -> Payload:
        self.appointment_at = self.play.moment_in(seconds_ahead)
        return await self.app.insist(
            "bookSitting",
            examCode=EXAM,
            startsAt=self.appointment_at.astimezone(self.zone).replace(tzinfo=None).isoformat(),
            timezone=str(self.zone),
            institutionIds=[institution_id],
            consent={"version": CONSENT_VERSION, "language": "en"},
        )

    def _heard(self, event: Payload) -> None:
        self.state = event["state"]
        self.play.stands(self.id, self.state)
        if self.state in THROWN_OUT:
            self.thrown_out.set()
        if event["kind"] == "MESSAGE_SENT" and event["actor"] == "PROCTOR":  # it answers all that was asked before it
            now = asyncio.get_running_loop().time()
            self.play.answers += [now - asked_at for asked_at in self.asked_at]
            self.asked_at.clear()
        self.news.stir()

    # ---- the sitting

    async def sit(self) -> None:
        """Play the story; it ends where it ends, or where the proctor or the clock ends it."""
        if not self.story.comes:
            return
        playing = asyncio.create_task(self._play())
        thrown_out = asyncio.create_task(self.thrown_out.wait())
        try:
            await asyncio.wait({playing, thrown_out}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
        finally:
            await ended([playing, thrown_out])

    async def _play(self) -> None:
        await asyncio.sleep((self.appointment_at - self.play.door.now()).total_seconds())
        await self._do("startCheckIn", lambda sitting: sitting["state"] != "SYSTEM_CHECKED")
        await self._enter()
        for place in range(SECTIONS):
            await self._section(place)
            if self.room.is_empty:
                return
            if place + 1 == BREAK_AFTER and self.story.takes_break:
                await self._do("startBreak", lambda sitting: sitting["state"] == "ON_BREAK")
                if not self.story.back_in_time:
                    return
                await self.play.think(BREAK)
                await self._do("endBreak", lambda sitting: sitting["state"] == "IN_PROGRESS")
        await self._do("finishSitting", lambda sitting: sitting["state"] == "FINISHED")
        await self._choose()

    async def _do(self, name: str, is_done: Callable[[Payload], bool], expects: str = "", **input: object) -> Payload:
        """Order something until it is done; what is not possible yet, or while the line is down, is tried again."""
        while True:
            payload = await self.app.attempt(name, self.id, is_done, **input)
            if "sitting" in payload or payload["__typename"] == expects:
                return payload
            if payload["__typename"] != "SittingStateForbids":
                raise Fault(payload)
            sitting = await self.app.look(self.id)
            if is_done(sitting):
                return {"sitting": sitting}
            if sitting["state"] in OVER:
                await self.thrown_out.wait()
            await self.news.wait(INTERRUPTED_SECONDS if sitting["state"] == "INTERRUPTED" else PAUSE_SECONDS)

    async def _enter(self) -> None:
        """Begin the test with what the proctor reads out; after a slip with what is read out next."""
        while True:
            test_id, password = await self.room.opens.get()
            opens = {"testId": test_id, "password": password}
            done = await self._do("enterTest", _has_entered, "WrongTestPassword", **opens)
            if "sitting" in done:
                self.play.entered += 1
                return

    async def _section(self, place: int) -> None:
        def is_begun(sitting: Payload) -> bool:
            return bool(sitting["sectionsDone"] > place or "FINISH_SECTION" in sitting["possible"])

        await self._do("startSection", is_begun)
        await self.play.think(SECTION / 2)
        if place < self.story.questions:
            await self._ask(place)
        if place == DROPS_IN and self.story.drops:
            await self._drop()
        if self.room.is_empty:
            return
        await self.play.think(SECTION / 2)
        await self._do("finishSection", lambda sitting: sitting["sectionsDone"] > place)

    async def _ask(self, place: int) -> None:
        """Write to the proctor, wait for the answer, and read it."""
        self.asked_at.append(asyncio.get_running_loop().time())
        while not await self.app.write("sendMessage", self.id, f"May I drink some water in section {place + 1}?"):
            await self.news.wait(PAUSE_SECONDS)
        if not await until(lambda: not self.asked_at, self.news, ANSWER_SECONDS):
            raise Fault("No proctor answers.")
        await self.app.insist("markMessagesRead", sittingId=self.id)

    async def _drop(self) -> None:
        """Lose the line, by which signs of life go, for so long that it is noticed; some never come back."""
        self.room.is_empty = not self.story.comes_back
        await self.stream.close()
        if self.story.comes_back:
            await self.play.pause(*AWAY_SECONDS)
            self.stream.open()
            await self.app.insist("reportConnection", sittingId=self.id)

    async def _choose(self) -> None:
        """Look at the unofficial scores, then report them, or cancel them, which is asked twice."""
        await self.play.unofficial_scores(self.id)
        found = await self.app.ask(UNOFFICIAL, id=self.id)
        if len(found["sitting"]["unofficialScores"]) != 2:
            raise Fault("The unofficial scores are not shown.")
        await self.play.think(CHOICE)
        if self.story.cancels:
            asked = await self._do("cancelScores", lambda _: False)
            confirmation = asked["confirmation"]
            await self._do("cancelScores", lambda sitting: sitting["state"] == "CANCELLED", confirmation=confirmation)
            if not self.story.undoes:
                return
            await self._do("undoCancellation", lambda sitting: sitting["state"] == "FINISHED")
        await self._do("reportScores", lambda sitting: sitting["state"] == "REPORTED")
        await self.play.official_scores(self.id)


def _has_entered(sitting: Payload) -> bool:
    return bool(sitting["state"] != "CHECKING_IN")
