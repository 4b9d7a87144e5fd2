"""Everything that is held about a candidate, for themselves."""

from typing import Annotated

import strawberry

from resolvers import exports
from schema.arguments import Input
from schema.context import Info
from schema.costs import HASHING
from schema.file import FileLink
from schema.refusals import LoginLocked, NotAllowed, NotLoggedIn, TooManyTries, WrongPassword


@strawberry.input(description="Fetch everything that is held about oneself.")
class ExportMyDataInput:
    password: str = strawberry.field(description="The current password.")


@strawberry.type(description="Where the export is: a ZIP file with `data.json`, the statements as PDF, and photos.")
class ExportReady:
    file: FileLink = strawberry.field(description="Its address, for this session and 15 minutes; made when fetched.")


ExportMyDataPayload = Annotated[
    ExportReady | NotLoggedIn | NotAllowed | WrongPassword | LoginLocked | TooManyTries,
    strawberry.union("ExportMyDataPayload", description="Where the export is, or why there is none."),
]


@strawberry.type
class ExportMutation:
    @strawberry.mutation(
        description="As a candidate: fetch everything that is held about oneself: details, entries, results, shares "
        "with their consents, the access log, invitations, mails (kinds and times), sessions (times), statements and "
        "photos. Wrong passwords count as wrong tries to log in.",
        directives=[HASHING],
    )
    async def export_my_data(self, info: Info, input: Input[ExportMyDataInput]) -> ExportMyDataPayload:
        return ExportReady(file=FileLink.of(await exports.link(info.context.viewer, input.password)))
