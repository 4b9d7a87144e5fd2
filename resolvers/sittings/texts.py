"""Texts that people write about a sitting: what can be read of one, and whether it stands there already."""

from uuid import UUID

from engine import database
from errors import InvalidInput, Problem

LONGEST = 1000


def checked(text: str, path: str) -> str:
    """A text that a person wrote, without blanks around it; raises InvalidInput where there is nothing to be read."""
    text = text.strip()
    if not any(map(str.isprintable, text)):
        raise InvalidInput([Problem(path, "Write something.")])
    if len(text) > LONGEST:
        raise InvalidInput([Problem(path, "At most 1,000 characters can be written here.")])
    return text


async def written(table: str, sitting_id: UUID, proctor_id: UUID | None, text: str, key: UUID | None) -> UUID | None:
    """The row that this writer has made of a text under this key: whoever lost the answer sends both again.

    The sitting must be held. Raises InvalidInput where another text stands under the key.
    """
    if key is None:
        return None
    there = await database.row(
        f"""SELECT id, text FROM {table}
            WHERE sitting_id = :sitting_id AND proctor_id IS NOT DISTINCT FROM :proctor_id AND key = :key""",
        sitting_id=sitting_id,
        proctor_id=proctor_id,
        key=key,
    )
    if there is None:
        return None
    if there["text"] != text:
        raise InvalidInput([Problem("key", "You have sent another text with this key. Make a new key for each text.")])
    found: UUID = there["id"]
    return found
