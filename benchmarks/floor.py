"""The floor: the least that an answer from this database costs in Python, one statement that returns JSON, no GraphQL.

As a bare function it is asyncpg and orjson alone; as a server, `python -m benchmarks.floor`, it stands behind the same
Starlette and uvicorn as the service, so that the CPU of both can be compared.
"""

import contextlib
import gc
import os
from collections.abc import AsyncIterator

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.cases import CASES
from engine.asyncpg_safe import Connection

STATEMENTS = {case.name: case.floor for case in CASES}


async def answer(pool: asyncpg.Pool, name: str, values: list[str]) -> bytes:
    """The body of the answer to one request of a case."""
    async with pool.acquire() as connection:
        text: str = await connection.fetchval(STATEMENTS[name], *values)
    return orjson.dumps(orjson.loads(text))


async def pool_of(url: str) -> asyncpg.Pool:
    """A pool as the service has it."""
    return await asyncpg.create_pool(url, min_size=1, max_size=10, connection_class=Connection, command_timeout=30)


async def _answer(request: Request) -> Response:
    values = orjson.loads(await request.body())
    body = await answer(request.app.state.pool, request.path_params["name"], values)
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


async def _ready(_request: Request) -> Response:
    return Response()


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.pool = await pool_of(os.environ["DATABASE_URL"])
    yield
    await app.state.pool.close()


def serve() -> None:
    """Serve the floor on PORT from DATABASE_URL, as `cli.py serve` serves the service."""
    routes = [Route("/floor/{name}", _answer, methods=["POST"]), Route("/readyz", _ready)]
    app = Starlette(routes=routes, lifespan=_lifespan)
    port = int(os.environ["PORT"])
    config = uvicorn.Config(app, port=port, loop="uvloop", access_log=False, server_header=False, log_config=None)
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run()


if __name__ == "__main__":
    serve()
