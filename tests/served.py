"""`cli.py serve` or `worker` as a real process on a free port, and streams as programs open them."""

import asyncio
import inspect
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.forked import Forked, started

START_SECONDS = 90
PLENTY = "1000000000"


def free_port() -> int:
    """A port that nobody listens on; on Linux nobody else is given it as long as this process lives."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that who knows its number can listen on it
    kept.bind(("127.0.0.1", 0))
    port: int = kept.getsockname()[1]
    if sys.platform == "linux":
        kept.detach()
    else:  # nobody could listen on it beside us
        kept.close()
    return port


@dataclass(slots=True)
class Served:
    """One process of the service; `var` keeps its folder and what it said."""

    var: Path
    database_url: str | None
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: Forked | None = None
    command: str = "serve"

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> Forked:
        """The process, which must have been started."""
        assert self.process is not None
        return self.process

    def start(self, *options: str) -> "Served":
        """Start it, without waiting until it is ready."""
        self.var.mkdir(parents=True, exist_ok=True)
        given = {"VAR_DIR": str(self.var), "PORT": str(self.port), "SECRET_KEY": "k" * 32, "LOG_FORMAT": "json"}
        given |= {"POINTS_PER_INSTITUTION": PLENTY, "POINTS_PER_KEY": PLENTY}
        if self.database_url is not None:
            given["DATABASE_URL"] = self.database_url
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = kept | given | self.environment
        arguments = [self.command, *options]
        self.process = started(arguments, environment, self.var / "stdout", self.var / "stderr")
        return self

    def ready(self) -> "Served":
        """Wait until /readyz says so."""
        until = time.monotonic() + START_SECONDS
        while self.readiness() != 200:
            assert self.running.poll() is None, f"it ended with {self.running.returncode}: {self.stderr}"
            assert time.monotonic() < until, f"not ready: {self.stderr}"
            time.sleep(0.05)
        return self

    def readiness(self) -> int:
        """The status of /readyz; 0 while nothing answers."""
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code
        except httpx2.TransportError:
            return 0

    def kill(self) -> None:
        """End it as a power cut would."""
        self.running.kill()
        self.running.wait(10)

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        self.running.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = 60) -> int:
        """Wait until it has ended; its exit status."""
        return self.running.wait(seconds)

    def stop(self) -> None:
        """End it in order if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.terminate()
            self.ended()

    @property
    def stdout(self) -> str:
        """What it said."""
        return (self.var / "stdout").read_text("utf-8")

    @property
    def stderr(self) -> str:
        """What it logged."""
        return (self.var / "stderr").read_text("utf-8")


async def until(happened: Callable[[], object], seconds: float = 60, every: float = 0.01) -> None:
    """Wait until something, asked by a plain or an asynchronous function, has happened; fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while not await _told(happened()):  # noqa: ASYNC110  # what happens in another process sets no event
            await asyncio.sleep(every)


async def _told(answer: object) -> object:
    return await answer if inspect.isawaitable(answer) else answer
