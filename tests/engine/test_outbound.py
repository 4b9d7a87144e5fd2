"""Sending to addresses that strangers choose: nothing but the public internet is reached, whatever they try (N7)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

import httpcore2
import pytest
import trustme

from engine import outbound
from engine.addresses import is_public, written_address
from engine.outbound import Failure, Fault, NotAnswered, fault_of
from tests.receiver import Received, Receiver, Reply, receiving

NOBODY = "0.0.0.0"  # noqa: S104  # nothing listens here
PUBLIC = ["93.184.216.34", "8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "11.0.0.0",
          "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "192.167.255.255", "192.169.0.0",
          "223.255.255.255", "168.63.129.15", "2606:2800:220:1::1", "2a00:1450:4001::200e", "2400:cb00::1"]  # fmt: skip
PRIVATE = ["127.0.0.1", "127.255.255.254", NOBODY, "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
           "192.168.0.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255",
           "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
           "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
           "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1",
           "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1",
           "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:2800::1%1", "fec0::1", "ff02::1",
           "100::1", "3fff::1", "5f00::1", "localhost", "", "1.2.3", "8.8.8.8.", " 8.8.8.8", "08.8.8.8"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_any_other_address_is_not_public(address: str) -> None:
    """N7: private, loopback, link-local, metadata, shared, multicast, reserved, IPv4 within IPv6, and no address."""
    assert not is_public(address)


LOOPBACK = ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1", "0"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_an_address_is_recognised_however_it_is_written(host: str) -> None:
    assert written_address(host) in ("127.0.0.1", NOBODY)
    assert fault_of(f"https://{host}/hook") is Fault.NOT_PUBLIC


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://hooks.example.com/a?b=c", None),
        ("https://hooks.example.com:443/", None),
        ("https://hooks.example.com:1024/", None),
        ("https://hooks.example.com:65535", None),
        ("https://93.184.216.34/hook", None),
        ("https://[2606:2800:220:1::1]:8443/hook", None),
        ("https://xn--wgv71a.example/hook", None),
        ("https://hooks.example.com:1023/", Fault.PORT),
        ("https://hooks.example.com:22/", Fault.PORT),
        ("https://hooks.example.com:80/", Fault.PORT),
        ("http://hooks.example.com/", Fault.NOT_HTTPS),
        ("https://user:password@hooks.example.com/", Fault.HAS_PASSWORD),
        ("https://user@hooks.example.com/", Fault.HAS_PASSWORD),
        ("https://@hooks.example.com/", Fault.HAS_PASSWORD),
        ("https://hooks.example.com@127.0.0.1/", Fault.HAS_PASSWORD),
        ("https://hooks.example.com%40127.0.0.1/", Fault.NO_URL),
        ("https://127.0.0.1#@hooks.example.com/", Fault.NO_URL),
        ("https://hooks.example.com\\@127.0.0.1/", Fault.NO_URL),
        ("https://hooks.example.com\t/", Fault.NO_URL),
        ("https://hooks.example.com/\r\nHost: localhost", Fault.NO_URL),
        ("https://hooks.example.com/ a", Fault.NO_URL),
        ("https://日本.example/", Fault.NO_URL),
        ("https://①②⑦.0.0.1/", Fault.NO_URL),
        ("https://hooks.example.com/#part", Fault.NO_URL),
        ("https://hooks.example.com:0/", Fault.NO_URL),
        ("https://hooks.example.com:65536/", Fault.NO_URL),
        ("https://hooks.example.com:x/", Fault.NO_URL),
        ("https://[::1", Fault.NO_URL),
        ("https:///hook", Fault.NO_URL),
        ("https:hooks.example.com", Fault.NO_URL),
        ("//hooks.example.com/", Fault.NO_URL),
        ("ftp://hooks.example.com/", Fault.NO_URL),
        ("file:///etc/passwd", Fault.NO_URL),
        ("gopher://hooks.example.com/", Fault.NO_URL),
        ("", Fault.NO_URL),
        ("https://hooks.example.com/" + 1974 * "a", None),
        ("https://hooks.example.com/" + 1975 * "a", Fault.NO_URL),
        ("https://localhost/", Fault.NOT_PUBLIC),
        ("https://LOCALHOST./", Fault.NOT_PUBLIC),
        ("https://a.localhost/", Fault.NOT_PUBLIC),
        ("https://intranet/", Fault.NOT_PUBLIC),
        ("https://[::1]/", Fault.NOT_PUBLIC),
        ("https://[::ffff:127.0.0.1]/", Fault.NOT_PUBLIC),
        ("https://[fd00:ec2::254]/", Fault.NOT_PUBLIC),
        ("http://169.254.169.254/latest/meta-data", Fault.NOT_PUBLIC),
        ("https://169.254.169.254./", Fault.NOT_PUBLIC),
    ],
)
def test_an_address_is_refused_for_what_is_wrong_with_it(url: str, fault: Fault | None) -> None:
    """N7: https only, no user names or passwords, ports of HTTPS and above those of systems, no tricks of writing."""
    assert fault_of(url) is fault


# ---- names, which are judged when they are used


class Line(httpcore2.AsyncNetworkBackend):
    """Notes where connections were to go, and leads all of them to one receiver: nothing here leaves the machine."""

    def __init__(self, port: int, dead: Sequence[str] = ()) -> None:
        self.port = port
        self.dead = dead
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore2's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the receiver, unless nobody answers at the address."""
        self.asked.append((host, port))
        if host in self.dead:
            raise httpcore2.ConnectError
        return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", self.port, timeout)


class Names:
    """A name server that answers something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer; the last one stays."""
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who certifies the receivers of this file."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's view of the world in which that authority is trusted, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture
async def receiver(authority: trustme.CA) -> AsyncIterator[Receiver]:
    """One that is certified for its name."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.com").configure_cert(tls)
    async with receiving(tls) as receiver:
        yield receiver


@pytest.fixture
def private() -> Iterator[None]:
    """As in development: everything may be reached."""
    outbound.use(reaches_private=True)
    yield
    outbound.use(reaches_private=False)


HOOK = "https://hooks.example.com/hook?a=b"


async def sent(names: Names, line: Line, trusting: ssl.SSLContext, url: str = HOOK) -> outbound.Answer:
    """What a message to a name is answered."""
    async with outbound.opened(names, trusting, line) as client:
        return await client.post(url, {"X-Test": "1"}, b"body")


async def test_a_message_goes_to_the_address_that_was_judged_under_the_name_that_was_asked(
    receiver: Receiver, trusting: ssl.SSLContext
) -> None:
    """N7: the certificate is checked against the name, and `Host` says it."""
    names, line = Names(["93.184.216.34"]), Line(receiver.port)
    assert (await sent(names, line, trusting)).status == 204
    assert line.asked == [("93.184.216.34", 443)]
    assert (names.asked, receiver.names) == (["hooks.example.com"], ["hooks.example.com"])
    [request] = receiver.received
    assert (request.target, request.body, request.headers["host"]) == ("/hook?a=b", b"body", "hooks.example.com")
    assert request.headers["x-test"] == "1"


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["::1"],
        ["169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["fe80::1%1"],
        [],
    ],
)
async def test_a_name_that_leads_anywhere_private_is_not_connected_to(
    receiver: Receiver, trusting: ssl.SSLContext, answer: list[str]
) -> None:
    """N7: not even to those of its addresses that are public."""
    line = Line(receiver.port)
    with pytest.raises(NotAnswered) as told:
        await sent(Names(answer), line, trusting)
    assert told.value.failure is Failure.ADDRESS_NOT_ALLOWED
    assert (line.asked, receiver.connections) == ([], 0)


async def test_a_name_that_changes_between_being_judged_and_being_used_gains_nothing(
    receiver: Receiver, trusting: ssl.SSLContext
) -> None:
    """N7, DNS rebinding: it is looked up once for a connection, and judged anew for the next."""
    names, line = Names(["93.184.216.34"], ["127.0.0.1"]), Line(receiver.port)
    receiver.answer = lambda _: Reply(headers={"Connection": "close"})
    async with outbound.opened(names, trusting, line) as client:
        await client.post(HOOK, {}, b"")
        assert (len(names.asked), line.asked) == (1, [("93.184.216.34", 443)])
        with pytest.raises(NotAnswered) as told:
            await client.post(HOOK, {}, b"")
    assert told.value.failure is Failure.ADDRESS_NOT_ALLOWED
    assert len(line.asked) == 1


async def test_the_names_of_this_machine_are_judged_as_any_other(trusting: ssl.SSLContext) -> None:
    """N7: with the machine's own resolver, which knows every way of writing an address."""
    async with receiving() as receiver, outbound.opened(tls=trusting) as client:
        for host in ("localhost.", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"):
            with pytest.raises(NotAnswered) as told:
                await client.post(f"https://{host}:{receiver.port}/", {}, b"")
            assert told.value.failure is Failure.ADDRESS_NOT_ALLOWED
        for host in ("localhost", "127.1", "0x7f.1"):
            with pytest.raises(NotAnswered):
                await outbound.Judged(outbound.resolved, httpcore2.AnyIOBackend()).connect_tcp(host, receiver.port)
        assert receiver.connections == 0


async def test_the_next_address_is_tried_where_nobody_answers_at_the_first(
    receiver: Receiver, trusting: ssl.SSLContext
) -> None:
    line = Line(receiver.port, dead=["2606:2800:220:1::1"])
    await sent(Names(["2606:2800:220:1::1", "93.184.216.34"]), line, trusting)
    assert [host for host, _ in line.asked] == ["2606:2800:220:1::1", "93.184.216.34"]
    line = Line(receiver.port, dead=["93.184.216.34"])
    with pytest.raises(NotAnswered) as told:
        await sent(Names(["93.184.216.34"]), line, trusting)
    assert told.value.failure is Failure.NOT_CONNECTED


async def test_a_certificate_for_another_name_or_of_nobody_trusted_is_refused(
    receiver: Receiver, trusting: ssl.SSLContext
) -> None:
    other = "https://other.example.com/hook"
    for url, tls in ((other, trusting), (HOOK, ssl.create_default_context())):
        with pytest.raises(NotAnswered) as told:
            await sent(Names(["93.184.216.34"]), Line(receiver.port), tls, url)
        assert told.value.failure is Failure.TLS
    assert receiver.received == []


# ---- what receivers may try


async def test_a_redirect_is_an_answer_and_is_not_followed(private: None) -> None:
    """N7: not even to metadata."""
    async with receiving() as receiver, outbound.opened() as client:
        to = {"Location": f"http://127.0.0.1:{receiver.port}/latest/meta-data"}
        receiver.answer = lambda _: Reply(302, to)
        assert (await client.post(receiver.url, {}, b"")).status == 302
        assert [one.target for one in receiver.received] == ["/hook"]


async def test_cookies_and_proxies_are_unknown(private: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with receiving() as receiver, outbound.opened() as client:
        receiver.answer = lambda _: Reply(headers={"Set-Cookie": "a=b"})
        for _ in range(2):
            assert (await client.post(receiver.url, {}, b"")).status == 204
        assert receiver.connections == 1
        assert [one.headers.get("cookie") for one in receiver.received] == [None, None]


async def test_an_answer_of_any_length_is_read_no_further_than_its_beginning(private: None) -> None:
    written = 0

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            written += 65536
            try:
                await writer.drain()
            except ConnectionError:
                break

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server, outbound.opened() as client:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert (await client.post(url, {}, b"")).status == 200
    assert written < 64 * 2**20  # what the sockets hold, and no more


async def test_an_answer_that_does_not_come_is_not_waited_for(private: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "SECONDS", 0.2)
    never = asyncio.Event()

    async def waits(_: Received) -> Reply:
        await never.wait()
        return Reply()

    async with receiving() as receiver, outbound.opened() as client:
        receiver.answer = waits
        with pytest.raises(NotAnswered) as told:
            await client.post(receiver.url, {}, b"")
        assert told.value.failure is Failure.TOO_LATE
        never.set()


async def test_a_connection_that_breaks_off_and_one_that_nobody_takes_are_told_apart(private: None) -> None:
    async with receiving() as receiver, outbound.opened() as client:
        receiver.answer = lambda _: Reply(cuts=True)
        with pytest.raises(NotAnswered) as told:
            await client.post(receiver.url, {}, b"")
        assert told.value.failure is Failure.BROKEN_OFF
        url = receiver.url
    async with outbound.opened() as client:
        with pytest.raises(NotAnswered) as told:
            await client.post(url, {}, b"")
        assert told.value.failure is Failure.NOT_CONNECTED
        with pytest.raises(NotAnswered) as told:
            await client.post("http://no-such-name.invalid/", {}, b"")
        assert told.value.failure is Failure.NAME_NOT_FOUND


async def test_what_is_allowed_in_development_is_refused_without_the_setting(private: None) -> None:
    """A webhook that was kept then reaches nothing afterwards."""
    async with receiving() as receiver, outbound.opened() as client:
        assert (await client.post(receiver.url, {}, b"")).status == 204
        outbound.use(reaches_private=False)
        with pytest.raises(NotAnswered) as told:
            await client.post(receiver.url, {}, b"")
        assert told.value.failure is Failure.ADDRESS_NOT_ALLOWED
        assert len(receiver.received) == 1
