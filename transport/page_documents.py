"""The documents of our own pages, read off their scripts; `persisted/pages.json` is made of them, as a test sees to."""

import json
import re
from collections.abc import Iterator

from graphql import FieldNode, OperationDefinitionNode, parse

from transport.known_documents import APOLLO, hash_of
from transport.pages import FOLDER

LITERAL = re.compile(r"`((?:query|mutation|subscription)\b[^`]*|\{ \w[^`]*)`")


def manifest() -> str:
    """All of them in Apollo's format, as it is committed."""
    operations = {hash_of(text): _described(page, text) for page, text in documents()}
    found = [{"id": id, **operations[id]} for id in sorted(operations)]
    return json.dumps({"format": APOLLO, "version": 1, "operations": found}, indent=2, ensure_ascii=False) + "\n"


def documents() -> Iterator[tuple[str, str]]:
    """Each document with the name of its script. They are whole where they stand: none is put together of parts."""
    for path in sorted(FOLDER.glob("*.js")):
        for match in LITERAL.finditer(path.read_text("utf-8")):
            yield path.name, match[1]


def _described(page: str, text: str) -> dict[str, str]:
    (operation,) = (one for one in parse(text).definitions if isinstance(one, OperationDefinitionNode))
    roots = (one.name.value for one in operation.selection_set.selections if isinstance(one, FieldNode))
    return {"name": f"{page}: {', '.join(roots)}", "type": operation.operation.value, "body": text}
