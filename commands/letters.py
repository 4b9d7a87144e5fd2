"""`cli.py letters preview`: what the service mails, to look at (N5)."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from mailers import preview
from settings import MAIL_FROM, var_of


def add_to(commands: Any) -> None:
    """The command and its options; it needs no database, and no key."""
    parser = commands.add_parser("letters", help="what the service mails")
    named = parser.add_subparsers(dest="letters", required=True)
    previewing = named.add_parser("preview", help="write every letter, in every language, to look at")
    previewing.add_argument("--folder", type=Path, help="where to (letters in VAR_DIR)")
    previewing.set_defaults(tell=_preview)


def _preview(options: argparse.Namespace) -> int:
    folder: Path = options.folder or var_of(os.environ) / "letters"
    sys.stdout.write(f"Every letter: {preview.write(folder, MAIL_FROM)}\n")
    return 0
