"""A real SMTP server on a port of its own, which takes, delays or refuses mail as a test says."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE_SECONDS = 10


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


async def until(found: Callable[[], object]) -> None:
    """Wait until something is there; what never comes fails the test."""
    for _ in range(PATIENCE_SECONDS * 100):
        if found():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"It did not come within {PATIENCE_SECONDS} seconds.")


async def mails_in(folder: Path, count: int) -> list[EmailMessage]:
    """The mails in a folder, oldest first, once there are so many."""
    await until(lambda: len(_mails(folder)) >= count)
    return _mails(folder)


def _mails(folder: Path) -> list[EmailMessage]:
    return [parsed(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]


class MailServer:
    """What was taken in, and what to say to `MAIL`, `RCPT` and `DATA` instead of yes."""

    def __init__(self) -> None:
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


@asynccontextmanager
async def mail_server_running() -> AsyncIterator[MailServer]:
    """A server that listens inside the block."""
    handler = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop), "127.0.0.1", 0)
    handler.url = f"smtp+plain://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield handler
    finally:
        handler.answering.set()
        server.close()
