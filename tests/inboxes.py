"""An institution's office: a verifier who is logged in, and results that are sent to it."""

from typing import Any

from models.entry import Entry
from models.institution import Institution
from models.share import Share
from models.terms import Terms
from tests.client import Client
from tests.world import NO_TERMS, World, gid

PAGE = """query ($filter: InboxFilter, $first: Int! = 50, $after: String) {
    inbox(filter: $filter, first: $first, after: $after) {
      totalCount unreadCount liveCursor pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { id status } } } }"""
MARKED = """... on SharesMarked { changed notFound hasMore }
    ... on InvalidInput { problems { path message } }"""


class Office:
    """An institution with a verifier who is logged in, and results that can be sent to it."""

    def __init__(self, client: Client, world: World, institution: Institution) -> None:
        self.client = client
        self.world = world
        self.institution = institution

    @classmethod
    async def of(cls, client: Client, world: World, **facts: Any) -> "Office":
        """An office with an empty inbox; `facts` are of its verifier."""
        institution = await world.institution()
        return cls(client.as_(await world.token(await world.verifier(institution, **facts))), world, institution)

    async def receive(self, count: int = 1) -> list[str]:
        """New shares, all at this moment; their ids."""
        sent = [await self.world.share(await self.world.result(), self.institution) for _ in range(count)]
        return [gid(Share(id=key)) for key in sent]

    async def page(self, **variables: Any) -> Any:
        """A page of the inbox."""
        return (await self.client.ask(PAGE, **variables))["inbox"]

    async def ids(self, **variables: Any) -> list[str]:
        """Ids of the shares on a page."""
        return [edge["node"]["id"] for edge in (await self.page(**variables))["edges"]]

    async def send(self, terms: Terms = NO_TERMS, entry: Entry | None = None, **facts: Any) -> str:
        """A share of a fresh result with these facts; its id."""
        result = await self.world.result(entry, skills={}, **facts)
        return gid(Share(id=await self.world.share(result, self.institution, terms)))

    async def of_person(self, given_name: str, family_name: str, native_name: str | None = None) -> str:
        """A share of somebody with these names; its id."""
        names: dict[str, Any] = {"given_name": given_name, "family_name": family_name, "native_name": native_name}
        return await self.send(entry=await self.world.entry(await self.world.candidate(**names)))

    async def found(self, **filter: Any) -> set[str]:
        """Ids of the shares that a filter finds; what the page says of how many they are is true."""
        query = """query ($filter: InboxFilter) { inbox(filter: $filter, first: 100) {
            matches { count isAtLeast } edges { node { id } } } }"""
        page = (await self.client.ask(query, filter=filter))["inbox"]
        ids = [edge["node"]["id"] for edge in page["edges"]]
        assert page["matches"] == {"count": len(ids), "isAtLeast": False}
        assert len(set(ids)) == len(ids)
        return set(ids)

    async def mark(self, **input: Any) -> Any:
        """What became of an order to mark many."""
        return await self.client.order(
            "markShares", "... on SharesMarked { changed notFound hasMore } " + FAULTS, **input
        )


FAULTS = "... on InvalidInput { problems { path message } }"
