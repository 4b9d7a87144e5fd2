"""Sending mail: over SMTP, or into a folder where no server is set. The only place from which mail leaves.

`SMTP_URL` is `smtp://user:password@host:587` (STARTTLS required), `smtps://host:465` (TLS from the start), or
`smtp+plain://host:25` for a server on a trusted network that speaks no TLS.
"""

import asyncio
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from mailers.letters import Mail

log = structlog.get_logger()
TIMEOUT_SECONDS = 20
LONGEST_REASON = 500
DOTS_APART = re.compile(r"[^.]+(\.[^.]+)*")


class TryLater(Exception):
    """The mail was not taken now; it may be, later."""


class Refused(Exception):
    """The mail will never be taken."""


def written_address(address: str) -> str:
    """The address as mail writes it: in quotation marks before the @ where its dots stand against the rules."""
    local, _, domain = address.rpartition("@")
    return address if DOTS_APART.fullmatch(local) else f'"{local}"@{domain}'


def message(mail: Mail, sender: str) -> EmailMessage:
    """The mail as it goes out: text and HTML, a stable Message-ID, marked as sent by a machine."""
    envelope = mail.envelope
    name, address = parseaddr(sender)
    written = EmailMessage(policy=SMTP_POLICY)
    written["From"] = Address(name, addr_spec=address)
    written["To"] = written_address(envelope.address)
    written["Subject"] = mail.subject
    written["Date"] = format_datetime(envelope.written_at)
    written["Message-ID"] = f"<{envelope.id}@{address.rpartition('@')[2]}>"
    written["Auto-Submitted"] = "auto-generated"
    written.set_content(mail.text)
    written.add_alternative(mail.html, subtype="html")
    written["Content-Language"] = envelope.language  # last: add_alternative moves such headers into the first part
    return written


class Folder:
    """Mail as `.eml` files, so that a newcomer without a mail server sees it."""

    def __init__(self, folder: Path, sender: str) -> None:
        self.folder = folder
        self.sender = sender

    async def send(self, mail: Mail) -> None:
        """Write the mail into the folder, and say so in the log."""
        path = self.folder / f"{mail.envelope.id}.eml"
        await asyncio.to_thread(self._write, path, message(mail, self.sender).as_bytes())
        log.info("mail.written", file=str(path))

    def _write(self, path: Path, written: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written)


class Server:
    """Mail over SMTP, one recipient each; TLS is required unless the address says plain."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps", "smtp+plain") or not parts.hostname:
            raise ValueError("SMTP_URL must look like smtp://user:password@host:587, smtps:// or smtp+plain://.")
        self.sender = sender
        self.options: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": parts.port or {"smtp": 587, "smtps": 465, "smtp+plain": 25}[parts.scheme],
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": parts.scheme == "smtps",
            "start_tls": parts.scheme == "smtp",
            "timeout": TIMEOUT_SECONDS,
        }

    async def send(self, mail: Mail) -> None:
        """Hand the mail to the server. Raises TryLater or Refused."""
        try:
            receiver = [written_address(mail.envelope.address)]
            await aiosmtplib.send(message(mail, self.sender), recipients=receiver, **self.options)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _told(error.recipients[0]) from error
        except aiosmtplib.SMTPDataError as error:
            raise _told(error) from error
        except aiosmtplib.SMTPResponseException as error:
            # Greeting, log-in or sender: the server does not take us, which says nothing about this mail.
            raise TryLater(_reason(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TryLater(type(error).__name__) from error


def _told(error: aiosmtplib.SMTPResponseException) -> TryLater | Refused:
    """The server's answer to this mail: 5xx is for good, all else may change."""
    return Refused(_reason(error)) if error.code >= 500 else TryLater(_reason(error))  # SMTP's own border


def _reason(error: aiosmtplib.SMTPResponseException) -> str:
    """The server's own words; addresses in them do not reach the log, nor do signs that are no text."""
    words = re.sub(r"\S+@\S+", "<address>", f"{error.code} {error.message}"[:LONGEST_REASON])
    return "".join(sign if sign.isprintable() else " " for sign in words)
