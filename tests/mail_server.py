"""A real SMTP server on a port of its own, which takes, delays or refuses mail as a test says."""

import asyncio
import email
import email.policy
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.served import until


def parsed(written: bytes) -> EmailMessage:
    """A mail as its receiver's program reads it."""
    message = email.message_from_bytes(written, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The text of a mail, or its HTML."""
    part = mail.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


def link_in(mail: EmailMessage) -> str:
    """The link of a mail."""
    return next(line for line in text_of(mail).splitlines() if line.startswith("http"))


async def mails_in(folder: Path, count: int) -> list[EmailMessage]:
    """The mails in a folder, oldest first, once there are so many."""
    await until(lambda: len(_mails(folder)) >= count)
    return _mails(folder)


def _mails(folder: Path) -> list[EmailMessage]:
    return [parsed(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]


class MailServer:
    """What was taken in, and how to behave instead of saying yes; a test may change that at any time."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self.users = users
        self.url = ""
        self.taken: list[EmailMessage] = []
        self.written: list[bytes] = []  # the same mails, as they came
        self.recipients: list[str] = []
        self.says: dict[str, str] = {}  # what to answer to `MAIL`, `RCPT` and `DATA`
        self.refused: set[str] = set()  # addresses that do not exist
        self.puts_off = 0  # how often each address is told to come again, as greylisting does
        self.put_off: Counter[str] = Counter()
        self.hangs_up: list[str] = []  # commands to hang up at instead of answering, once for each time they stand here
        self.mails_per_connection: int | None = None  # after so many it hangs up
        self.last_words: str | None = None  # what it says before it hangs up; that about too many, to the next mail
        self.answering = asyncio.Event()  # cleared: a mail is taken in, and the sender never hears of it
        self.answering.set()
        self.parting = asyncio.Event()  # cleared: nobody who takes leave hears of it
        self.parting.set()
        self.connections: list[Desk] = []  # all that there were
        self.open: set[Desk] = set()
        self.most_open = 0
        self.heard: list[str] = []  # the commands, in order

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Who calls."""
        session.host_name = hostname
        await self._hear("EHLO", server)
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender's address."""
        await self._hear("MAIL", server)
        if self.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.last_words and self._served_enough(server):
            await self._end(server)
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The receiver's address."""
        await self._hear("RCPT", server)
        if "RCPT" in self.says:
            return self.says["RCPT"]
        if address in self.refused:
            return f"550 5.1.1 <{address}>: no such user"
        self.put_off[address] += 1
        if self.put_off[address] <= self.puts_off:
            return "451 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The mail itself."""
        if "DATA" in self.says:
            return self.says["DATA"]
        assert isinstance(envelope.content, bytes)
        self.taken.append(parsed(envelope.content))
        self.written.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        _desk(server).mails += 1
        await self._hear("DATA", server)
        await self.answering.wait()
        if not self.last_words and self._served_enough(server):
            await server.push("250 OK")
            await self._end(server)
        return "250 OK"

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The mail that was begun is not to be sent."""
        await self._hear("RSET", server)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The caller has no more."""
        await self._hear("QUIT", server)
        await self.parting.wait()
        return "221 Bye"

    def knows(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: Any) -> AuthResult:
        """Whether a log-in is one of the users'."""
        assert isinstance(said, LoginPassword)
        return AuthResult(handled=False, success=self.users.get(said.login.decode()) == said.password.decode())

    async def close_connections(self) -> None:
        """Hang up on everybody, as a server does that ends."""
        for desk in self.open:
            desk.hang_up()
        await asyncio.sleep(0.02)  # callers notice; asyncio tells us nothing of those whose TLS handshake failed

    async def _hear(self, command: str, server: SMTP) -> None:
        self.heard.append(command)
        if command in self.hangs_up:
            self.hangs_up.remove(command)
            await self._end(server)

    def _served_enough(self, server: SMTP) -> bool:
        return self.mails_per_connection is not None and _desk(server).mails >= self.mails_per_connection

    async def _end(self, server: SMTP) -> None:
        """Hang up in the middle; the waiting ends with the connection."""
        if self.last_words is not None:
            await server.push(self.last_words)
        _desk(server).hang_up()
        await asyncio.Event().wait()


class Desk(SMTP):
    """One connection to the server."""

    def __init__(self, office: MailServer, **options: Any) -> None:
        self.office = office
        self.mails = 0
        super().__init__(office, hostname="localhost", **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller; the same one comes again after STARTTLS."""
        super().connection_made(transport)
        if self not in self.office.open:
            self.office.connections.append(self)
            self.office.open.add(self)
            self.office.most_open = max(self.office.most_open, len(self.office.open))

    def connection_lost(self, error: Exception | None) -> None:
        """The caller has gone."""
        self.office.open.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """End the connection from here."""
        if self.transport is not None:
            self.transport.close()


def _desk(server: SMTP) -> Desk:
    assert isinstance(server, Desk)
    return server


@asynccontextmanager
async def mail_server_running(
    port: int = 0,
    users: Mapping[str, str] | None = None,
    scheme: str = "smtp+plain",
    tls: ssl.SSLContext | None = None,
    office: MailServer | None = None,
) -> AsyncIterator[MailServer]:
    """A server that listens inside the block; with users, it takes mail from them alone; with `tls`, it speaks TLS.

    `scheme` tells how: "smtp" after STARTTLS, "smtps" from the start.
    """
    office = office or MailServer(users or {})
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"authenticator": office.knows, "auth_require_tls": False} if users else {}
    if scheme == "smtp":
        options |= {"tls_context": tls, "require_starttls": True}
    server = await loop.create_server(
        lambda: Desk(office, loop=loop, **options), "127.0.0.1", port, ssl=tls if scheme == "smtps" else None
    )
    office.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield office
    finally:
        office.answering.set()
        office.parting.set()
        server.close()
        await office.close_connections()
