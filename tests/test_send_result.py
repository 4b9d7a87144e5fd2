"""Sending a result (S3-S6, S8)."""

from starlette.applications import Starlette

from tests.client import Client
from tests.world import PASSWORD, World, gid

SENT = "... on ResultSent { wasAlreadySent share { id status sentAt consent { text version institutionName } } }"


async def test_sending_twice_returns_the_first_share(app: Starlette, client: Client, world: World) -> None:
    """S4."""
    result, institution = await world.result(), await world.institution("Aoba Gakuin University")
    candidate = await client.log_in((await result.entry).id_number, PASSWORD)
    wanted = {"resultId": gid(result), "institutionId": gid(institution), "consentVersion": "2026-11"}
    first = await candidate.order("sendResult", SENT, **wanted)
    second = await candidate.order("sendResult", SENT, **wanted)
    assert first["wasAlreadySent"] is False
    assert second["wasAlreadySent"] is True
    assert first["share"] == second["share"]
