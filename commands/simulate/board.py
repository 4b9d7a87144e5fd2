"""The board's staff, who record scores, and an institution's dashboard, where shares arrive."""

from typing import Any

from commands.simulate.door import App, Fault, Payload
from commands.simulate.play import Play
from commands.simulate.streams import NEW_SHARES, Stream

UNOFFICIAL = {"skillScores": [{"skill": "READING", "score": 21}, {"skill": "LISTENING", "score": 24}]}
OFFICIAL: dict[str, Any] = {
    "overallScore": 90,
    "skillScores": [
        {"skill": "READING", "score": 21},
        {"skill": "LISTENING", "score": 24},
        {"skill": "SPEAKING", "score": 22},
        {"skill": "WRITING", "score": 23},
    ],
}
SCORES = {"recordUnofficialScores": UNOFFICIAL, "recordOfficialScores": OFFICIAL}
RECORDED = "query ($id: ID!) { sitting(id: $id) { timeline { kind } } }"
PLACE = "{ inbox(first: 1) { liveCursor } organisation { institution { id } } }"


class Board:
    """Records what it is told to, one after the other."""

    def __init__(self, play: Play, app: App) -> None:
        self.play = play
        self.app = app

    async def work(self) -> None:
        """For ever."""
        while True:
            name, sitting_id, done = await self.play.orders.get()
            payload = await self.app.insist(name, sittingId=sitting_id, **SCORES[name])
            if "sitting" not in payload and not await self._is_recorded(sitting_id):
                raise Fault(payload)
            done.set()

    async def _is_recorded(self, sitting_id: str) -> bool:
        """Whether it was done before, and the answer was lost."""
        found = await self.app.ask(RECORDED, id=sitting_id)
        return any(event["kind"] == "SCORES_RECORDED" for event in found["sitting"]["timeline"])


class Dashboard:
    """What arrives at one institution from the beginning of the simulation on."""

    def __init__(self, play: Play, app: App) -> None:
        self.play = play
        self.app = app
        self.institution_id = ""
        self.stream: Stream

    async def open(self) -> None:
        """Follow new shares."""
        place: Payload = await self.app.ask(PLACE)
        self.institution_id = place["organisation"]["institution"]["id"]
        variables = {"after": place["inbox"]["liveCursor"]}
        self.stream = Stream(self.app, self.play.ledger, NEW_SHARES, variables, "share.sentAt")
        self.stream.open()

    def arrived(self, name: str) -> int:
        """How many shares of the candidate with this name have come."""
        return sum(event["share"]["candidate"]["name"] == name for event in self.stream.events)
