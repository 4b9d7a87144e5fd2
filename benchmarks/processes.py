"""The processes that are measured: a real service and the floor, each alone on a port of its own."""

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.database import ROOT

START_SECONDS = 90
STOP_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Measured:
    """A server process, and where it listens."""

    port: int
    process: psutil.Process

    @property
    def cpu_seconds(self) -> float:
        """What its threads have used so far, in Python and in the kernel."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        return float(self.process.memory_info().rss) / 2**20


@contextmanager
def service(url: str, folder: Path, **more: str) -> Iterator[Measured]:
    """The service as in production: one process, JSON logs into a file; `more` are more settings."""
    production = {
        "PRODUCTION": "1",
        "SECRET_KEY": secrets.token_hex(32),
        "PUBLIC_URL": "https://seiseki.example",
        "VAR_DIR": str(folder),
        "LOG_FORMAT": "json",
        "STATEMENTS": "0",  # they need a key to sign with, and none is measured
    }
    with _running("service", ["cli.py", "serve"], url, production | more, folder) as measured:
        yield measured


# Measured is how much can be answered, and not how much is allowed.
ALL_THE_POINTS = {"POINTS_PER_INSTITUTION": "2000000000", "POINTS_PER_KEY": "2000000000"}


@contextmanager
def floor(url: str, folder: Path) -> Iterator[Measured]:
    """The floor as a server."""
    with _running("floor", ["-m", "benchmarks.floor"], url, {}, folder) as measured:
        yield measured


@contextmanager
def _running(name: str, command: list[str], url: str, env: dict[str, str], folder: Path) -> Iterator[Measured]:
    port = _free_port()
    settings = os.environ | {"DATABASE_URL": url, "HOST": "127.0.0.1", "PORT": str(port)} | ALL_THE_POINTS | env
    output = folder / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=settings, stdout=log, stderr=log)
    try:
        _wait_until_ready(process, port, output)
        yield Measured(port, psutil.Process(process.pid))
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    patience = time.monotonic() + START_SECONDS
    while time.monotonic() < patience and process.poll() is None:
        if _is_ready(port):
            return
        time.sleep(0.05)
    raise RuntimeError(f"It did not start; {output} ends:\n{output.read_text('utf-8')[-2000:]}")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
