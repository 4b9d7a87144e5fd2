"""What every way in needs: settings, clock, live events, and whether the process is going down."""

import asyncio
from dataclasses import dataclass, field

from engine.clock import Clock
from engine.events import Hub
from resolvers.journal import JournalEvent
from settings import Settings


@dataclass(slots=True)
class Services:
    """Made once per process, when the app starts."""

    settings: Settings
    clock: Clock
    hub: Hub[JournalEvent]
    draining: asyncio.Event = field(default_factory=asyncio.Event)
