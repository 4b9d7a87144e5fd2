"""The command in a process of its own, forked from one that has loaded it already: loading takes two seconds each."""

import atexit
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import cli

PROJECT = Path(__file__).resolve().parents[1]
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.forked"])


@dataclass(slots=True)
class Forked:
    """A process, asked about and ended as one of `subprocess` is."""

    process: ForkServerProcess

    @property
    def pid(self) -> int:
        """Its number."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """With what it ended, or None while it runs; the number of the signal, negative, that ended it."""
        return self.process.exitcode

    def poll(self) -> int | None:
        """With what it has ended, or None."""
        return self.process.exitcode

    def wait(self, seconds: float) -> int:
        """With what it ended, once it has. Raises TimeoutError."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            raise TimeoutError(f"{self.process.name} has not ended within {seconds} seconds")
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()


def started(arguments: Sequence[str], environment: Mapping[str, str], stdout: Path, stderr: Path) -> Forked:
    """`cli.py` with these arguments, in this environment and nothing else of ours."""
    given = (list(arguments), dict(environment), str(stdout), str(stderr))
    process = FORKING.Process(target=_be_the_command, args=given, name=" ".join(["cli.py", *arguments]), daemon=False)
    process.start()
    return Forked(process)


def _be_the_command(arguments: list[str], environment: dict[str, str], stdout: str, stderr: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(PROJECT)
    for path, stream in ((os.devnull, 0), (stdout, 1), (stderr, 2)):
        flags = os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, stream)
        os.close(opened)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    sys.argv = ["cli.py", *arguments]
    try:
        sys.exit(cli.main(arguments))
    finally:
        atexit._run_exitfuncs()  # which a process of `multiprocessing` leaves out
