"""Arguments that many fields take, described once."""

from typing import Annotated, TypeVar

import strawberry

from schema.node import LANGUAGE_DESCRIPTION

T = TypeVar("T")

Input = Annotated[T, strawberry.argument(description="All that the order needs.")]
Id = Annotated[strawberry.ID, strawberry.argument(description="An id that this service gave.")]
Language = Annotated[str, strawberry.argument(description=f"Language of the text, {LANGUAGE_DESCRIPTION}")]
