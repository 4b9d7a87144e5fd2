"""For whom a download is made: the user or the key that asked for it, as they stand at this moment."""

from dataclasses import replace
from datetime import datetime

from engine.database import Row
from models.scope import Scope
from models.viewer import Viewer
from resolvers import order_viewers
from resolvers.downloads.failures import NO_INSTITUTION, NO_KEY, NO_RIGHT, NO_USER, CannotBeMade
from resolvers.order_viewers import Ended, OrdererEnded

PATH = "job makeDownload"
REASONS = {Ended.USER: NO_USER, Ended.RIGHT: NO_RIGHT, Ended.KEY: NO_KEY, Ended.INSTITUTION: NO_INSTITUTION}


async def viewer_of(download: Row, now: datetime) -> Viewer:
    """Whoever asked for this download. Raises CannotBeMade."""
    try:
        viewer = await order_viewers.viewer_of(download, Scope.DOWNLOAD, PATH, now)
    except OrdererEnded as ended:
        raise CannotBeMade(REASONS[ended.what]) from None
    return replace(viewer, language=download["language"])
