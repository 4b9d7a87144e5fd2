"""One connection to a mail server, kept between mails."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, cast

import aiosmtplib

from mailers.post.answers import FAULTS, Lost, ServerAway, of_mail, of_receiver, reason


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections and mails, because servers limit both; and for how many seconds to wait."""

    connections: int = 4
    mails: int = 100  # over one connection
    idle: float = 30
    connect: float = 10
    command: float = 20
    before_data: float = 60  # for a free connection, connecting, and all commands before DATA
    data: float = 60  # servers look into mails before they answer; giving up early is how mails come twice
    quit: float = 2


LIMITS = Limits()


class Connection:
    """Opened when it is needed; for one task at a time, which calls `introduce`, `hand_over`, and always `rest`."""

    def __init__(self, options: dict[str, Any], limits: Limits) -> None:
        self.options = options
        self.limits = limits
        self.client: aiosmtplib.SMTP | None = None
        self.mails = 0
        self.settled = True  # the server has answered all that it was told
        self.unfinished = False  # the server remembers a sender, for a mail that it did not get
        self.bedtime: asyncio.TimerHandle | None = None
        self.leaving: asyncio.Task[None] | None = None

    async def introduce(self, sender: str, receiver: str) -> None:
        """Say whom a mail is from and for. Raises TryLater or Refused.

        Where the kept connection has gone meanwhile, it is said again over a fresh one: no mail went yet.
        """
        self._stay()
        self.settled = False
        if not await self._introduced_on_kept(sender, receiver):
            await self._introduce(await self._opened(), sender, receiver)

    async def hand_over(self, written: bytes) -> None:
        """The mail itself. Raises TryLater, also where it may have arrived, or Refused."""
        assert self.client is not None
        try:
            await self.client.data(written, timeout=self.limits.data)
        except aiosmtplib.SMTPDataError as error:
            self.settled = True
            raise of_mail(error) from error
        except FAULTS as error:
            raise Lost(reason(error)) from error
        self.settled, self.unfinished = True, False

    def rest(self) -> None:
        """After each mail: keep the connection for the next, unless it was left in the middle or has served enough."""
        if not self.settled:
            self._drop()
        elif self.mails >= self.limits.mails:
            self._take_leave()
        elif self.client is not None:
            self.bedtime = asyncio.get_running_loop().call_later(self.limits.idle, self._take_leave)

    async def leave(self) -> None:
        """Take leave of the server, and wait until that is done."""
        self._stay()
        self._take_leave()
        await self._gone()

    async def _introduced_on_kept(self, sender: str, receiver: str) -> bool:
        if self.client is None or not self.client.is_connected:
            return False
        try:
            await self._introduce(self.client, sender, receiver)
        except (Lost, ServerAway):
            return False
        return True

    async def _opened(self) -> aiosmtplib.SMTP:
        self._drop()
        await self._gone()
        self.mails, self.unfinished = 0, False
        self.client = aiosmtplib.SMTP(**self.options, timeout=self.limits.command)
        try:
            await self.client.connect(timeout=self.limits.connect)
        except FAULTS as error:
            raise ServerAway(reason(error)) from error
        return self.client

    async def _introduce(self, client: aiosmtplib.SMTP, sender: str, receiver: str) -> None:
        self.mails += 1
        try:
            if self.unfinished:
                await client.rset()
            self.unfinished = True
            await client.mail(sender)
        except FAULTS as error:
            raise ServerAway(reason(error)) from error
        try:
            await client.rcpt(receiver)
        except aiosmtplib.SMTPRecipientRefused as error:
            verdict = of_receiver(error)
            self.settled = not isinstance(verdict, Lost | ServerAway)
            raise verdict from error
        except FAULTS as error:
            raise Lost(reason(error)) from error

    def _stay(self) -> None:
        if self.bedtime is not None:
            self.bedtime.cancel()

    def _take_leave(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            self.leaving = asyncio.create_task(_quit(client, self.limits.quit))

    async def _gone(self) -> None:
        """Wait until the one before has left: servers count connections."""
        if self.leaving is not None:
            await asyncio.wait([self.leaving])

    def _drop(self) -> None:
        """Hang up at once; what is not written yet never will be."""
        client, self.client = self.client, None
        if client is not None and client.transport is not None:
            cast(asyncio.WriteTransport, client.transport).abort()
            client.close()


async def _quit(client: aiosmtplib.SMTP, seconds: float) -> None:
    try:
        with contextlib.suppress(*FAULTS):
            await client.quit(timeout=seconds)
    finally:
        client.close()
