"""Other people's clients, auditors, composers and linters, as they come, against the service as it is really started.

They are written for Node and live in `tests/clients/`: each `*.test.js` there is one test here.
"""

import asyncio
import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine import database, keys
from engine.clock import system_clock
from models.consent import CONSENT_VERSION
from tests.conftest import copy_of_template, with_name
from tests.served import Served
from tests.world import PASSWORD, World, gid

CLIENTS = Path(__file__).parent / "clients"
FILES = sorted(CLIENTS.glob("*.test.js"))
OLDEST_NODE = (20, 14)
ASK_REGISTRY = ("view", "graphql", "name")  # without a registry, an installation would try it for minutes
INSTALL = ("ci",)
INSTALL_SECONDS = 300
FILE_SECONDS = 60
RESULTS = 12  # to send, in each file
# What npm says where there is no registry, or one that has not got what the lock names.
NO_REGISTRY = re.compile(r"npm error code (ENOTFOUND|EAI_AGAIN|ECONN\w+|\w*TIMEDOUT|\w+UNREACH|E40[1347]|E5..|ETARGET)")


@pytest.fixture(scope="session")
def node() -> str:
    """The program, with everything beside it that the lock names; who cannot have that is told that nothing was tried.

    No other test may be skipped: Node is needed by these alone.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        _skip("there is no node, or no npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = re.match(r"v(\d+)\.(\d+)\.", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_NODE:
        _skip(f"node is {version or 'a program that does not run'}")
    _install(npm)
    return node


def _skip(why: str) -> NoReturn:
    pytest.skip(f"NO CLIENT, AUDITOR, COMPOSER OR LINTER WAS TRIED (they need Node 20.14 and npm's registry): {why}")


def _install(npm: str) -> None:
    """Install what the lock names, once for each lock; one worker does it, and the others wait."""
    stamp = CLIENTS / "node_modules" / ".installed"
    with (CLIENTS / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = sha256(lock.read()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        for command in (ASK_REGISTRY, INSTALL):
            done = _run([npm, *command, "--loglevel=error", "--fetch-retries=1"], INSTALL_SECONDS)
            if missing := NO_REGISTRY.search(done.stderr):
                _skip(missing[0])
            assert done.returncode == 0, done.stderr
        stamp.write_text(wanted)


def _run(command: list[str], seconds: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command run in the clients' folder; one that takes too long has failed, and what it said is kept."""
    try:
        return subprocess.run(
            command, cwd=CLIENTS, env=os.environ | environment,
            capture_output=True, encoding="utf-8", timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        said = b"".join(part for part in (late.stdout, late.stderr) if isinstance(part, bytes)).decode()
        late_too = f"npm error code TIMEDOUT: not done in {seconds} seconds\n"
        return subprocess.CompletedProcess(command, -1, said, late_too)


@pytest.fixture(scope="module")
def served(server_url: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service on a database of its own, as none of its settings but the needed ones are given."""
    name = f"clients_{worker_id}"
    asyncio.run(copy_of_template(server_url, name))
    served = Served(tmp_path_factory.mktemp("served"), with_name(server_url, name)).start()
    try:
        yield served.ready()
    finally:
        served.stop()


@pytest.fixture(scope="module")
def world() -> World:
    """One for all files, so that numbers and addresses differ; with the clock and the key of what is served."""
    keys.use(b"k" * 32)
    return World(system_clock)


async def _cast(world: World, served: Served) -> dict[str, Any]:
    """People and things for one file alone: a candidate with results to send, and a verifier to receive them."""
    assert served.database_url is not None
    async with database.opened(served.database_url, pool_size=2, everywhere=False):
        candidate, institution = await world.candidate(), await world.institution("Aoba Gakuin University")
        verifier = await world.verifier(institution)
        entries = [await world.entry(candidate) for _ in range(RESULTS)]
        results = [await world.result(entry, skills={}) for entry in entries]
    return {
        "url": served.url,
        "candidate": {"idNumber": entries[0].id_number, "password": PASSWORD},
        "verifier": {"email": verifier.email, "password": PASSWORD},
        "institution": gid(institution),
        "consentVersion": CONSENT_VERSION,
        "results": [gid(result) for result in results],
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.js"))
def test_programs_of_other_people_work_as_they_come(file: Path, node: str, served: Served, world: World) -> None:
    """Every Node test of one file; what fails is shown as Node tells it."""
    cast = asyncio.run(_cast(world, served))
    command = [node, "--test", "--test-force-exit", "--test-reporter=spec", str(file)]
    done = _run(command, FILE_SECONDS, SEISEKI_CAST=json.dumps(cast), NO_COLOR="1")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert re.search(r"^ℹ pass [1-9]", done.stdout, re.MULTILINE), f"nothing ran:\n{done.stdout}"


def test_clients_come_back_when_the_service_is_restarted(node: str, served: Served, world: World) -> None:
    """As at every deployment: shares that were sent meanwhile come too, and nothing comes twice."""
    cast = asyncio.run(_cast(world, served))
    watching = subprocess.Popen(
        [node, "restarted.js"], cwd=CLIENTS, env=os.environ | {"SEISEKI_CAST": json.dumps(cast)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    )  # fmt: skip
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "watching\n"
        served.terminate()
        assert served.ended() == 0
        served.start().ready()
        said, _ = watching.communicate(timeout=FILE_SECONDS)
        assert watching.returncode == 0, said
    finally:
        watching.kill()
