"""The shape of a client's messages in graphql-transport-ws, looked at before the protocol's handler trips over them."""

from typing import Any


def is_well_formed(message: Any) -> bool:
    """Whether a message has the shape that its type asks for."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    payload, kind = message.get("payload"), message["type"]
    if kind == "subscribe":
        return isinstance(message.get("id"), str) and _is_operation(payload)
    if kind == "complete":
        return isinstance(message.get("id"), str)
    return isinstance(payload, dict | None)


def _is_operation(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and _has_document(payload)
        and isinstance(payload.get("operationName"), str | None)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("extensions"), dict | None)
    )


def _has_document(payload: Any) -> bool:
    """Whether it holds a document, or names one."""
    return isinstance(payload.get("query"), str) or (payload.get("query") is None and names_document(payload))


def names_document(payload: Any) -> bool:
    """Whether it has the hash of a document, or what may be one."""
    extensions = payload.get("extensions")
    return "documentId" in payload or (isinstance(extensions, dict) and "persistedQuery" in extensions)
