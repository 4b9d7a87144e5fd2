"""What every table has in common."""

from typing import Any
from uuid import UUID

import uuid_utils.compat
from tortoise import fields
from tortoise.models import Model


def new_id() -> UUID:
    """A version 7 UUID: unguessable enough to name a row, and rows made together lie together."""
    return uuid_utils.compat.uuid7()


class Table(Model):
    """A table whose key is a version 7 UUID."""

    id = fields.UUIDField(primary_key=True, default=new_id)

    class Meta:
        abstract = True


def required(row: Any) -> Any:
    """The row, which the caller knows to be there; anything else is a bug."""
    if row is None:
        raise LookupError("A row that must be there is not.")
    return row
