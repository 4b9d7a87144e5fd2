"""The commands that work on rows; `cli.py` opens the database for them."""

import argparse
from collections.abc import Awaitable, Callable

from settings import Settings

Run = Callable[[argparse.Namespace, Settings], Awaitable[int]]
