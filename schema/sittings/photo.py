"""The photo of a sitting, as its proctor takes it at the check-in (H4, R7)."""

from typing import Annotated

import strawberry

from engine.pictures import MOST_BYTES
from resolvers.sittings import photos
from schema.arguments import Input
from schema.context import Info
from schema.file import FileLink
from schema.photo import PhotoAwaited
from schema.refusals import NotAllowed, NotLoggedIn, SittingNotFound, SittingStateForbids
from schema.sittings.answers import sitting_key
from schema.sittings.inputs import SittingInput


@strawberry.input(description="The sitting whose photo is to be added, or taken anew.")
class AddSittingPhotoInput(SittingInput):
    pass


AddSittingPhotoPayload = Annotated[
    PhotoAwaited | NotLoggedIn | NotAllowed | SittingNotFound | SittingStateForbids,
    strawberry.union("AddSittingPhotoPayload", description="Where to send the photo, or why none is taken."),
]


@strawberry.type
class SittingPhotoMutation:
    @strawberry.mutation(
        description="Ask where to send the photo of a sitting, as its proctor, from the check-in until the test "
        "begins; taken again until then, it replaces the one before. It is made anew: at most 1000 pixels wide and "
        "high, and nothing that was hidden in the file stays. Once the scores are reported it goes with the result."
    )
    async def add_sitting_photo(self, info: Info, input: Input[AddSittingPhotoInput]) -> AddSittingPhotoPayload:
        link = await photos.address_for(info.context.viewer, sitting_key(input.sitting_id))
        return PhotoAwaited(upload=FileLink.of(link), most_bytes=MOST_BYTES)
