"""Opaque, typed ids, as clients know the rows; `schema/ids.py` reads them back."""

import base64
from uuid import UUID


def written(type_name: str, key: UUID | str) -> str:
    """The id of one thing: the type's name and the row's key."""
    return base64.b64encode(f"{type_name}:{key}".encode()).decode()
