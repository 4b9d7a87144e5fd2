"""What tests of keys have in common: an institution with a share, its Primary User, and programs with keys."""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engine import files as store
from models.institution import Institution
from models.key import ApiKey
from models.photo import Photo
from models.result import Result
from models.scope import Scope
from models.share import Share
from tests.client import Client
from tests.world import World, gid
from transport.asking import NO_KEY

INBOX = """{ inbox { totalCount unreadCount edges { node { id status candidate { name }
    result { id headline skillScores { score } photo { address } statement { address } } } } } }"""
MADE = "... on KeyCreated { secret key { id name prefix scopes status createdAt expiresAt lastUsedAt revokedAt } }"
REVOKED = "... on KeyRevoked { key { id status revokedAt } }"
VIEWER = """{ viewer { kind sessionEndsAt verifier { id } candidate { id }
    key { name prefix scopes expiresAt institution { name } createdBy { name } } } }"""


@dataclass
class Office:
    """An institution that holds a share, its Primary User's row and client, and nobody's client."""

    client: Client
    world: World
    institution: Institution
    result: Result
    share_id: UUID
    user: Any
    primary: Client

    @classmethod
    async def of(cls, client: Client, world: World, **facts: Any) -> "Office":
        institution = await world.institution(**facts)
        result = await world.result()
        share_id = await world.share(result, institution)
        user = await world.verifier(institution)
        return cls(client, world, institution, result, share_id, user, client.as_(await world.token(user)))

    @property
    def share(self) -> str:
        """The id of the share."""
        return gid(Share(id=self.share_id))

    async def key(self, *scopes: Scope, **facts: Any) -> Client:
        """A program with a key of these scopes, or of all."""
        return self.client.as_((await self.world.key(self.institution, *scopes, **facts))[1])

    async def add_photo(self) -> None:
        """A test-day photo of the result."""
        content, name = b"a picture", store.new_name("photo")
        await store.put(name, content)
        digest = hashlib.sha256(content).digest()
        facts: dict[str, Any] = {"width": 9, "height": 9, "size": len(content), "digest": digest}
        await Photo.create(entry_id=self.result.entry_id, file=name, added_at=self.world.clock(), **facts)

    async def make(self, **input: Any) -> Any:
        """What the Primary User is answered who wants a key."""
        given = {"name": "Admissions server", "scopes": ["READ_SHARES"]} | input
        return await self.primary.order(
            "createKey", f"{MADE} ... on InvalidInput {{ problems {{ path message }} }}", **given
        )

    async def revoke(self, id: str) -> Any:
        """What the Primary User is answered who revokes a key."""
        return await self.primary.order("revokeKey", REVOKED, id=id)


async def seen(client: Client) -> list[Any] | None:
    """The shares in the inbox; None if there is no inbox for this client."""
    inbox = (await client.ask(INBOX))["inbox"]
    return None if inbox is None else [edge["node"] for edge in inbox["edges"]]


async def kind(client: Client) -> str:
    """What kind of caller the service takes this client for; REFUSED if it takes nothing from it."""
    answer = await client.post("{ viewer { kind } }")
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        (error,) = answer.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == (NO_KEY, "UNAUTHENTICATED")
        return "REFUSED"
    found: str = answer.json()["data"]["viewer"]["kind"]
    return found


async def only_key() -> ApiKey:
    """The one key that there is."""
    return await ApiKey.get()
