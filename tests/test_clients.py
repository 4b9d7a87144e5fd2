"""Other people's clients, auditors, composers and linters, as they come, against the service as it is really started.

They are written for Node and live in `tests/clients/`: each `*.test.js` there is one test here.
"""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import database, keys
from engine.clock import system_clock
from models.consent import CONSENT_VERSION
from tests.conftest import copy_of_template, with_name
from tests.node import CLIENTS, equipped_node, run  # noqa: F401  # a fixture
from tests.served import Served
from tests.world import PASSWORD, World, gid

FILES = sorted(CLIENTS.glob("*.test.js"))
FILE_SECONDS = 240
RESULTS = 12  # to send, in each file


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
    done = run(command, FILE_SECONDS, SEISEKI_CAST=json.dumps(cast), NO_COLOR="1")
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
