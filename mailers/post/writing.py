"""A mail as the bytes that go out, the same on every try."""

import asyncio
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr

from mailers.letters import Mail
from mailers.post.signing import Signer

DOTS_APART = re.compile(r"[^.]+(\.[^.]+)*")


class Policy(EmailPolicy):
    """Leaves the link in List-Unsubscribe whole; the library would encode one that is longer than a line."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """One header, as the library asks for it."""
        if name == "List-Unsubscribe":
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


# 7 bits, so that no server on the way has to rewrite, and so break, what is signed.
POLICY = Policy(linesep="\r\n", cte_type="7bit")


class Writer:
    """Writes mails from one sender, signed where there is a signer."""

    def __init__(self, sender: str, signer: Signer | None = None) -> None:
        name, self.address = parseaddr(sender)
        if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", self.address):
            raise ValueError("MAIL_FROM must look like Name <name@host.example>.")
        self.sender = Address(name, addr_spec=self.address)
        self.signer = signer

    async def write(self, mail: Mail) -> bytes:
        """The mail as bytes; off the loop, because writing and signing take milliseconds."""
        return await asyncio.to_thread(self._written, mail)

    def _written(self, mail: Mail) -> bytes:
        written = self.message(mail).as_bytes()
        return self.signer.signed(written, mail.envelope.written_at) if self.signer else written

    def message(self, mail: Mail) -> EmailMessage:
        """The mail as it goes out: text and HTML, a stable Message-ID, marked as sent by a machine."""
        envelope = mail.envelope
        written = EmailMessage(policy=POLICY)
        written["From"] = self.sender
        written["To"] = written_address(envelope.address)
        written["Subject"] = mail.subject
        written["Date"] = format_datetime(envelope.written_at)
        written["Message-ID"] = f"<{envelope.id}@{self.sender.domain}>"
        written["Auto-Submitted"] = "auto-generated"
        written["X-Auto-Response-Suppress"] = "All"  # Exchange does not heed Auto-Submitted
        if mail.unsubscribe is not None:
            written["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
            written["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        written.set_content(mail.text)
        written.make_alternative(boundary=f"=_{envelope.id}")  # "=_" cannot occur in an encoded body
        written.add_alternative(mail.html, subtype="html")
        written["Content-Language"] = envelope.language  # last: make_alternative moves such headers into the first part
        return written


def written_address(address: str) -> str:
    """The address as mail writes it: in quotation marks before the @ where its dots stand against the rules."""
    local, _, domain = address.rpartition("@")
    return address if DOTS_APART.fullmatch(local) else f'"{local}"@{domain}'
