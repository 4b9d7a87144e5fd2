"""Documents that are known by their SHA-256: those of clients that were there when the service was deployed.

A request may name one in place of its text, as Apollo's clients do (`extensions.persistedQuery.sha256Hash`) or as the
appendix of GraphQL over HTTP says (`documentId`, "sha256:..."). Nothing that a request brings is ever added. A
deployment may be closed: then strangers and browsers run nothing else (`KNOWN_DOCUMENTS`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError, validate

from schema.build import schema
from schema.documents import keep
from transport.requests import GraphQLRequest

APOLLO = "apollo-persisted-query-manifest"

Texts = Mapping[str, str]  # by the SHA-256 of the text, in hexadecimal


class KnownDocuments:
    """What is known in this deployment, and whether anything else may run."""

    def __init__(self, folder: Path, is_closed: bool) -> None:
        self.texts = texts_in(folder)
        self.is_closed = is_closed

    def found(self, asked: GraphQLRequest, may_send_own: bool) -> GraphQLRequest:
        """The request with its text, and whether that is known; raises GraphQLError, coded."""
        if asked.query is None:
            return self._named(asked, may_send_own)
        if asked.hashes or self.is_closed:
            digest = hash_of(asked.query)
            if any(one != digest for one in asked.hashes):
                raise _refused("The hash is not that of the document.", "PERSISTED_QUERY_HASH_MISMATCH")
            asked = replace(asked, is_known=digest in self.texts)
        if not asked.is_known and not may_send_own:
            raise not_in_list()
        return asked

    def _named(self, asked: GraphQLRequest, may_send_own: bool) -> GraphQLRequest:
        """A document without its text. Apollo's link sends the text when it reads one of the first two codes."""
        text = self.texts.get(asked.hashes[0])
        if len(set(asked.hashes)) > 1:
            raise _refused("The request names two documents.", "PERSISTED_QUERY_HASH_MISMATCH")
        if text is not None:
            return replace(asked, query=text, is_known=True)
        if not may_send_own:
            raise _refused("No document with this hash is known here.", "PERSISTED_QUERY_NOT_IN_LIST")
        if not self.texts:
            raise _refused("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
        raise _refused("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")


def not_in_list() -> GraphQLError:
    """The refusal of a text, in the words of Apollo's router."""
    told = "This service runs known documents only, unless a program with a key or a session of its own sends them."
    return _refused(told, "QUERY_NOT_IN_SAFELIST")


def _refused(message: str, code: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})


def hash_of(text: str) -> str:
    """What a document is known by."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def texts_in(folder: Path) -> Texts:
    """The documents of all manifests in a folder, each parsed and kept; raises ValueError for one that cannot run."""
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        for id, text in _documents(orjson.loads(path.read_bytes()), path.name):
            _check(id, text, path.name)
            texts[id] = text
    return texts


def _documents(manifest: Any, name: str) -> Iterator[tuple[str, str]]:
    """Ids and texts, from the format of Apollo's tools or that of Relay's compiler."""
    match manifest:
        case {"format": format, "version": 1, "operations": [*operations]} if format == APOLLO:
            yield from ((str(one.get("id")), str(one.get("body"))) for one in operations)
        case {**entries} if "format" not in entries:
            yield from ((str(id), str(text)) for id, text in entries.items())
        case _:
            raise ValueError(f"{name} is neither a manifest of Apollo's (version 1) nor one of Relay's.")


def _check(id: str, text: str, name: str) -> None:
    if id != hash_of(text):
        raise ValueError(f"{name}: {id} is not the SHA-256 of its document.")
    try:
        problems = validate(schema._schema, keep(text).node)
    except GraphQLError as error:
        problems = [error]
    if problems:
        raise ValueError(f"{name}: {id} cannot run here: {problems[0].message}")
