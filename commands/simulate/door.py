"""The door as apps know it: questions and orders by HTTP, and what to do when an answer is lost."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpcore2
import orjson

from engine.clock import system_clock

Payload = dict[str, Any]
SITTING = "sitting { id state stepsConfirmed sectionsDone possible }"
LOOK = "query ($id: ID!) { sitting(id: $id) { id state stepsConfirmed sectionsDone possible } }"
TIMELINE = "timeline { kind state happenedAt actor detail }"
# Input and success of the orders that do not take a sitting and answer it.
TEXT, END = "SittingNoteInput", "EndSittingInput"
INPUTS = {
    "logInStaff": "LogInStaffInput", "logInVerifier": "LogInByEmailInput", "register": "RegisterInput",
    "bookSitting": "BookSittingInput", "recordSystemCheck": "RecordSystemCheckInput", "enterTest": "EnterTestInput",
    "sendMessage": TEXT, "noteIncident": TEXT, "endSitting": END, "invalidateSitting": END,
    "cancelScores": "CancelScoresInput", "takeNextSitting": "TakeNextSittingInput",
    "confirmCheckInStep": "ConfirmCheckInStepInput", "handOverSitting": "HandOverSittingInput",
    "recordUnofficialScores": "RecordUnofficialScoresInput", "recordOfficialScores": "RecordOfficialScoresInput",
}  # fmt: skip
ANSWERS = {
    "logInStaff": "LoggedIn { token }", "logInVerifier": "LoggedIn { token }", "register": "LoggedIn { token }",
    "bookSitting": f"SittingBooked {{ {SITTING} }}", "takeNextSitting": f"SittingTaken {{ {SITTING} }}",
    "cancelScores": f"ScoresCancelled {{ confirmation {SITTING} }}",
    "confirmCheckInStep": f"CheckInStepConfirmed {{ testId testPassword {SITTING} }}",
    "releaseTestAgain": f"TestReleased {{ testId testPassword {SITTING} }}",
    "handOverSitting": "SittingHandedOver { message }",
}  # fmt: skip
ANSWER_SECONDS = 30
PATIENCE_SECONDS = 180
PAUSE_SECONDS = 0.3
AWAY = (502, 503, 504)


class AnswerLost(Exception):
    """The service went away, or was not there: what was ordered may have been done, or not."""


class Fault(Exception):
    """Something that must not happen; it is counted, and ends one client's part."""


class NotMine(Exception):
    """The sitting is not this proctor's any more."""


@dataclass(slots=True)
class Door:
    """Where the service is, how far its clock is ahead of ours, and what went wrong on the way."""

    url: str
    ahead: timedelta = timedelta(0)
    lost_answers: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def now(self) -> datetime:
        """What the service's clock shows."""
        return system_clock() + self.ahead

    @property
    def socket_url(self) -> str:
        """Where streams are opened."""
        return urlsplit(self.url)._replace(scheme="wss" if self.url.startswith("https") else "ws").geturl()


class App:
    """One account's program; a connection of its own, kept alive."""

    def __init__(self, door: Door, token: str | None = None) -> None:
        self.door = door
        self.token = token
        self.has_lost_answers = False
        self.http = httpcore2.AsyncConnectionPool(max_connections=2)

    async def post(self, document: str, variables: Payload) -> Payload:
        """The `data` of one operation. Raises AnswerLost or Fault."""
        headers: list[tuple[bytes | str, bytes | str]] = [("Content-Type", "application/json")]
        if self.token:
            headers.append(("Authorization", f"Bearer {self.token}"))
        content = orjson.dumps({"query": document, "variables": variables})
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self.http.request("POST", self.door.url, headers=headers, content=content)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, TimeoutError, OSError):
            raise AnswerLost from None
        if answer.status in AWAY:
            raise AnswerLost
        return self._data(orjson.loads(answer.content))

    def _data(self, body: Payload) -> Payload:
        codes = [str(error.get("extensions", {}).get("code")) for error in body.get("errors", [])]
        if "SERVICE_UNAVAILABLE" in codes:
            raise AnswerLost
        if codes:
            self.door.faults.update(codes)
            raise Fault(body["errors"])
        data: Payload = body["data"]
        return data

    async def ask(self, document: str, **variables: Any) -> Payload:
        """The answer to a question, which is asked again until there is one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await self.post(document, variables)
                except AnswerLost:
                    await asyncio.sleep(PAUSE_SECONDS)

    async def look(self, sitting_id: str) -> Payload:
        """How a sitting stands. Raises NotMine."""
        sitting: Payload | None = (await self.ask(LOOK, id=sitting_id))["sitting"]
        if sitting is None:
            raise NotMine
        return sitting

    async def order(self, name: str, **input: Any) -> Payload:
        """What one mutation answers: its success or its refusal. Raises AnswerLost."""
        success = ANSWERS.get(name, f"SittingChanged {{ {SITTING} }}")
        document = f"""mutation ($input: {INPUTS.get(name, "SittingInput")}!) {{ {name}(input: $input) {{
            __typename ... on {success} ... on Refusal {{ message }} }} }}"""
        try:
            payload: Payload = (await self.post(document, {"input": input}))[name]
        except AnswerLost:
            self.has_lost_answers = True
            self.door.lost_answers += 1
            raise
        if "message" in payload and name != "handOverSitting":
            self.door.refusals[payload["__typename"]] += 1
        return payload

    async def insist(self, name: str, **input: Any) -> Payload:
        """The same for what can be ordered twice without harm: until there is an answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await self.order(name, **input)
                except AnswerLost:
                    await asyncio.sleep(PAUSE_SECONDS)

    async def attempt(self, name: str, sitting_id: str, is_done: Callable[[Payload], bool], **input: Any) -> Payload:
        """Order something about a sitting; who gets no answer looks whether it was done before ordering it again.

        What was done all the same answers as if it had been told, without what is told once. Raises NotMine.
        """
        while True:
            try:
                payload = await self.order(name, sittingId=sitting_id, **input)
            except AnswerLost:
                await asyncio.sleep(PAUSE_SECONDS)
                sitting = await self.look(sitting_id)
                if not is_done(sitting):
                    continue
                payload = {"__typename": "FoundDone", "sitting": sitting}
            if payload["__typename"] == "SittingNotFound":
                raise NotMine
            return payload

    async def write(self, name: str, sitting_id: str, text: str) -> bool:
        """Write a message or an incident, once, however often it is sent. Tells whether it was possible.

        Raises NotMine.
        """
        payload = await self.insist(name, sittingId=sitting_id, text=text, key=str(uuid4()))
        if payload["__typename"] == "SittingNotFound":
            raise NotMine
        return "sitting" in payload

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.aclose()
