"""What a download of 100,000 results costs: how long it takes, how much the worker grows, and what the web feels of it.

Each format is made twice: by a worker in a process of its own, and by the one process that also serves; beside it one
client reads inbox pages as fast as it can, whose latencies are told with nothing else going on, and meanwhile.
"""

import argparse
import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil

from benchmarks import data, driver, processes
from benchmarks.cases import CASES
from benchmarks.data import VERIFIER, Size
from benchmarks.database import ROOT, fresh_copy
from benchmarks.driver import Round
from benchmarks.processes import Measured
from engine import embedded
from engine.clock import system_clock
from settings import Settings

SIZE = Size(candidates=100_000, results=100_000, institutions=1, dashboards=1)
QUICK = Size(candidates=2_000, results=3_000, institutions=1, dashboards=1)
FORMATS = ("CSV", "XLSX", "JSON")
MIB = 2**20
ORDER = """mutation ($input: RequestDownloadInput!) { requestDownload(input: $input) {
    ... on DownloadRequested { download { id } } ... on Refusal { message } } }"""
STATE = "query ($id: ID!) { download(id: $id) { status done rows size failure file { address } } }"
SECRET = "k" * 64  # the service and its worker must have the same
SETTINGS = {"POINTS_PER_INSTITUTION": "1000000000", "SECRET_KEY": SECRET}
INBOX = next(case for case in CASES if case.name == "inbox")


@dataclass(slots=True)
class Seen:
    """What was seen of one download; times in seconds, memory in bytes; the CPU is of the process that made it."""

    name: str
    ordered: float = 0.0
    made: float = 0.0
    fetched: float = 0.0
    size: int = 0
    growth: int = 0
    cpu: float = 0.0
    pages: Round = field(default_factory=Round)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each format in both ways."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.downloads", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3,000 results")
    parser.add_argument("formats", nargs="*", default=FORMATS, help=f"of {', '.join(FORMATS)}; all if none")
    options = parser.parse_args(arguments)
    settings = Settings.from_env()
    folder = settings.var / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    url = settings.database_url or embedded.start(folder / "postgres")
    name = "downloads_quick" if options.quick else "downloads"
    asyncio.run(_run(url, folder, QUICK if options.quick else SIZE, name, options.formats))


async def _run(url: str, folder: Path, size: Size, name: str, formats: Sequence[str]) -> None:
    async with fresh_copy(url, name, size, system_clock()) as copy:
        for apart in (True, False):
            settings = SETTINGS | {"WORKER": "0" if apart else "1"}
            with processes.service(copy, folder, **settings) as service:
                async with _worker(copy, folder, service, apart) as process:
                    alone = await _pages(service, size, 5)
                    _say(f"\n{'worker apart' if apart else 'one process'}: pages alone {_latencies(alone)}")
                    for format in formats:
                        _tell(await _download(service, process, size, format))


@asynccontextmanager
async def _worker(url: str, folder: Path, service: Measured, apart: bool) -> AsyncIterator[psutil.Process]:
    """The process that makes the files: one of its own, or the service."""
    if not apart:
        yield service.process
        return
    env = os.environ | {"DATABASE_URL": url, "VAR_DIR": str(folder), "STATEMENTS": "0", "LOG_FORMAT": "json"}
    env |= {"SECRET_KEY": SECRET, "PUBLIC_URL": "https://seiseki.example"}
    with (folder / "worker.log").open("wb") as log:
        command = (sys.executable, "cli.py", "worker")
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        await asyncio.sleep(5)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _pages(service: Measured, size: Size, seconds: float) -> Round:
    asked = (driver.to_service(INBOX, INBOX.asked(number, size)) for number in itertools.count())
    return await driver.drive(service.port, asked, INBOX.sign, clients=1, seconds=seconds)


async def _download(service: Measured, process: psutil.Process, size: Size, format: str) -> Seen:
    seen = Seen(format)
    headers = {"Authorization": f"Bearer {data.token(VERIFIER, 0)}"}
    base = f"http://127.0.0.1:{service.port}"
    async with httpx2.AsyncClient(base_url=base, headers=headers, timeout=60, trust_env=False) as http:
        before, cpu, began = process.memory_info().rss, _cpu(process), time.perf_counter()
        answer = await _ask(http, ORDER, input={"filter": {}, "format": format})
        seen.ordered = time.perf_counter() - began
        began, peak = time.perf_counter(), before
        while (state := (await _ask(http, STATE, id=answer["requestDownload"]["download"]["id"]))["download"])[
            "status"
        ] != "READY":
            if state["status"] == "FAILED":
                raise RuntimeError(state["failure"])
            seen.pages.add(await _pages(service, size, 0.5))
            peak = max(peak, process.memory_info().rss)
        seen.made, seen.growth, seen.size = time.perf_counter() - began, peak - before, state["size"]
        seen.cpu = _cpu(process) - cpu
        began = time.perf_counter()
        fetched = await http.get(urlsplit(state["file"]["address"]).path)
        seen.fetched = time.perf_counter() - began
        if fetched.status_code != 200 or len(fetched.content) != seen.size:
            raise RuntimeError(f"fetched: {fetched.status_code}")
    return seen


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _ask(http: httpx2.AsyncClient, query: str, **variables: Any) -> Any:
    body = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
    if "errors" in body:
        raise RuntimeError(str(body["errors"]))
    return body["data"]


def _tell(seen: Seen) -> None:
    _say(
        f"{seen.name:5} ordered {seen.ordered:5.1f} s   made {seen.made:6.1f} s, CPU {seen.cpu:5.1f} s"
        f"   fetched {seen.fetched:5.1f} s"
        f"   {seen.size / MIB:6.1f} MiB   worker grew {seen.growth / MIB:5.0f} MiB   pages {_latencies(seen.pages)}"
    )


def _latencies(pages: Round) -> str:
    times = sorted(pages.latencies)
    if not times:
        return "none"
    p50, p99 = (1000 * times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.99))
    return f"p50 {p50:5.1f} ms, p99 {p99:6.1f} ms of {len(times)}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
