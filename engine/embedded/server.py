"""One PostgreSQL server: making its data, starting it, finding it running, shutting it down."""

import os
import shlex
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.embedded import places
from engine.embedded.places import (
    MAJOR,
    Account,
    EmbeddedFailure,
    account_of,
    passable,
    programs_for,
    run_as,
)

DATABASE = "seiseki"
LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")  # bytes: macOS allows 103 for the whole path, Linux 107
NO_PID = "99999999"  # more than any system gives out

# Written into the postgresql.conf of new data, where whoever runs the machine may change them.
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # this and the next keep names and addresses out of the log
    "log_min_error_statement": "panic",
}
CREATE_IF_MISSING = r"""
SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
"""
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Server:
    """One PostgreSQL: where its programs and data are, and who it runs as (None: whoever we are)."""

    programs: Path
    data: Path
    account: Account | None

    def run(self, program: str, *arguments: str | Path, stdin: str = "") -> None:
        """Run one of PostgreSQL's programs to its end. Raises EmbeddedFailure with what it said."""
        done = run_as(self.account, self.programs / program, *arguments, stdin=stdin)
        if done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            raise EmbeddedFailure(f"PostgreSQL's {program} failed: {said}\n{_end_of(self.data / 'log')}")


def server_at(place: Path) -> Server:
    data = place / MAJOR
    account = account_of(data)
    return Server(programs_for(account), data, account)


def create(server: Server, fast: bool) -> None:
    """Make new data beside their place and move them there when they are whole."""
    for unfinished in server.data.parent.glob(f"{MAJOR}.new*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f"{MAJOR}.new-", dir=server.data.parent))
    if server.account:
        os.chown(new, *server.account)
    # builtin C.UTF-8: the same order and the same upper and lower case on every machine
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    access = ("--username=postgres", "--auth-local=trust", "--auth-host=reject")
    settings = (f"--set={name}={value}" for name, value in SETTINGS.items())
    server.run("initdb", "--pgdata", new, *locale, *access, *settings, *(["--no-sync"] if fast else []))
    new.rename(server.data)


def running(data: Path) -> Path | None:
    """The folder of the socket if the server is up; a server on its way up or down is waited for."""
    for _ in range(1200):
        facts = _postmaster(data)
        if facts is None:
            return None
        if facts[7].strip() == "ready":
            return Path(facts[4])
        time.sleep(0.1)
    raise EmbeddedFailure(f"PostgreSQL in {data} is neither up nor down after two minutes.\n{_end_of(data / 'log')}")


def _postmaster(data: Path) -> list[str] | None:
    """What a running server wrote about itself, in eight lines: pid first, folder of the socket fifth, state last."""
    try:
        facts = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return [*facts, *[""] * 8] if facts and _is_postmaster(facts[0], data) else None


def _is_postmaster(pid: str, data: Path) -> bool:
    try:
        process = psutil.Process(int(pid))
        return process.name() == "postgres" and str(data) in process.cmdline()
    except (ValueError, psutil.Error):
        return False


def launch(server: Server, fast: bool) -> Path:
    """Start a server that is not running; the answer is the folder of its socket."""
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        _forget_foreign_pid(server.data / name)
    output = server.data / "log"
    if output.exists():
        output.replace(output.with_suffix(".1"))
    socket_folder = _socket_folder(server)
    settings = (f"-c{name}={value}" for name, value in FAST.items()) if fast else ()
    options = shlex.join(["-k", str(socket_folder), "-p", "5432", *settings])
    where = ("--pgdata", server.data, "--log", output, "--options", options)
    server.run("pg_ctl", "start", *where, "--wait", "--timeout=120")
    return socket_folder


def _forget_foreign_pid(lock_file: Path) -> None:
    """Cross out the pid of a crashed server if it is another program's by now, as in every new container.

    PostgreSQL would refuse to start. The rest of the file stays: by it PostgreSQL still finds
    survivors of the crash that write to the data.
    """
    if not lock_file.exists():
        return
    pid, _, rest = lock_file.read_text().partition("\n")
    if _is_foreign(pid):
        with open(os.open(lock_file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
            file.write(f"{NO_PID}\n{rest}")


def _is_foreign(pid: str) -> bool:
    if not pid.isdigit():  # the crash came while it was written
        return True
    try:
        process = psutil.Process(int(pid))
        return process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _socket_folder(server: Server) -> Path:
    """The data's own folder, or a private one with a short name if the system or PostgreSQL cannot take that path."""
    path = str(server.data)
    if len(os.fsencode(path)) <= LONGEST_SOCKET_FOLDER and not set(path) & set(',"'):
        return server.data
    above = passable(places.SYSTEM_FOLDER / "sockets") if server.account else Path("/tmp")  # noqa: S108  # by mkdtemp
    folder = Path(tempfile.mkdtemp(prefix="seiseki-", dir=above))
    if server.account:
        os.chown(folder, *server.account)
    return folder


def ensure_database(server: Server, socket_folder: Path) -> None:
    who = ("--host", socket_folder, "--port=5432", "--username=postgres", "--dbname=postgres")
    how = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--set=name={DATABASE}")
    server.run("psql", *who, *how, stdin=CREATE_IF_MISSING)


def shut_down(server: Server) -> None:
    socket_folder = running(server.data)
    if socket_folder is None:
        return
    server.run("pg_ctl", "stop", "--pgdata", server.data, "--mode=fast", "--wait", "--timeout=120")
    if socket_folder != server.data:
        with suppress(OSError):
            socket_folder.rmdir()


def _end_of(output: Path) -> str:
    try:
        return "\n".join(output.read_text(errors="replace").splitlines()[-15:])
    except OSError:
        return ""
