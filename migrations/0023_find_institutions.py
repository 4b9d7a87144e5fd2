"""The index by which names of institutions that begin with a text are found, and their folded forms anew (S1)."""

from typing import Any

from tortoise import migrations
from tortoise.migrations import operations as ops

from models.names import folded, grams

RULES = [
    "CREATE INDEX institution_name_beginning ON institution_name (searched text_pattern_ops)",
]


async def fold_again(_apps: Any, editor: Any) -> None:
    """Old kanji are folded now, and beginnings of words are among the grams."""
    found = await editor.client.execute_query_dict("SELECT id, written FROM institution_name")
    names = [(row["id"], folded(row["written"])) for row in found]
    if names:
        await editor.client.execute_many(
            "UPDATE institution_name SET searched = $2, grams = $3 WHERE id = $1",
            [[id, searched, grams(searched)] for id, searched in names],
        )


class Migration(migrations.Migration):
    """The names, then one statement an index, all in one transaction."""

    dependencies = [("models", "0022_one_primary")]
    operations = [ops.RunPython(fold_again, ops.RunPython.noop), ops.RunSQL(RULES)]
