"""The service of an admissions office: somebody else's subgraph, which refers to our things by their keys.

It knows nobody: what a gateway tells of our things by way of it, our own door has to allow.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from graphql import build_ast_schema, graphql, parse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SDL = (Path(__file__).parent / "clients" / "federation" / "admissions.graphql").read_text("utf-8")
DOOR = """
    scalar _Any
    union _Entity = Candidate | Result | Share | Application
    type _Service { sdl: String! }
    extend type Query { _service: _Service!, _entities(representations: [_Any!]!): [_Entity]! }
"""
ENOUGH = {"Law": 180, "Music": 160}  # the score that a course asks for

Thing = dict[str, Any]


@dataclass
class Admissions:
    """The office, and what it noted: each application refers to our things by their ids, whoever may see them."""

    noted: list[Thing] = field(default_factory=list)
    url: str = ""

    def note(self, course: str, **ids: str) -> None:
        """An application for a course, by the ids of `candidate`, `result`, `share` and `institution`."""
        said = {name: {"__typename": name.capitalize(), "id": id} for name, id in ids.items()}
        application: Thing = {"__typename": "Application", "id": f"application-{len(self.noted)}", "course": course}
        application |= {"results": [said["result"]] if "result" in said else [], "sentTo": said.get("institution")}
        self.noted.append(application | said)

    async def answer(self, request: Request) -> JSONResponse:
        """The answer to one operation."""
        asked = await request.json()
        done = await graphql(SCHEMA, asked["query"], root_value=self, variable_values=asked.get("variables"))
        return JSONResponse(done.formatted)

    def _service(self, _info: Any) -> Thing:
        return {"sdl": SDL}

    def _entities(self, _info: Any, representations: list[Thing]) -> list[Thing | None]:
        return [getattr(self, f"_{one['__typename'].lower()}")(one) for one in representations]

    def applications(self, _info: Any, **_page: Any) -> Thing:
        """All that were noted."""
        return _connection(self.noted)

    def _candidate(self, one: Thing) -> Thing:
        return one | {"applications": lambda _info, **_page: _connection(self._of("candidate", one["id"]))}

    def _result(self, one: Thing) -> Thing:
        score = one.get("overallScore") or 0
        return one | {"isEnoughFor": lambda _info, course: score >= ENOUGH[course]}

    def _share(self, one: Thing) -> Thing:
        return one | {"application": next(iter(self._of("share", one["id"])), None)}

    def _application(self, one: Thing) -> Thing | None:
        return next((noted for noted in self.noted if noted["id"] == one["id"]), None)

    def _of(self, name: str, id: str) -> list[Thing]:
        return [noted for noted in self.noted if noted.get(name, {}).get("id") == id]


def _connection(applications: list[Thing]) -> Thing:
    page = {"hasNextPage": False, "hasPreviousPage": False}
    return {"edges": [{"node": one, "cursor": one["id"]} for one in applications], "pageInfo": page}


SCHEMA = build_ast_schema(parse(SDL + DOOR), assume_valid_sdl=True)


@asynccontextmanager
async def admitting() -> AsyncIterator[Admissions]:
    """The office's service on any free port."""
    office = Admissions()
    app = Starlette(routes=[Route("/graphql", office.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn sets no event
        await asyncio.sleep(0.005)
    try:
        office.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/graphql"
        yield office
    finally:
        server.should_exit = True
        await serving
