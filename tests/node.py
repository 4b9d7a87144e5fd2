"""Node, and the programs of other people that `tests/clients/package-lock.json` names."""

import fcntl
import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest

CLIENTS = Path(__file__).parent / "clients"
OLDEST_NODE = (20, 14)
ASK_REGISTRY = ("view", "graphql", "name")  # without a registry, an installation would try it for minutes
INSTALL = ("ci",)
INSTALL_SECONDS = 300
# What npm says where there is no registry, or one that has not got what the lock names.
NO_REGISTRY = re.compile(r"npm error code (ENOTFOUND|EAI_AGAIN|ECONN\w+|\w*TIMEDOUT|\w+UNREACH|E40[1347]|E5..|ETARGET)")


@pytest.fixture(scope="session", name="node")
def equipped_node() -> str:
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
    pytest.skip(
        f"NO CLIENT, AUDITOR, COMPOSER, GATEWAY OR LINTER WAS TRIED (they need Node 20.14 and npm's registry): {why}"
    )


def _install(npm: str) -> None:
    """Install what the lock names, once for each lock; one worker does it, and the others wait."""
    stamp = CLIENTS / "node_modules" / ".installed"
    with (CLIENTS / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = sha256(lock.read()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        for command in (ASK_REGISTRY, INSTALL):
            done = run([npm, *command, "--loglevel=error", "--fetch-retries=1"], INSTALL_SECONDS)
            if missing := NO_REGISTRY.search(done.stderr):
                _skip(missing[0])
            assert done.returncode == 0, done.stderr
        stamp.write_text(wanted)


def run(command: list[str], seconds: int, **environment: str) -> subprocess.CompletedProcess[str]:
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
