"""Addresses of files."""

from datetime import datetime

import strawberry

from resolvers.files import Link


@strawberry.type(description="Where one file is for a short time, for the session that asked.")
class FileLink:
    address: str = strawberry.field(
        description="Whole address, to be opened as it is: no token need be sent with it. Whoever has it has the file, "
        "so it is not to be kept or passed on. It serves until `endsAt`, and no longer than the session lasts and the "
        "file may be seen."
    )
    ends_at: datetime = strawberry.field(description="The moment from which it leads nowhere, UTC; ask anew then.")

    @classmethod
    def of(cls, link: Link) -> "FileLink":
        """The link as clients see it."""
        return cls(address=link.address, ends_at=link.ends_at)
