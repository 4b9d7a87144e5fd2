"""The gateway's door, `_entities`, and `node`: any thing by its key, under the same rules as everywhere.

Strawberry's own `_entities` resolver changes the variables it is given, fails whole on an unknown `__typename`
and on fields it does not know, and has no cap; this one answers null with a coded error for each bad one.
"""

import asyncio
import inspect
from functools import cache
from typing import Any

import strawberry

from schema.application import AccountApplication
from schema.arguments import Id
from schema.candidate import Candidate
from schema.context import Info
from schema.download import Download
from schema.entry import Entry
from schema.exam import Exam
from schema.ids import parts
from schema.institution import Institution
from schema.invitation import Invitation
from schema.join_request import JoinRequest
from schema.key import ApiKey
from schema.letter import Letter
from schema.list_check import ListCheck
from schema.node import Node
from schema.pages import bad_input
from schema.result import Result
from schema.share import Share
from schema.sittings.sitting import Sitting
from schema.template import DownloadTemplate
from schema.verifier import VerifierUser
from schema.webhook import Webhook

ENTITIES: dict[str, Any] = {
    "AccountApplication": AccountApplication,
    "ApiKey": ApiKey,
    "Candidate": Candidate,
    "Download": Download,
    "DownloadTemplate": DownloadTemplate,
    "Entry": Entry,
    "Exam": Exam,
    "Institution": Institution,
    "Invitation": Invitation,
    "JoinRequest": JoinRequest,
    "Letter": Letter,
    "ListCheck": ListCheck,
    "Result": Result,
    "Share": Share,
    "Sitting": Sitting,
    "VerifierUser": VerifierUser,
    "Webhook": Webhook,
}
MOST_REPRESENTATIONS = 1000


async def resolve_all(info: Info, representations: list[Any]) -> list[Any]:
    """One entity, null, or error per representation, in the order asked; batched by the loaders."""
    if len(representations) > MOST_REPRESENTATIONS:
        raise bad_input(f"At most {MOST_REPRESENTATIONS} representations at once.")
    return await asyncio.gather(*(_resolve(info, one) for one in representations), return_exceptions=True)


async def _resolve(info: Info, representation: Any) -> Any:
    if not isinstance(representation, dict):
        raise bad_input("A representation is an object with a `__typename`.")
    entity = ENTITIES.get(str(representation.get("__typename")))
    if entity is None:
        raise bad_input("This `__typename` is not an entity of this service.")
    return await entity.resolve_reference(info, **_keys(entity, representation))


def _keys(entity: Any, representation: dict[str, Any]) -> dict[str, str]:
    """The key that the representation gives, as arguments; whatever else it holds is left alone."""
    for written, name in _names(entity).items():
        given = representation.get(written)
        if given is not None:
            if not isinstance(given, str) or "\0" in given:  # a NUL would fail all that are read with it
                raise bad_input("A key of an entity is a string, without NUL.")
            return {name: given}
    raise bad_input("The representation has none of this type's keys.")


@cache
def _names(entity: Any) -> dict[str, str]:
    """The entity's keys: the name in a representation, and the name of the argument."""
    parameters = inspect.signature(entity.resolve_reference).parameters
    return {_camel(name): name for name in parameters if name != "info"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@strawberry.type
class NodeQuery:
    @strawberry.field(description="Anything by its id, or null if there is no such thing for this viewer.")
    async def node(self, info: Info, id: Id) -> Node | None:
        entity = ENTITIES.get(parts(id)[0])
        found: Node | None = await entity.resolve_reference(info, id=id) if entity else None
        return found
