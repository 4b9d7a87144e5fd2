"""The Node interface: everything that can be fetched again by its id."""

import strawberry


@strawberry.interface(description="Anything that can be fetched again with `node(id:)`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, and unique over all types.")


LANGUAGE_DESCRIPTION = "`en` or `ja`."
