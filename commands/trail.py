"""`cli.py trail head|verify`: whether the trail is as it was written (G1)."""

import argparse
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from engine.clock import system_clock
from resolvers import seals
from settings import Settings


def add_to(commands: Any) -> None:
    """The commands and their options; they look at the database as it is, so it is not brought up to date first."""
    parser = commands.add_parser("trail", help="look whether the trail is as it was written")
    named = parser.add_subparsers(dest="trail", required=True)
    head = named.add_parser("head", help="print the newest seal of every chain, to be kept on another machine")
    head.set_defaults(migrates=False, run=_head)
    verify = named.add_parser("verify", help="compare every entry with its seal; exit status 1 if one is wrong")
    verify.add_argument("--chain", type=UUID, help="only this chain: an institution's key, or zeros for the board")
    verify.add_argument("--against", type=_heads_in, default=[], help="a file with what `trail head` printed before")
    verify.set_defaults(migrates=False, run=_verify)


def _heads_in(path: str) -> list[seals.Head]:
    try:
        return [seals.Head.of(line) for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path} does not hold what `trail head` printed: {error}") from None


async def _head(_: argparse.Namespace, __: Settings) -> int:
    for head in await seals.heads():
        sys.stdout.write(f"{head}\n")
    return 0


async def _verify(options: argparse.Namespace, _: Settings) -> int:
    """Print what is wrong with the trail; 1 if something is."""
    looking = seals.Verification(options.against)
    faults = 0
    async for fault in looking.faults(options.chain):
        sys.stdout.write(f"{fault}\n")
        faults += 1
    sys.stdout.write(f"{_told_of(looking, faults)}\n")
    return 1 if faults else 0


def _told_of(looking: seals.Verification, faults: int) -> str:
    """What was looked at, and what of the trail is not sealed yet."""
    oldest = looking.oldest_unsealed_at
    age = f", the oldest for {(system_clock() - oldest).total_seconds():.0f} s" if oldest else ""
    found = f"{faults} wrong" if faults else "all as it was written"
    return f"{looking.entries} entries under {looking.seals} seals: {found}. Not sealed yet: {looking.unsealed}{age}."
