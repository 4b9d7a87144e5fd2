"""Mail as files, so that a newcomer without a mail server sees it."""

import asyncio
from pathlib import Path

import structlog

from mailers.letters import Mail
from mailers.post.signing import Signer
from mailers.post.writing import Writer

log = structlog.get_logger()


class Folder:
    """Puts each mail into a folder, as an `.eml` file."""

    def __init__(self, folder: Path, sender: str, signer: Signer | None = None) -> None:
        self.folder = folder
        self.writer = Writer(sender, signer)

    async def send(self, mail: Mail) -> None:
        """Write the mail into the folder, and say so in the log."""
        path = self.folder / f"{mail.envelope.id}.eml"
        await asyncio.to_thread(self._put, path, await self.writer.write(mail))
        log.info("mail.written", file=str(path))

    async def close(self) -> None:
        """Nothing is kept."""

    def _put(self, path: Path, written: bytes) -> None:
        """A process that dies here leaves no half mail."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(written)
        unfinished.replace(path)
