"""Connections by Relay's rules."""

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import strawberry
from graphql import GraphQLError

from engine.events import Cursor
from errors import CursorNotValid
from resolvers import due_pages, exam_sessions, journal
from resolvers.pages import Place, place_after

P = TypeVar("P")

MOST = 100
NO_CURSOR = "`after` is not a cursor of this service."
First = Annotated[int, strawberry.argument(description=f"How many at most, 1 to {MOST}.")]
After = Annotated[str | None, strawberry.argument(description="A cursor: only what comes after it.")]


@strawberry.federation.type(shareable=True, description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more behind this page.")
    has_previous_page: bool = strawberry.field(description="Always false: lists are paged forward only.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first edge; null if empty.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last edge, for `after`; null if empty.")


def page_info(cursors: Iterable[str], has_next: bool) -> PageInfo:
    """The PageInfo for a page with these cursors."""
    cursors = list(cursors)
    return PageInfo(
        has_next_page=has_next,
        has_previous_page=False,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def bad_input(message: str) -> GraphQLError:
    """An argument that no value of its type should have been; told to the client as it is."""
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def place(first: int, after: str | None) -> Place:
    """A checked place to begin a page at; a wrong argument is the client's bug, told with code BAD_USER_INPUT."""
    return _checked(place_after, first, after)


def due_place(first: int, after: str | None) -> due_pages.DuePlace:
    """The same for lists of what is due."""
    return _checked(due_pages.place_after, first, after)


def session_place(first: int, after: str | None) -> exam_sessions.SessionPlace:
    """The same for lists of sessions."""
    return _checked(exam_sessions.place_after, first, after)


def journal_place(after: str | None) -> Cursor | None:
    """The place that a stream of events goes on from; None: from now on."""
    if after is None:
        return None
    try:
        return journal.cursor_from(after)
    except CursorNotValid:
        raise bad_input(NO_CURSOR) from None


def _checked(read: Callable[[str | None, int], P], first: int, after: str | None) -> P:
    if not 1 <= first <= MOST:
        raise bad_input(f"`first` must be from 1 to {MOST}.")
    try:
        return read(after, first)
    except CursorNotValid:
        raise bad_input(NO_CURSOR) from None
