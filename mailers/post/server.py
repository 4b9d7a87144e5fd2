"""Mail over SMTP, one recipient each, over a few connections that are kept between mails."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mailers.letters import Mail
from mailers.post.answers import ServerAway, TryLater
from mailers.post.connection import LIMITS, Connection, Limits
from mailers.post.signing import Signer
from mailers.post.writing import Writer, written_address

PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


class Server:
    """A mail server by its address.

    `smtp://user:password@host:587` (STARTTLS required), `smtps://host:465` (TLS from the start), or
    `smtp+plain://host:25` for a server on a trusted network that speaks no TLS. `ca` is a file of the only
    certificates to trust, where they are not those that the machine knows.
    """

    def __init__(
        self, url: str, sender: str, *, signer: Signer | None = None, ca: Path | None = None, limits: Limits = LIMITS
    ) -> None:
        options = _options(url, ca)
        self.writer = Writer(sender, signer)
        self.limits = limits
        # The one used last is taken first, so those that are not needed grow idle and are closed.
        self.connections: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(limits.connections):
            self.connections.put_nowait(Connection(options, limits))

    async def send(self, mail: Mail) -> None:
        """Hand the mail to the server; takes `before_data` and `data` seconds at most. Raises TryLater or Refused."""
        written = await self.writer.write(mail)
        receiver = written_address(mail.envelope.address)
        async with self._introduced(receiver) as connection, _within(self.limits.data, TryLater):
            await connection.hand_over(written)

    async def close(self) -> None:
        """Take leave of the server, where no task sends any more."""
        kept = [self.connections.get_nowait() for _ in range(self.connections.qsize())]
        try:
            await asyncio.gather(*(connection.leave() for connection in kept))
        finally:
            for connection in kept:
                self.connections.put_nowait(connection)

    @asynccontextmanager
    async def _introduced(self, receiver: str) -> AsyncIterator[Connection]:
        """A connection for this task alone, over which the server awaits a mail to the receiver."""
        connection: Connection | None = None
        try:
            async with _within(self.limits.before_data, ServerAway):
                connection = await self.connections.get()
                await connection.introduce(self.writer.address, receiver)
            yield connection
        finally:
            if connection is not None:
                connection.rest()
                self.connections.put_nowait(connection)


@asynccontextmanager
async def _within(seconds: float, otherwise: type[TryLater]) -> AsyncIterator[None]:
    """So long and no longer, however the steps inside add up."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise otherwise(f"Not done within {seconds:g} seconds") from error


def _options(url: str, ca: Path | None) -> dict[str, Any]:
    """The address as aiosmtplib takes it."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, LookupError):
        parts = urlsplit("")
    if not parts.hostname:
        raise ValueError("SMTP_URL must look like smtp://user:password@host:587, smtps:// or smtp+plain://.")
    return {
        "hostname": parts.hostname,
        "port": port,
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "use_tls": parts.scheme == "smtps",
        "start_tls": parts.scheme == "smtp",  # never None, with which aiosmtplib goes on in clear where TLS is missing
        "tls_context": _trust(ca),
    }


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ValueError(f"SMTP_CA must be the path of certificates in PEM: {error.strerror or error}.") from error
