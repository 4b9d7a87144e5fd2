"""HTTP requests as clients of all sorts send them, and what every refusal owes them."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests.client import Client

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed"


async def send(
    client: Client, content: Any, accept: str | list[str] | None = None, method: str = "POST", **headers: str
) -> httpx2.Response:
    """The answer to a body as it is, or to any JSON; without an Accept header unless one is given."""
    body = content if isinstance(content, bytes) or hasattr(content, "__aiter__") else json.dumps(content).encode()
    given = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = client.http.build_request(method, "/graphql", content=body, headers=given)
    del request.headers["accept"]
    accepted = [accept] if isinstance(accept, str) else accept or []
    request.headers = httpx2.Headers([*request.headers.multi_items(), *(("accept", one) for one in accepted)])
    return await client.http.send(request)


async def get(client: Client, accept: str = JSON, **parameters: str) -> httpx2.Response:
    """The answer to a GET with these parameters."""
    return await client.http.get(f"/graphql?{urlencode(parameters)}", headers={"accept": accept})


def type_of(response: httpx2.Response) -> str:
    """The media type of an answer, its parameters checked."""
    kind, _, parameters = response.headers["content-type"].partition(";")
    assert kind == "multipart/mixed" or parameters.strip().lower() == "charset=utf-8"
    return str(kind)


def is_refused(response: httpx2.Response, status: int, code: str = "BAD_REQUEST", **facts: object) -> str:
    """Check that an answer is one coded GraphQL error that can be found in the log, and nothing else; its message."""
    assert response.status_code == status, response.text
    assert type_of(response) in (JSON, GRAPHQL)
    assert list(response.json()) == ["errors"]
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": code, "requestId": response.headers["x-request-id"], **facts}
    assert "Traceback" not in response.text
    assert error["message"]
    return str(error["message"])
