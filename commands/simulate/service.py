"""The service that a simulation starts for itself, on data of its own, and kills."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import NoReturn

import httpcore2
import psutil

from commands.simulate.accounts import NotPossible
from engine import embedded
from settings import Settings

COMMAND = Path(__file__).parents[2] / "cli.py"
START_SECONDS = 120
LOOKS_EVERY = 0.5
STOP_SECONDS = 30


def own_settings() -> Settings:
    """Settings of a service with a folder of its own in VAR_DIR, and a database there unless DATABASE_URL is set.

    Raises NotPossible in a production.
    """
    given = checked(Settings.from_env())
    var = given.var / "simulation"
    var.mkdir(parents=True, exist_ok=True)
    url = given.database_url or embedded.start(var / "postgres")
    port = free_port()
    own = {
        "VAR_DIR": str(var), "DATABASE_URL": url, "PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HOST": "127.0.0.1", "CONNECTIONS_PER_ADDRESS": "10000",  # all apps are on this machine
    }  # fmt: skip
    os.environ.update(own)
    return Settings.from_env()


def checked(settings: Settings) -> Settings:
    """The settings, if people who are made up may stay there. Raises NotPossible."""
    if settings.production:
        raise NotPossible("Not in production: people who are made up would stay there.")
    return settings


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """One web process, started again and again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = settings.var / "service.log"
        self.process: Process | None = None
        self.cpu_seconds = 0.0  # of the processes that have ended
        self.is_wanted = False

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.settings.port}/graphql"

    async def start(self, ahead_seconds: int = 0) -> None:
        """Start it, with a clock so far ahead, and wait until it is ready. Raises NotPossible."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(COMMAND), "serve", "--demo", "--ahead", str(ahead_seconds),
                stdout=log, stderr=log,
            )  # fmt: skip
        self.is_wanted = True
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._is_ready():  # noqa: ASYNC110  # another process sets no event
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NotPossible(f"The service is not ready; see {self.log}.") from None

    async def _is_ready(self) -> bool:
        if self.process is None or self.process.returncode is not None:
            raise NotPossible(f"The service has ended; see {self.log}.")
        address = f"http://127.0.0.1:{self.settings.port}/readyz"
        try:
            async with httpcore2.AsyncConnectionPool() as http:
                return (await http.request("GET", address)).status == 200
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
            return False

    async def broken(self) -> NoReturn:
        """Until it has ended although nobody here has ended it. Raises NotPossible then."""
        while True:
            await asyncio.sleep(LOOKS_EVERY)
            if self.is_wanted and self.process is not None and self.process.returncode is not None:
                raise NotPossible(f"The service has ended by itself, with {self.process.returncode}; see {self.log}.")

    def _note_cpu(self, process: Process) -> None:
        self.is_wanted = False
        times = psutil.Process(process.pid).cpu_times()
        self.cpu_seconds += times.user + times.system

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.returncode is None:
            self._note_cpu(self.process)
            self.process.kill()
            await self.process.wait()

    async def stop(self) -> None:
        """End it in order."""
        if self.process is None or self.process.returncode is not None:
            return
        self._note_cpu(self.process)
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            await self.kill()
