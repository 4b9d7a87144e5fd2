"""Opaque, typed ids: the type's name and the row's key, so that `node` knows where to look."""

import base64
import binascii
from uuid import UUID, uuid4

import strawberry

from models import global_ids


def global_id(type_name: str, key: UUID | str) -> strawberry.ID:
    """The id of one thing as clients know it."""
    return strawberry.ID(global_ids.written(type_name, key))


def parts(id: str) -> tuple[str, str]:
    """Type and key of an id; two empty strings for anything that we did not make."""
    try:
        text = base64.b64decode(id.encode("ascii"), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return "", ""
    type_name, _, key = text.partition(":") if text.isprintable() else ("", "", "")
    return type_name, key


def key_of(id: str, type_name: str) -> UUID | None:
    """The row's key, if the id is one of this type."""
    found, key = parts(id)
    if found != type_name:
        return None
    try:
        return UUID(key)
    except ValueError:
        return None


def key_named(id: strawberry.ID, type_name: str) -> UUID:
    """The row's key; an id of another kind names nothing, as a fresh key does."""
    return key_of(id, type_name) or uuid4()
