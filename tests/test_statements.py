"""A candidate gets a Statement of Results that can be trusted, and nobody gets it who may not see the result (R8)."""

from datetime import timedelta
from io import BytesIO

from pypdf import PdfReader

from models.result import Result
from tests.client import Client
from tests.world import World, gid

STATEMENT = "query ($id: ID!, $language: String!) { result(id: $id) { statement(language: $language) { address endsAt } linkedInUrl } }"


async def test_statement_is_served_by_a_signed_address(client: Client, world: World) -> None:
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate))
    own = client.as_(await world.token(candidate))
    told = (await own.ask(STATEMENT, id=gid(result), language="ja"))["result"]
    print(told)
    answer = await client.http.get(told["statement"]["address"])
    print(answer.headers, len(answer.content), PdfReader(BytesIO(answer.content)).pages[0].extract_text())
    assert answer.status_code == 200
