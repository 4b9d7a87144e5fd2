"""Keys with which an institution's own programs use this API."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4

import strawberry

from engine.database import Row
from models import key as rules
from models.scope import Scope
from models.viewer import Viewer
from resolvers import api_keys
from resolvers.api_keys import NewKey
from resolvers.pages import Page, cursor_of
from schema import verifier
from schema.arguments import Input
from schema.context import Info
from schema.costs import COUNTED
from schema.ids import global_id, key_of
from schema.institution import Institution
from schema.node import Node
from schema.pages import PageInfo, page_info
from schema.refusals import InvalidInput, KeyNotFound, NotAllowed, NotLoggedIn, TooManyTries

if TYPE_CHECKING:
    from schema.verifier import VerifierUser


@strawberry.enum(description="What a key may do; each is of its own, none is within another.")
class KeyScope(Enum):
    READ_SHARES = strawberry.enum_value(
        "READ_SHARES",
        description="Read the shares to the institution, their results and candidates, and follow them live; open "
        "shares, which marks them read.",
    )
    READ_SKILLS = strawberry.enum_value(
        "READ_SKILLS", description="Skill scores, wherever another scope shows a result; null without it."
    )
    READ_PHOTO = strawberry.enum_value(
        "READ_PHOTO", description="Test-day photos, of results that READ_SHARES shows; null without it."
    )
    VERIFY = strawberry.enum_value("VERIFY", description="Look up results by the numbers that candidates gave.")
    DOWNLOAD = strawberry.enum_value(
        "DOWNLOAD",
        description="Take results away in files, as far as the other scopes show them: downloads, and statements, "
        "which need READ_SHARES and READ_SKILLS too.",
    )
    MANAGE = strawberry.enum_value(
        "MANAGE",
        description="Read the users and keys of `organisation`; change templates and webhooks; mark shares read or "
        "unread by hand, beside READ_SHARES. Never make or revoke keys, nor change users.",
    )


@strawberry.enum(description="Whether a key is good.")
class KeyStatus(Enum):
    ACTIVE = strawberry.enum_value("ACTIVE", description="It lets in.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Its time has come.")
    REVOKED = strawberry.enum_value("REVOKED", description="It was revoked.")


@strawberry.federation.type(
    keys=["id"],
    description="A key of an institution; the key itself is told once, when it is made, and kept nowhere. Seen by the "
    "Primary User, by keys that manage, by itself, and by the board's staff.",
)
class ApiKey(Node):
    name: str = strawberry.field(description="What its Primary User calls it.")
    prefix: str = strawberry.field(description="How it begins, to tell it from others.")
    scopes: list[KeyScope] = strawberry.field(description="What it may do; that is never changed.")
    status: KeyStatus = strawberry.field(description="Whether it is good.")
    created_at: datetime = strawberry.field(description="When it was made, UTC.")
    expires_at: datetime = strawberry.field(description="The moment from which it lets nobody in, UTC.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was last used, UTC, to about a minute; null: not yet."
    )
    revoked_at: datetime | None = strawberry.field(description="When it was revoked, UTC.")
    cursor: strawberry.Private[str]
    institution_key: strawberry.Private[UUID]
    creator_key: strawberry.Private[UUID]

    @classmethod
    def of(cls, row: Row, viewer: Viewer) -> "ApiKey":
        """The key of any row that holds the columns of keys."""
        return cls(
            id=global_id("ApiKey", row["key_id"]),
            name=row["key_name"],
            prefix=row["prefix"],
            scopes=[KeyScope[scope] for scope in row["scopes"]],
            status=KeyStatus[rules.status(row["revoked_at"], row["expires_at"], viewer.at).name],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            last_used_at=row["last_used_at"],
            revoked_at=row["revoked_at"],
            cursor=cursor_of(row["created_at"], row["key_id"]),
            institution_key=row["institution_id"],
            creator_key=row["created_by_id"],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "ApiKey | None":
        """The key with this id, if the viewer may see it."""
        key = key_of(id, "ApiKey")
        row = await info.context.loaders.api_key.load(key) if key else None
        return None if row is None else cls.of(row, info.context.viewer)

    @strawberry.field(description="The institution whose programs use it.")
    async def institution(self, info: Info) -> Institution | None:
        row = await info.context.loaders.institution.load(self.institution_key)
        return None if row is None else Institution.of(row)

    @strawberry.field(
        description="Who made it, if the viewer may see them; a key stays good when whoever made it leaves."
    )
    async def created_by(self, info: Info) -> Annotated["VerifierUser", strawberry.lazy("schema.verifier")] | None:
        row = await info.context.loaders.verifier.load(self.creator_key)
        return None if row is None else verifier.VerifierUser.of(row)


@strawberry.type(description="One key of several.")
class ApiKeyEdge:
    node: ApiKey = strawberry.field(description="The key.")
    cursor: str = strawberry.field(description="Its place in the list, for `after`.")


@strawberry.type(description="Keys, newest first; those that have ended stay.")
class ApiKeyConnection:
    edges: list[ApiKeyEdge] = strawberry.field(description="The keys of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")

    @classmethod
    def of(cls, page: Page, viewer: Viewer) -> "ApiKeyConnection":
        """A page as a connection."""
        nodes = [ApiKey.of(row, viewer) for row in page.rows]
        return cls(
            edges=[ApiKeyEdge(node=node, cursor=node.cursor) for node in nodes],
            page_info=page_info([node.cursor for node in nodes], page.has_next),
        )


@strawberry.input(description="A key that is wanted.")
class CreateKeyInput:
    name: str = strawberry.field(description="What to call it, such as the program that will use it.")
    scopes: list[KeyScope] = strawberry.field(description="What it may do: no more than its program needs.")
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The moment from which it lets nobody in, with its time zone; at most 2 years ahead. Null: a year "
        "ahead. The Primary User is told 30 days, 7 days and a day before.",
    )

    sandbox: bool = strawberry.field(
        default=False,
        description="Whether it lets into the institution's sandbox instead: then all that it sees is invented.",
    )

    def wanted(self) -> NewKey:
        """The key as it is asked for."""
        scopes = [Scope[str(scope.value)] for scope in self.scopes]
        return NewKey(self.name, scopes, self.expires_at, self.sandbox)


@strawberry.type(description="The key is good from now on.")
class KeyCreated:
    key: ApiKey = strawberry.field(description="What is known of it.")
    secret: str = strawberry.field(
        description="The key itself, told this once: send it as `Authorization: Bearer …`. Keep it as a password; it "
        "never belongs into an address, a page or a repository."
    )


CreateKeyPayload = Annotated[
    KeyCreated | NotLoggedIn | NotAllowed | InvalidInput | TooManyTries,
    strawberry.union("CreateKeyPayload", description="The new key, or why there is none."),
]


@strawberry.input(description="Which key to revoke.")
class RevokeKeyInput:
    id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.type(description="The key lets nobody in any more; once more changes nothing.")
class KeyRevoked:
    key: ApiKey = strawberry.field(description="The key.")


RevokeKeyPayload = Annotated[
    KeyRevoked | NotLoggedIn | NotAllowed | KeyNotFound,
    strawberry.union("RevokeKeyPayload", description="The key as it is now, or why nothing was changed."),
]


@strawberry.type
class KeyMutation:
    @strawberry.mutation(
        description="As the Primary User: make a key for a program of the institution. Several are good at one time, "
        "so that a new one can be put in place before the old one is revoked. A mail tells of it.",
        directives=[COUNTED],
    )
    async def create_key(self, info: Info, input: Input[CreateKeyInput]) -> CreateKeyPayload:
        viewer = info.context.viewer
        made = await api_keys.make(viewer, input.wanted())
        return KeyCreated(key=ApiKey.of(await api_keys.one(viewer, made.id), viewer), secret=made.secret)

    @strawberry.mutation(
        description="As the Primary User: revoke a key. It ends at once, with its open streams and the addresses of "
        "files that it was given. A mail tells of it."
    )
    async def revoke_key(self, info: Info, input: Input[RevokeKeyInput]) -> RevokeKeyPayload:
        viewer = info.context.viewer
        key = key_of(input.id, "ApiKey") or uuid4()  # an id of another kind names nothing, as a fresh key does
        await api_keys.revoke(viewer, key)
        return KeyRevoked(key=ApiKey.of(await api_keys.one(viewer, key), viewer))
