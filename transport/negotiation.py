"""Which of our answers a client wants, by its Accept header (RFC 9110, q-values; GraphQL over HTTP)."""

from graphql import OperationType
from starlette.datastructures import Headers

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed"
VARY = "Accept, Authorization, Cookie"


def media_type(accept: str | None, operation: OperationType) -> str | None:
    """The type to answer an operation with; None when the client takes none that could.

    A subscription needs a stream. Anything else is answered at once unless only a stream is wanted: urql lists
    text/event-stream last among equals, and does not mean it. Between equals, whoever names the newer type knows it.
    """
    if operation is OperationType.SUBSCRIPTION:
        return chosen(accept, (EVENTS, MULTIPART)) if accept else None
    return chosen(accept, answers(accept)) or chosen(accept, (EVENTS,))


def accept_of(headers: Headers) -> str | None:
    """What the client takes; several Accept headers are one list."""
    return ", ".join(headers.getlist("accept")) or None


def answers(accept: str | None) -> tuple[str, str]:
    """The types of an answer that is no stream, the one that wins a tie first."""
    return (GRAPHQL, JSON) if GRAPHQL in (accept or "").lower() else (JSON, GRAPHQL)


def chosen(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """The offered type that the client likes best, the earlier offer on a tie; None when it takes none of them."""
    if not accept:
        return offered[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    liked = [(_quality(kind, ranges), -place, kind) for place, kind in enumerate(offered)]
    quality, _, kind = max(liked)
    return kind if quality > 0 else None


def _range(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
    try:
        return kind, min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return kind, 0.0


def _quality(kind: str, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that holds the type."""
    for wanted in (kind, kind.partition("/")[0] + "/*", "*/*"):
        found = [quality for range_, quality in ranges if range_ == wanted]
        if found:
            return max(found)
    return 0.0


def essence(content_type: str | None) -> str:
    """A media type without its parameters, lower case."""
    return (content_type or "").partition(";")[0].strip().lower()
