"""What happens to a candidate's results, live."""

from collections.abc import AsyncGenerator
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import journal, result_changes
from schema import result
from schema.context import Info
from schema.pages import journal_place

if TYPE_CHECKING:
    from schema.result import Result


@strawberry.enum(description="What happened to a result.")
class ResultChangeKind(Enum):
    RELEASED = strawberry.enum_value("RELEASED", description="It was released.")
    AMENDED = strawberry.enum_value("AMENDED", description="Something in it was wrong, or was decided at last.")
    WITHHELD = strawberry.enum_value("WITHHELD", description="It was withheld after its release.")
    RELEASED_AGAIN = strawberry.enum_value("RELEASED_AGAIN", description="It was withheld, and is shown again.")
    REVOKED = strawberry.enum_value("REVOKED", description="It was revoked, for good.")


@strawberry.type(description="A change of one of the viewer's own results.")
class ResultChange:
    cursor: str = strawberry.field(description="Keep it, and give it as `after` when you come back.")
    kind: ResultChangeKind = strawberry.field(description="What happened.")
    happened_at: datetime = strawberry.field(description="When, UTC.")
    version: int = strawberry.field(
        description="The version of the result after it; where `result.version` is higher, more has happened since."
    )
    result: Annotated["Result", strawberry.lazy("schema.result")] = strawberry.field(
        description="The result as it is now; its `versions` tell why earlier ones ended."
    )


@strawberry.type
class ResultChangeSubscription:
    @strawberry.subscription(
        description="Each change of the candidate's own results, once: amended, withheld, released again and revoked "
        "within a second, released within seconds of its moment. With `after`, first all that came since."
    )
    async def result_changes(
        self,
        info: Info,
        after: Annotated[
            str | None,
            strawberry.argument(description="The last `cursor` you have, or `0.0` for all that ever came; null: none."),
        ] = None,
    ) -> AsyncGenerator[ResultChange, None]:
        bookmark = info.context.begin(journal_place(after))
        async for event in result_changes.follow(info.context.viewer, info.context.result_hub, bookmark):
            if event.result is not None:
                info.context.renew()
                yield ResultChange(
                    cursor=journal.cursor_text(event.cursor),
                    kind=ResultChangeKind[event.kind.value],
                    happened_at=event.happened_at,
                    version=event.version,
                    result=result.Result.of(event.result, info.context.viewer),
                )
