"""Arguments that many fields take, described once."""

from typing import Annotated, TypeVar

import strawberry
from graphql import GraphQLError

from models.candidate import LANGUAGES
from models.viewer import Viewer
from schema.node import LANGUAGE_DESCRIPTION

T = TypeVar("T")

Input = Annotated[T, strawberry.argument(description="All that the order needs.")]
Id = Annotated[strawberry.ID, strawberry.argument(description="An id that this service gave.")]
Language = Annotated[
    str | None,
    strawberry.argument(description=f"Language of the text, {LANGUAGE_DESCRIPTION} Null: the viewer's own."),
]


def language_for(viewer: Viewer, wanted: str | None, name: str = "language") -> str:
    """The language asked for, or the viewer's own (A12); anything else is a bad query."""
    if wanted is None:
        return viewer.language
    if wanted not in LANGUAGES:
        raise GraphQLError(f"`{name}` must be en or ja.", extensions={"code": "BAD_USER_INPUT"})
    return wanted
