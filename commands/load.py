"""`cli.py load FILE.csv`: load results (R2)."""

import argparse
import sys
from collections import Counter
from typing import Any

from commands.rows import add_file, described, reading
from commands.viewer import board
from engine.clock import system_clock
from engine.tables import TableNotReadable
from resolvers import loading
from settings import Settings


def add_to(commands: Any) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "load",
        help="load results from a CSV file",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=described(loading.COLUMNS, loading.REQUIRED),
    )
    add_file(parser)
    parser.add_argument(
        "--replace", action="store_true", help="put other results in the place of loaded ones that are not released"
    )
    parser.set_defaults(run=run)


async def run(options: argparse.Namespace, _: Settings) -> int:
    """Load the file; 0 when every row was taken."""
    counts: Counter[str] = Counter()
    try:
        with reading(options, loading.COLUMNS, loading.REQUIRED) as reader:
            viewer = board(system_clock(), "load")
            async for done in loading.load(viewer, reader.given(), options.replace, system_clock):
                counts.update(new=done.new, replaced=done.replaced, there=done.there)
                reader.done(done.rows, done.bad)
    except TableNotReadable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return reader.ended(f"{counts['new']} loaded", f"{counts['replaced']} replaced", f"{counts['there']} there already")
