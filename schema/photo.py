"""Test-day photos as staff add them (R7)."""

from typing import Annotated
from uuid import uuid4

import strawberry

from engine.pictures import MOST_BYTES
from resolvers import photos
from schema.arguments import Input
from schema.context import Info
from schema.file import FileLink
from schema.ids import key_of
from schema.refusals import EntryNotFound, InvalidInput, NotAllowed, NotLoggedIn


@strawberry.input(description="The entry that a test-day photo is to be added to, or replaced in.")
class AddPhotoInput:
    entry_id: strawberry.ID = strawberry.field(description="The entry; its exam takes photos (`Exam.hasPhoto`).")


@strawberry.type(description="Where to send the photo.")
class PhotoAwaited:
    upload: FileLink = strawberry.field(
        description="`PUT` the JPEG or PNG file itself to this address, with nothing round it. 201 tells that it is "
        "kept and has replaced the one before; 422 says what is wrong with it, and another may be sent. The address "
        "serves for one photo."
    )
    most_bytes: int = strawberry.field(description="How large the file may be, in bytes.")


AddPhotoPayload = Annotated[
    PhotoAwaited | NotLoggedIn | NotAllowed | EntryNotFound | InvalidInput,
    strawberry.union("AddPhotoPayload", description="Where to send the photo, or why none is taken."),
]


@strawberry.type
class PhotoMutation:
    @strawberry.mutation(
        description="Ask where to send the test-day photo of an entry. For staff: the board's for any entry, a "
        "centre's for its own. The photo is made anew: at most 1000 pixels wide and high, and nothing that was hidden "
        "in the file stays."
    )
    async def add_photo(self, info: Info, input: Input[AddPhotoInput]) -> AddPhotoPayload:
        # an id of another kind names nothing, as a fresh key does
        key = key_of(input.entry_id, "Entry") or uuid4()
        link = await photos.address_for(info.context.viewer, key)
        return PhotoAwaited(upload=FileLink.of(link), most_bytes=MOST_BYTES)
