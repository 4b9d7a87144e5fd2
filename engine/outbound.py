"""Sending to addresses that strangers choose, without reaching anything that only we can reach.

A name is resolved once, what it resolves to is judged, and the connection goes to the very address that was judged: a
name cannot be public when it is looked at and private when it is used. Redirects, cookies, proxies and the environment
are unknown to this client; TLS is checked against the name.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from engine.addresses import all_public, is_public, written_address

SECONDS = 15.0  # for all of it: looking up, connecting, sending, and the answer
CONNECT_SECONDS = 5.0  # to one of several addresses
MOST_ANSWERED = 64 * 1024  # bytes of an answer that are read, and thrown away
LONGEST_URL = 2000
LOWEST_PORT = 1024  # below it only that of HTTPS
AT_ONCE = 20  # connections of one client

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Failure(Enum):
    """Why nothing was answered."""

    NAME_NOT_FOUND = "NAME_NOT_FOUND"
    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    NOT_CONNECTED = "NOT_CONNECTED"
    TLS = "TLS"
    BROKEN_OFF = "BROKEN_OFF"
    TOO_LATE = "TOO_LATE"


class Fault(Enum):
    """What is wrong with an address before anything is sent to it."""

    NO_URL = "NO_URL"
    NOT_HTTPS = "NOT_HTTPS"
    HAS_PASSWORD = "HAS_PASSWORD"  # noqa: S105  # a fault's name
    PORT = "PORT"
    NOT_PUBLIC = "NOT_PUBLIC"


class NotAnswered(Exception):
    """Nothing, or nothing whole, was answered."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; the body is not kept."""

    status: int
    retry_after: str | None


_reaches_private = False


def use(reaches_private: bool) -> None:
    """Set whether this process may send to private addresses and without TLS, for development and tests."""
    global _reaches_private
    _reaches_private = reaches_private


def fault_of(url: str) -> Fault | None:
    """What can be told to be wrong with an address without looking up its name."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        return Fault.NO_URL
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return Fault.NO_URL
    if parts.scheme not in ("http", "https") or not host or "%" in host or parts.fragment or port == 0:
        return Fault.NO_URL
    if "@" in parts.netloc:
        return Fault.HAS_PASSWORD
    return None if _reaches_private else _fault_of_stranger(parts.scheme, host, port)


def _fault_of_stranger(scheme: str, host: str, port: int | None) -> Fault | None:
    name = host.rstrip(".")
    address = written_address(name)
    if address is None and (name == "localhost" or name.endswith(".localhost") or "." not in name):
        return Fault.NOT_PUBLIC
    if address is not None and not is_public(address):
        return Fault.NOT_PUBLIC
    if scheme != "https":
        return Fault.NOT_HTTPS
    return Fault.PORT if port is not None and port != 443 and port < LOWEST_PORT else None


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, in the order in which the machine would try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Judged(httpcore2.AsyncNetworkBackend):
    """Connects to the address that was judged, under the name that was asked for."""

    def __init__(self, resolve: Resolve, inner: httpcore2.AsyncNetworkBackend) -> None:
        self.resolve = resolve
        self.inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore2's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first of the name's addresses that takes one. Raises NotAnswered."""
        for address in await self._addresses(host, port):
            try:
                return await self.inner.connect_tcp(address, port, CONNECT_SECONDS, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        raise NotAnswered(Failure.NOT_CONNECTED)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self.resolve(host, port)
        except (OSError, UnicodeError):
            raise NotAnswered(Failure.NAME_NOT_FOUND) from None
        if not _reaches_private and not all_public(found):
            raise NotAnswered(Failure.ADDRESS_NOT_ALLOWED)
        return found


class Outbound:
    """Posts to strangers."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self.pool = pool

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What was answered, whatever its status is. Raises NotAnswered."""
        if fault_of(url) is not None:  # kept from a time when other addresses were allowed
            raise NotAnswered(Failure.ADDRESS_NOT_ALLOWED)
        try:
            async with (
                asyncio.timeout(SECONDS),
                self.pool.stream("POST", url, headers=[*headers.items()], content=body) as got,
            ):
                await _throw_away(got)
                return Answer(got.status, _header(got, b"retry-after"))
        except (TimeoutError, httpcore2.TimeoutException):
            raise NotAnswered(Failure.TOO_LATE) from None
        except httpcore2.ConnectError as error:
            is_tls = isinstance(error.__cause__ or error.__context__, ssl.SSLError)
            raise NotAnswered(Failure.TLS if is_tls else Failure.NOT_CONNECTED) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            raise NotAnswered(Failure.BROKEN_OFF) from None


async def _throw_away(answer: httpcore2.Response) -> None:
    """Read the answer to its end, if that is near: then the connection can be used again."""
    read = 0
    async for part in answer.aiter_stream():
        read += len(part)
        if read > MOST_ANSWERED:
            return


def _header(answer: httpcore2.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), None)


@cache
def trusted() -> ssl.SSLContext:
    """Whom the machine trusts; reading that takes a while."""
    return ssl.create_default_context()


@asynccontextmanager
async def opened(
    resolve: Resolve = resolved,
    tls: ssl.SSLContext | None = None,
    inner: httpcore2.AsyncNetworkBackend | None = None,
) -> AsyncIterator[Outbound]:
    """A client whose connections stay open inside the block."""
    backend = Judged(resolve, inner or httpcore2.AnyIOBackend())
    pool = httpcore2.AsyncConnectionPool(tls or trusted(), max_connections=AT_ONCE, network_backend=backend)
    async with pool:
        yield Outbound(pool)
