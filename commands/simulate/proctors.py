"""A proctor's app: it takes whoever waits, watches several at once, and does with each what its camera shows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from commands.simulate.door import TIMELINE, App, Fault, NotMine, Payload
from commands.simulate.play import CHECK_IN_STEP, OVER, News, Play, ended, until
from commands.simulate.stories import Room
from commands.simulate.streams import Stream

STEPS = ("DOCUMENT", "RULES", "SCREEN", "MIRROR", "ROOM", "BROWSER", "PASSWORD")
MOST_WATCHED = 8
LOOKS_EVERY = 3.0  # seconds, at the queue
WAIT_SECONDS = 5.0
SOON = (0.1, 0.5)  # seconds until something is noticed
TYPING = (0.5, 2.0)
MINE = "{ sittings { id state stepsConfirmed sectionsDone possible } }"
SEEN = f"query ($id: ID!) {{ sitting(id: $id) {{ {TIMELINE} }} }}"
CONNECTED = "{ proctors { id name } }"


@dataclass(slots=True)
class Watched:
    """A sitting that a proctor has, or had: where it stands is known by its events alone, all of them."""

    stream: Stream
    room: Room
    state: str = ""
    steps: int = 0
    sections: int = 0
    is_asked: bool = False  # and has not answered
    answers: int = 0
    news: News = field(default_factory=News)
    task: "asyncio.Task[None] | None" = None

    def hear(self, event: Payload) -> None:
        """Take in an event."""
        self.state = event["state"]
        self.steps += event["kind"] == "STEP_CONFIRMED"
        self.sections += event["kind"] == "SECTION_FINISHED"
        if event["kind"] == "MESSAGE_SENT":
            self.is_asked = event["actor"] == "CANDIDATE"
        self.news.stir()


class Proctor:
    """One proctor; `colleagues` are all of them by name, whom one can call on the telephone."""

    def __init__(self, play: Play, app: App, name: str, colleagues: "dict[str, Proctor]") -> None:
        self.play = play
        self.app = app
        self.name = name
        self.colleagues = colleagues
        self.watched: dict[str, Watched] = {}

    @property
    def busy_with(self) -> list[str]:
        """The sittings that are not over."""
        return [id for id, one in self.watched.items() if one.task is not None and not one.task.done()]

    async def work(self) -> None:
        """Take and watch, for ever."""
        try:
            while True:
                await self._take()
                await asyncio.sleep(LOOKS_EVERY * self.play.dice.uniform(0.5, 1.5))
                for one in self.watched.values():
                    if one.task is not None and one.task.done():
                        one.task.result()
        finally:
            await ended([one.task for one in self.watched.values() if one.task is not None])

    async def _take(self) -> None:
        """Take who waits, as many as one can watch; without an answer, look which ones one has."""
        while len(self.busy_with) < MOST_WATCHED:
            payload = await self.app.insist("takeNextSitting")
            if self.app.has_lost_answers:
                self.app.has_lost_answers = False
                await self._look_for_lost()
            if not payload.get("sitting"):
                return
            self.watch(payload["sitting"]["id"])

    async def _look_for_lost(self) -> None:
        """Those that are ours by an answer that was lost; the others in the list wait, and can be taken."""
        for sitting in (await self.app.ask(MINE))["sittings"]:
            if "TAKE" not in sitting["possible"] and sitting["state"] not in OVER:
                self.watch(sitting["id"])

    def watch(self, sitting_id: str) -> None:
        """Watch a sitting from now on; once more, where somebody else had it meanwhile."""
        there = self.watched.get(sitting_id)
        if sitting_id not in self.play.rooms or (there and there.task and not there.task.done()):
            return
        if there is None or there.stream.is_over:
            stream = self.play.stream(self.app, sitting_id)
            there = self.watched[sitting_id] = Watched(stream, self.play.rooms[sitting_id])
            stream.heard = there.hear
            stream.open()
        there.task = asyncio.create_task(self._watch(sitting_id, there))

    async def _watch(self, id: str, one: Watched) -> None:
        """Do what is to be done, and more when something happens, until it is over or another's."""
        try:
            while one.state not in OVER:
                if one.stream.is_over:
                    raise NotMine
                if not await self._deal_with(id, one):
                    await one.news.wait(WAIT_SECONDS)
                    await self.play.pause(*SOON)
            seen = (await self.app.ask(SEEN, id=id))["sitting"]
            if seen is not None:
                await one.stream.compare(seen["timeline"], is_all=False)
        except NotMine:
            self.play.taken_over += 1

    async def _deal_with(self, id: str, one: Watched) -> bool:
        """The next thing to do, if there is one."""
        if one.is_asked:
            await self._answer(id, one)
            return True
        match one.state:
            case "CHECKING_IN":
                return await self._check_in(id, one, one.steps)
            case "INTERRUPTED":
                return await self._bring_back(id, one)
            case "IN_PROGRESS":
                return await self._keep_an_eye_on(id, one)
        return False

    async def _answer(self, id: str, one: Watched) -> None:
        await self.play.pause(*TYPING)
        one.answers += 1
        one.is_asked = False
        await self.app.write("sendMessage", id, f"Answer {one.answers} of {self.name}: yes, you may.")

    # ---- the check-in

    async def _check_in(self, id: str, one: Watched, confirmed: int) -> bool:
        """Confirm the next step, once the candidate has shown it."""
        if confirmed == len(STEPS):
            return await self._read_out_again(id, one)
        await self.play.think(CHECK_IN_STEP)
        step = STEPS[confirmed]
        name = one.room.document() if step == "DOCUMENT" else ""

        def is_done(sitting: Payload) -> bool:
            return bool(sitting["stepsConfirmed"] > confirmed)

        payload = await self._order("confirmCheckInStep", id, is_done, step=step, nameOnDocument=name)
        if payload["__typename"] == "NameDiffers":
            return await self._refuse_name(id, one, name)
        if payload.get("testId"):
            one.room.read_out(payload["testId"], payload["testPassword"])
        await until(lambda: one.steps > confirmed, one.news, WAIT_SECONDS)
        return True

    async def _refuse_name(self, id: str, one: Watched, name: str) -> bool:
        """A name that is nearly the same is another one: another document, or the exam centre."""
        self.play.names_refused += 1
        if name == one.room.name:
            raise Fault("The right name was refused.")
        if one.room.is_hopeless:
            words = "The name on your document is spelled in another way."
            await self._order("endSitting", id, is_over, reason="NAME_DIFFERS", words=words)
        return not one.room.is_hopeless

    async def _read_out_again(self, id: str, one: Watched) -> bool:
        """What opens the test may have been lost on the way to us: then it is released anew."""
        if one.room.has_heard:
            return False
        payload = await self._order("releaseTestAgain", id, lambda _: False)
        if payload.get("testId"):
            one.room.read_out(payload["testId"], payload["testPassword"])
        return True

    # ---- the test

    async def _bring_back(self, id: str, one: Watched) -> bool:
        """Let the candidate go on who is back; end the sitting of one who is gone."""
        if one.room.is_empty:
            words = "You did not come back, and could not be reached by telephone."
            await self._order("endSitting", id, is_over, reason="CANNOT_BE_RESUMED", words=words)
        elif "RESUME" in (await self.app.look(id))["possible"]:
            await self._order("resumeSitting", id, lambda sitting: sitting["state"] == "IN_PROGRESS")
        return False

    async def _keep_an_eye_on(self, id: str, one: Watched) -> bool:
        """Note what happens, hand over, declare invalid, as the story goes."""
        story = one.room.story
        if story.incident and not one.room.is_noted and one.sections >= 1:
            one.room.is_noted = True
            await self.app.write("noteIncident", id, "Somebody was heard to speak.")
        elif story.cheats and one.sections >= 3:
            words = "Somebody in your room told you the answers."
            await self._order("invalidateSitting", id, is_over, reason="SUSPICIOUS_CONDUCT", words=words)
        elif story.handed_over and not one.room.is_handed_over and one.sections >= 1:
            await self._hand_over(id, one)
        return False

    async def _hand_over(self, id: str, one: Watched) -> None:
        """Give it to the colleague who is connected and has least to do, and say so."""
        connected = (await self.app.ask(CONNECTED))["proctors"]
        there = [(len(self.colleagues[p["name"]].busy_with), p["name"], p["id"]) for p in connected]
        known = [(busy, name, proctor_id) for busy, name, proctor_id in there if busy < MOST_WATCHED]
        if not known:
            return
        _, name, proctor_id = min(known)
        one.room.is_handed_over = True
        try:
            payload = await self._order("handOverSitting", id, lambda _: False, proctorId=proctor_id)
            one.room.is_handed_over = payload["__typename"] == "SittingHandedOver"
        except NotMine:
            pass  # done, and the answer was lost
        if one.room.is_handed_over:
            self.play.handed_over += 1
            self.colleagues[name].watch(id)

    async def _order(self, name: str, id: str, is_done: Callable[[Payload], bool], **input: object) -> Payload:
        """Order something; what does not fit any more is no fault: somebody else was first."""
        payload = await self.app.attempt(name, id, is_done, **input)
        if payload["__typename"] in ("NotLoggedIn", "NotAllowed"):
            raise Fault(payload)
        return payload


def is_over(sitting: Payload) -> bool:
    """Whether it needs no proctor any more."""
    return sitting["state"] in OVER
