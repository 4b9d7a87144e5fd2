"""A GraphQL client for tests: raw HTTP, as any program would."""

import json
from typing import Any

import httpx2

LOG_IN = """mutation ($input: LogInInput!) { logIn(input: $input) {
  __typename ... on LoggedIn { token endsAt } ... on Refusal { message } ... on LoginLocked { lockedUntil } } }"""
LOG_IN_BY_EMAIL = """mutation ($input: %s!) { %s(input: $input) {
  __typename ... on LoggedIn { token endsAt } ... on Refusal { message } ... on LoginLocked { lockedUntil } } }"""


class Client:
    """Sends operations over one HTTP client, with or without a token."""

    def __init__(self, http: httpx2.AsyncClient, token: str | None = None) -> None:
        self.http = http
        self.token = token

    def as_(self, token: str | None) -> "Client":
        """The same client with another session."""
        return Client(self.http, token)

    async def post(self, query: str, **variables: Any) -> httpx2.Response:
        """The raw answer to one operation."""
        return await self.send({"query": query, "variables": variables})

    async def send(self, body: Any, **headers: str) -> httpx2.Response:
        """The raw answer to any JSON, half surrogate pairs too, under any headers."""
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers["Content-Type"] = "application/json"
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
        return await self.http.post("/graphql", content=content, headers=headers)

    async def ask(self, query: str, **variables: Any) -> Any:
        """The `data` of one operation that has no errors."""
        body = (await self.post(query, **variables)).json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    async def order(self, mutation: str, selection: str, **input: Any) -> Any:
        """The payload of one mutation with one input: its __typename, its message if refused, and `selection`."""
        type_name = mutation[0].upper() + mutation[1:] + "Input"
        if mutation == "logInVerifier":
            type_name = "LogInByEmailInput"
        query = f"""mutation ($input: {type_name}!) {{ {mutation}(input: $input) {{
            __typename ... on Refusal {{ message }} {selection} }} }}"""
        return (await self.ask(query, input=input))[mutation]

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The top-level errors of one operation."""
        errors: list[dict[str, Any]] = (await self.post(query, **variables)).json().get("errors", [])
        return errors

    async def log_in(self, id_number: str, password: str) -> "Client":
        """The same client as a candidate."""
        payload = (await self.ask(LOG_IN, input={"idNumber": id_number, "password": password}))["logIn"]
        assert payload["__typename"] == "LoggedIn", payload
        return self.as_(payload["token"])

    async def log_in_by_email(self, email: str, password: str) -> "Client":
        """The same client as a verifier."""
        return await self._log_in("logInVerifier", "LogInByEmailInput", email=email, password=password)

    async def log_in_staff(self, email: str, password: str, code: str = "") -> "Client":
        """The same client as staff; the board's need a code of this moment."""
        return await self._log_in("logInStaff", "LogInStaffInput", email=email, password=password, code=code)

    async def _log_in(self, mutation: str, type_name: str, **input: str) -> "Client":
        payload = (await self.ask(LOG_IN_BY_EMAIL % (type_name, mutation), input=input))[mutation]
        assert payload["__typename"] == "LoggedIn", payload
        return self.as_(payload["token"])
