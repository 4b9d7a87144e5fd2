"""The commands beside serving: each adds itself to the parser, with `run` for rows, or `tell` where none are needed."""

import argparse
from collections.abc import Awaitable, Callable

from settings import Settings

Run = Callable[[argparse.Namespace, Settings], Awaitable[int]]  # on the open database; gives the exit status
Tell = Callable[[argparse.Namespace], int]  # the same, without settings and a database
