"""Whoever runs a command on the machine counts as the board's staff."""

from datetime import datetime
from uuid import UUID

from models.viewer import Kind, Viewer
from models.visit import Visit

NOBODY = UUID(int=0)  # the trail tells the command; who may run it is the machine's business


def board(now: datetime, command: str) -> Viewer:
    """The board, at this moment, by this command."""
    return Viewer(Kind.STAFF, now, id=NOBODY, is_board=True, visit=Visit(path=f"cli {command}"))
