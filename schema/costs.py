"""What fields cost, declared in the schema with `@cost` and `@listSize`, and read back before an operation runs."""

from typing import Any

from graphql import GraphQLField
from strawberry.federation.schema_directives import Cost, ListSize
from strawberry.types.unset import UNSET

HASHING = Cost(weight=100)  # a password is hashed: 50 ms of one core
HASHING_TWICE = Cost(weight=200)
SEARCH = Cost(weight=10)
BULK = Cost(weight=500)  # up to 500 rows are checked and written
SENDING = Cost(weight=100)  # to a stranger, who takes seconds to answer
COUNTED = Cost(weight=10)  # each is counted in the database, against a limit
COUNT = Cost(weight=10)  # rows are counted, not read
SIZED_FIELDS = ("edges", "nodes")
PAGE = ListSize(
    slicing_arguments=["first"], sized_fields=["edges"], assumed_size=50, require_one_slicing_argument=False
)
CHANGES = ListSize(
    slicing_arguments=["first"], sized_fields=["nodes"], assumed_size=100, require_one_slicing_argument=False
)
ENTITIES = ListSize(
    slicing_arguments=["representations"], sized_fields=UNSET, assumed_size=1, require_one_slicing_argument=False
)


def list_of(size: int) -> ListSize:
    """A list without paging, of about this many."""
    # None in place of UNSET would print `sizedFields: null`, which composers refuse
    return ListSize(assumed_size=size, slicing_arguments=UNSET, sized_fields=UNSET, require_one_slicing_argument=False)


def _declared(field: GraphQLField) -> tuple[Any, ...]:
    definition = field.extensions.get("strawberry-definition")
    return tuple(getattr(definition, "directives", ()))


def cost_of(field: GraphQLField) -> int | None:
    """The weight that a field declares."""
    return next((one.weight for one in _declared(field) if isinstance(one, Cost)), None)


def list_size_of(field: GraphQLField) -> ListSize | None:
    """The list size that a field declares; `_entities`, which Strawberry makes, is as long as what is asked for."""
    if "representations" in field.args:
        return ENTITIES
    return next((one for one in _declared(field) if isinstance(one, ListSize)), None)
