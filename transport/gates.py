"""How much of a thing one asker may have at one time, in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from engine.limits import network
from models.viewer import Viewer


class TooMany(Exception):
    """The asker has as many of these as one may have at one time."""

    def __init__(self, things: str, most: int) -> None:
        super().__init__(f"Too many {things} at the same time, at most {most}: wait for some to end.")
        self.code = f"TOO_MANY_{things.upper()}"
        self.things = things
        self.most = most

    @property
    def facts(self) -> dict[str, int]:
        """What a client needs to know of it beside the message."""
        return {"limit": self.most}


class Gate:
    """Counts what each asker has open; nothing is kept of one who has nothing."""

    def __init__(self, most: int, things: str) -> None:
        self.most = most
        self.things = things
        self._open: Counter[str] = Counter()

    def check(self, asker: str) -> None:
        """Raises TooMany when one more would be too many."""
        if self._open[asker] >= self.most:
            raise TooMany(self.things, self.most)

    @contextmanager
    def passing(self, asker: str) -> Iterator[None]:
        """One more, for as long as the block lasts. Raises TooMany."""
        self.check(asker)
        self._open[asker] += 1
        try:
            yield
        finally:
            self._open[asker] -= 1
            if not self._open[asker]:
                del self._open[asker]

    def __len__(self) -> int:
        return self._open.total()


def asker(viewer: Viewer) -> str:
    """Whose things are counted together: an account's, or those of an anonymous network."""
    return str(viewer.id) if viewer.id else network(viewer.address)
