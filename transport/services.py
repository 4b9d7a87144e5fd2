"""What every way in needs: settings, clock, live events, gates, paces, and whether the process is going down."""

import asyncio
from dataclasses import dataclass, field

from engine.clock import Clock
from engine.events import Hub
from engine.pace import Pace
from resolvers.downloads.progress import Progress
from resolvers.journal import JournalEvent
from resolvers.result_changes import ResultEvent
from resolvers.sittings.events import SittingEvent
from resolvers.sittings.presence import Presence
from resolvers.suggestions import SEARCHES
from settings import Settings
from transport.gates import Gate
from transport.known_documents import KnownDocuments


@dataclass(slots=True)
class Services:
    """Made once per process, when the app starts."""

    settings: Settings
    clock: Clock
    hub: Hub[JournalEvent]
    result_hub: Hub[ResultEvent]
    download_hub: Hub[Progress]
    sitting_hub: Hub[SittingEvent]
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    operations: Gate = field(init=False)
    streams: Gate = field(init=False)
    sockets: Gate = field(init=False)
    documents: KnownDocuments = field(init=False)
    presence: Presence = field(init=False)
    searches: Pace = field(default_factory=lambda: Pace(SEARCHES))

    def __post_init__(self) -> None:
        self.operations = Gate(self.settings.operations_per_viewer, "operations")
        self.streams = Gate(self.settings.streams_per_viewer, "streams")
        self.presence = Presence(self.clock)
        self.documents = KnownDocuments(self.settings.documents, self.settings.known_documents)
        self.sockets = Gate(self.settings.connections_per_address, "connections")
