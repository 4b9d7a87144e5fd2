"""What happens to a sitting, in its timeline and live (H9, H10)."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated

import strawberry

from engine.database import Row
from resolvers import journal
from resolvers.sittings import events
from schema.context import Info
from schema.ids import key_of
from schema.pages import journal_place
from schema.sittings.parts import message_id
from schema.sittings.states import SittingActor, SittingEventKind, SittingState


@strawberry.type(description="Something that happened to a sitting.")
class SittingEvent:
    kind: SittingEventKind = strawberry.field(description="What happened.")
    state: SittingState = strawberry.field(description="Where the sitting stood after it.")
    happened_at: datetime = strawberry.field(description="When, UTC.")
    actor: SittingActor = strawberry.field(description="Who did it.")
    detail: str | None = strawberry.field(description="Such as the step, the section, or the id of the message.")
    cursor: str | None = strawberry.field(
        default=None, description="In a stream: keep it, and give it as `after` when you come back; else null."
    )

    @classmethod
    def of(cls, row: Row) -> "SittingEvent":
        """The event of a row of `parts.EVENTS`."""
        kind = SittingEventKind(row["kind"])
        return cls(
            kind=kind,
            state=SittingState(row["state"]),
            happened_at=row["happened_at"],
            actor=SittingActor(row["actor"]),
            detail=_detail(kind, row["detail"]),
        )


def _detail(kind: SittingEventKind, written: str | None) -> str | None:
    return message_id(written) if kind is SittingEventKind.MESSAGE_SENT else written


@strawberry.type
class SittingSubscription:
    @strawberry.subscription(
        description="Each event of a sitting, once, within a second; with `after`, first all that came since. It ends "
        "for a proctor who does not have the sitting any more. Whoever follows it is connected as long as their client "
        "is heard, and while the sitting runs their session is in use."
    )
    async def sitting_events(
        self,
        info: Info,
        sitting_id: Annotated[strawberry.ID, strawberry.argument(description="The sitting.")],
        after: Annotated[
            str | None,
            strawberry.argument(description="The last `cursor` you have, or `0.0` for all that ever came; null: none."),
        ] = None,
    ) -> AsyncGenerator[SittingEvent, None]:
        key = key_of(sitting_id, "Sitting")
        if key is None:
            return
        bookmark = info.context.begin(journal_place(after))
        viewer, context = info.context.viewer, info.context
        with context.presence.connected(viewer, key, context.heard):
            async for event in events.follow(viewer, context.sitting_hub, key, bookmark):
                context.renew()
                kind = SittingEventKind(event.kind.value)
                yield SittingEvent(
                    kind=kind,
                    state=SittingState(event.state.value),
                    happened_at=event.happened_at,
                    actor=SittingActor(event.actor.value),
                    detail=_detail(kind, event.detail),
                    cursor=journal.cursor_text(event.cursor),
                )
