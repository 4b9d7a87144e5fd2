"""A real SMTP server on a port of its own, which takes, delays or refuses mail as a test says."""

import asyncio
import email
import email.policy
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
    """What was taken in, and what to say to `MAIL`, `RCPT` and `DATA` instead of yes."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self.users = users
        self.url = ""
        self.taken: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.says: dict[str, str] = {}
        self.answering = asyncio.Event()  # cleared: a mail is taken in, and the sender never hears of it
        self.answering.set()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender's address."""
        if self.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The receiver's address."""
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The mail itself."""
        if "DATA" in self.says:
            return self.says["DATA"]
        assert isinstance(envelope.content, bytes)
        self.taken.append(parsed(envelope.content))
        self.recipients += envelope.rcpt_tos
        await self.answering.wait()
        return "250 OK"

    def knows(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: Any) -> AuthResult:
        """Whether a log-in is one of the users'."""
        assert isinstance(said, LoginPassword)
        return AuthResult(handled=False, success=self.users.get(said.login.decode()) == said.password.decode())


@asynccontextmanager
async def mail_server_running(port: int = 0, users: Mapping[str, str] | None = None) -> AsyncIterator[MailServer]:
    """A server that listens inside the block; with users, it takes mail from them alone."""
    handler = MailServer(users or {})
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"authenticator": handler.knows, "auth_require_tls": False} if users else {}
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", loop=loop, **options), "127.0.0.1", port
    )
    handler.url = f"smtp+plain://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield handler
    finally:
        handler.answering.set()
        server.close()
