"""The post: each mail handed over once, over few connections, to a server that is who it says (N4, N5)."""

import asyncio
import base64
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dkim
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mailers.letters import Envelope, Mail
from mailers.post import AddressRefused, Folder, Refused, Server, ServerAway, TryLater, post_of
from mailers.post.connection import LIMITS, Limits
from mailers.post.signing import Signer
from settings import MAIL_FROM, Settings
from tests.forked import PROJECT
from tests.mail_server import MailServer, mail_server_running, parsed, text_of
from tests.served import until

WRITTEN_AT = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
IMPATIENT = Limits(connect=0.3, command=0.3, before_data=5, data=0.3, quit=0.3)


def mail(number: int = 1, address: str = "aoi@mail.example", **facts: Any) -> Mail:
    """A mail; its number makes its id."""
    envelope = Envelope(f"mail-{number}", address, "ja", WRITTEN_AT)
    return replace(Mail(envelope, "結果のお知らせ", "結果が出ました。\n", "<p>結果が出ました。</p>\n"), **facts)


Posts = Callable[..., Server]


@pytest.fixture
async def posts() -> AsyncIterator[Posts]:
    """Makes posts to a server, and lets them take leave in the end."""
    made: list[Server] = []

    def to(server: MailServer | str, limits: Limits = LIMITS, **options: Any) -> Server:
        url = server if isinstance(server, str) else server.url
        made.append(Server(url, MAIL_FROM, limits=limits, **options))
        return made[-1]

    yield to
    for post in made:
        await post.close()


async def outcome(post: Server, one: Mail | None = None) -> Exception | None:
    """What sending a mail raised."""
    try:
        await post.send(one or mail())
    except (TryLater, Refused) as error:
        return error
    return None


async def in_the_end(post: Server, one: Mail) -> Exception | None:
    """What becomes of a mail that comes again while an impatient post finds a busy machine too slow."""
    async with asyncio.timeout(60):
        while isinstance(error := await outcome(post, one), TryLater):
            pass
    return error


async def send_all(post: Server, mails: list[Mail], tasks: int) -> None:
    """Send them by so many tasks at once."""
    waiting = iter(mails)

    async def work() -> None:
        for one in waiting:
            await post.send(one)

    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(work())


def numbered(count: int) -> list[Mail]:
    """Mails to as many people."""
    return [mail(number, f"candidate{number}@mail.example") for number in range(count)]


def addresses(mails: list[Mail]) -> list[str]:
    """Whom they are for, in order of the alphabet."""
    return sorted(one.envelope.address for one in mails)


# ---- connections


async def test_many_mails_go_over_four_connections(mail_server: MailServer, posts: Posts) -> None:
    """N4: each once, to its own receiver, however many tasks send at one time."""
    mails = numbered(200)
    await send_all(posts(mail_server), mails, tasks=20)
    assert sorted(mail_server.recipients) == addresses(mails)
    assert [str(one["To"]) for one in mail_server.taken] == mail_server.recipients
    assert mail_server.most_open == len(mail_server.connections) == 4


async def test_mails_one_after_another_go_over_one_connection(mail_server: MailServer, posts: Posts) -> None:
    post = posts(mail_server)
    for one in numbered(5):
        await post.send(one)
    assert [desk.mails for desk in mail_server.connections] == [5]
    assert mail_server.heard == ["EHLO", *["MAIL", "RCPT", "DATA"] * 5]


LAST_WORDS = pytest.mark.parametrize(
    "last_words", ["421 4.7.0 Enough of you", None], ids=["with 421", "without a word"]
)


@LAST_WORDS
async def test_server_that_hangs_up_after_each_ten_mails_loses_none_and_doubles_none(
    mail_server: MailServer, posts: Posts, last_words: str | None
) -> None:
    """N4: and no mail is put off because of it."""
    mail_server.mails_per_connection, mail_server.last_words = 10, last_words
    mails = numbered(100)
    await send_all(posts(mail_server), mails, tasks=8)
    assert sorted(mail_server.recipients) == addresses(mails)
    assert len(mail_server.connections) >= 10
    assert max(desk.mails for desk in mail_server.connections) == 10


async def test_connection_that_the_server_closed_meanwhile_is_noticed(mail_server: MailServer, posts: Posts) -> None:
    """N4: also all of them at once, as where the server was started anew."""
    post = posts(mail_server)
    await send_all(post, numbered(8), tasks=4)
    await mail_server.close_connections()
    mail_server.recipients.clear()
    await send_all(post, numbered(8), tasks=4)
    assert sorted(mail_server.recipients) == addresses(numbered(8))


@LAST_WORDS
@pytest.mark.parametrize("command", ["RSET", "MAIL", "RCPT"])
async def test_connection_lost_before_the_mail_itself_costs_no_try(
    mail_server: MailServer, posts: Posts, command: str, last_words: str | None
) -> None:
    """N4: where it was a kept one, the same call sends the mail over a fresh one."""
    post = posts(mail_server)
    await post.send(mail(1, "aoi@mail.example"))
    mail_server.refused.add("nobody@mail.example")
    assert isinstance(await outcome(post, mail(2, "nobody@mail.example")), AddressRefused)
    mail_server.hangs_up.append(command)
    mail_server.last_words = last_words
    await post.send(mail(3, "sora@mail.example"))
    assert mail_server.hangs_up == []
    assert mail_server.recipients == ["aoi@mail.example", "sora@mail.example"]
    assert len(mail_server.connections) == 2


@pytest.mark.parametrize(("command", "kind"), [("EHLO", ServerAway), ("MAIL", ServerAway), ("RCPT", TryLater)])
async def test_connection_lost_when_it_was_fresh_is_not_tried_for_ever(
    mail_server: MailServer, posts: Posts, command: str, kind: type[TryLater]
) -> None:
    """N4: up to the sender it says nothing about the mail, which so is not blamed."""
    mail_server.hangs_up.append(command)
    post = posts(mail_server)
    error = await outcome(post)
    assert isinstance(error, TryLater)
    assert isinstance(error, ServerAway) == (kind is ServerAway)
    assert mail_server.taken == []
    await post.send(mail())
    assert len(mail_server.connections) == 2


async def test_connection_lost_after_the_mail_itself_is_not_made_up_for_at_once(
    mail_server: MailServer, posts: Posts
) -> None:
    """N4: the server may have it; sending again is for the next try, under the same Message-ID."""
    post = posts(mail_server)
    await post.send(mail(1))
    mail_server.hangs_up.append("DATA")
    error = await outcome(post, mail(2))
    assert isinstance(error, TryLater)
    assert not isinstance(error, ServerAway)
    assert [one["Message-ID"] for one in mail_server.taken] == [f"<mail-{number}@seiseki.example>" for number in (1, 2)]
    await post.send(mail(3))
    assert len(mail_server.taken) == 3


async def test_server_that_never_answers_a_mail_ends_in_another_try(mail_server: MailServer, posts: Posts) -> None:
    """N4: within the time that is set, and its late answer is not taken for that of the next mail."""
    post = posts(mail_server, replace(LIMITS, data=0.3))
    mail_server.answering.clear()
    started = time.monotonic()
    error = await outcome(post, mail(1))
    assert isinstance(error, TryLater)
    assert not isinstance(error, ServerAway)
    assert 0.3 <= time.monotonic() - started < 20
    mail_server.answering.set()
    mail_server.says["DATA"] = "554 5.6.0 No"
    assert isinstance(await in_the_end(post, mail(2)), Refused)


@asynccontextmanager
async def saying(greeting: bytes, hangs_up: bool = True) -> AsyncIterator[str]:
    """A port that says one thing to everybody, and hangs up or keeps silent."""
    ended = asyncio.Event()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        if not hangs_up:
            await ended.wait()
        writer.close()

    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    try:
        yield f"smtp+plain://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ended.set()
        server.close()


@pytest.mark.parametrize(
    "greeting", [b"554 5.7.1 No service for you\r\n", b"421 Too busy\r\n", b"", b"\xff\x00HTTP/1.1\r\n"]
)
async def test_what_is_no_mail_server_for_us_is_away(posts: Posts, greeting: bytes) -> None:
    """N4: one that turns everybody away, hangs up, or is something else; and where nobody listens at all."""
    async with saying(greeting) as url:
        post = posts(url)
        assert isinstance(await outcome(post), ServerAway)
    assert isinstance(await outcome(post), ServerAway)


@pytest.mark.parametrize("greeting", [b"", b"220 welcome\r\n"])
async def test_server_that_keeps_silent_is_away(posts: Posts, greeting: bytes) -> None:
    """N4: no step waits for ever."""
    async with saying(greeting, hangs_up=False) as url:
        started = time.monotonic()
        assert isinstance(await outcome(posts(url, IMPATIENT)), ServerAway)
        assert time.monotonic() - started < 20


async def test_all_steps_before_the_mail_together_have_an_end(mail_server: MailServer, posts: Posts) -> None:
    """N4: so has the waiting for a connection while all of them wait for answers."""
    post = posts(mail_server, replace(LIMITS, connections=1, before_data=0.3, data=20))
    mail_server.answering.clear()
    first = asyncio.create_task(in_the_end(post, mail(1)))
    await until(lambda: mail_server.taken)
    assert isinstance(await outcome(post, mail(2)), ServerAway)
    mail_server.answering.set()
    assert await first is None
    assert await in_the_end(post, mail(3)) is None


async def test_mail_given_up_in_the_middle_leaves_no_connection_in_the_middle(
    mail_server: MailServer, posts: Posts
) -> None:
    """N4: those that waited for an answer and those that waited for a connection."""
    post = posts(mail_server)
    mail_server.answering.clear()
    given_up = [asyncio.create_task(post.send(one)) for one in numbered(6)]
    await until(lambda: len(mail_server.taken) == 4)
    for task in given_up:
        task.cancel()
    assert all(
        isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*given_up, return_exceptions=True)
    )
    await until(lambda: not mail_server.open)
    mail_server.answering.set()
    mail_server.recipients.clear()
    mails = numbered(20)
    await send_all(post, mails, tasks=5)
    assert sorted(mail_server.recipients) == addresses(mails)
    assert mail_server.most_open == 4


@pytest.mark.parametrize("passes", range(0, 60, 3))
async def test_mail_may_be_given_up_at_any_moment(mail_server: MailServer, posts: Posts, passes: int) -> None:
    """N4: after so many turns of the loop; the next mail still goes to its own receiver, and to nobody else."""
    post = posts(mail_server, replace(LIMITS, connections=1))
    await post.send(mail(1, "kept@mail.example"))
    given_up = asyncio.create_task(post.send(mail(2, "given-up@mail.example")))
    for _ in range(passes):
        await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    await post.send(mail(3, "next@mail.example"))
    assert [str(one["To"]) for one in mail_server.taken] == mail_server.recipients
    assert mail_server.recipients[-1] == "next@mail.example"
    assert mail_server.recipients.count("given-up@mail.example") <= 1


async def test_connection_ends_in_order_after_so_many_mails(mail_server: MailServer, posts: Posts) -> None:
    """N4: before the server thinks that they are too many, and never one more than it allows at one time."""
    mails = numbered(30)
    await send_all(posts(mail_server, replace(LIMITS, mails=3)), mails, tasks=6)
    assert sorted(mail_server.recipients) == addresses(mails)
    assert max(desk.mails for desk in mail_server.connections) == 3
    assert mail_server.most_open <= 4
    await until(lambda: mail_server.heard.count("QUIT") >= 6)


async def test_next_connection_is_opened_when_the_last_has_ended(mail_server: MailServer, posts: Posts) -> None:
    """N4: a server that allows us one would turn the second away."""
    post = posts(mail_server, replace(LIMITS, connections=1, mails=1))
    mail_server.parting.clear()
    await post.send(mail(1))
    sending = asyncio.create_task(post.send(mail(2)))
    await until(lambda: "QUIT" in mail_server.heard)
    await asyncio.sleep(0.1)
    assert not sending.done()
    mail_server.parting.set()
    await sending
    assert (len(mail_server.connections), mail_server.most_open) == (2, 1)


async def test_idle_connection_ends_in_order(mail_server: MailServer, posts: Posts) -> None:
    post = posts(mail_server, replace(LIMITS, idle=0.05))
    await post.send(mail(1))
    await until(lambda: not mail_server.open)
    assert mail_server.heard[-1] == "QUIT"
    await post.send(mail(2))
    assert len(mail_server.connections) == 2


async def test_connection_in_use_is_not_idle(mail_server: MailServer, posts: Posts) -> None:
    post = posts(mail_server, replace(LIMITS, idle=0.1))
    await post.send(mail(1))
    mail_server.answering.clear()
    sending = asyncio.create_task(post.send(mail(2)))
    await asyncio.sleep(0.2)
    mail_server.answering.set()
    await sending
    await post.send(mail(3))
    assert len(mail_server.connections) == 1


async def test_closing_takes_leave_of_the_server(mail_server: MailServer, posts: Posts) -> None:
    post = posts(mail_server)
    await send_all(post, numbered(8), tasks=4)
    count = len(mail_server.open)
    await post.close()
    assert mail_server.heard[-count:] == ["QUIT"] * count
    assert count == 4
    await until(lambda: not mail_server.open)
    await post.send(mail())  # and it can be used again


# ---- answers


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("550 5.1.1 <aoi@mail.example>: no such user", AddressRefused),
        ("550 5.1.10 The domain takes no mail", AddressRefused),
        ("553 5.1.3 Bad address syntax", AddressRefused),
        ("550 No such user here", AddressRefused),
        ("551 User not local", AddressRefused),
        ("553 Mailbox name not allowed", AddressRefused),
        ("550 5.1.8 Your domain is not found", Refused),
        ("550 5.2.1 Mailbox disabled", Refused),
        ("552 5.2.2 Mailbox full", Refused),
        ("550 5.2.2 Over quota", Refused),
        ("552 Over quota", Refused),
        ("550 5.7.1 Blocked by policy", Refused),
        ("554 5.7.1 Relay access denied", Refused),
        ("554 Transaction failed", Refused),
        ("452 4.2.2 Mailbox full", TryLater),
        ("451 4.7.1 Greylisted, try again later", TryLater),
        ("450 4.1.1 No such user, for now", TryLater),
        ("421 4.3.2 Shutting down", TryLater),
        ("530 5.7.0 Authentication required", ServerAway),
    ],
)
async def test_answer_to_the_receivers_address_tells_whose_fault_it_is(
    mail_server: MailServer, posts: Posts, answer: str, kind: type[Exception]
) -> None:
    """N4: only an address that does not exist is marked; full mailboxes and policies change."""
    mail_server.says["RCPT"] = answer
    error = await outcome(posts(mail_server))
    assert _is_just(error, kind)
    assert str(error) == answer.replace("<aoi@mail.example>:", "<address>")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("554 5.6.0 Content refused", Refused),
        ("550 5.1.1 No such user", Refused),
        ("552 Too big", Refused),
        ("452 4.3.1 Insufficient system storage", TryLater),
        ("421 4.3.2 Shutting down", TryLater),
        ("999 what", TryLater),
    ],
)
async def test_answer_to_the_mail_is_about_this_mail(
    mail_server: MailServer, posts: Posts, answer: str, kind: type[Exception]
) -> None:
    """N4: it never marks the address."""
    mail_server.says["DATA"] = answer
    assert _is_just(await outcome(posts(mail_server)), kind)


@pytest.mark.parametrize("answer", ["530 5.7.0 Authentication required", "451 4.3.0 Later", "550 5.1.8 Who are you"])
async def test_server_that_does_not_take_us_as_sender_is_away(
    mail_server: MailServer, posts: Posts, answer: str
) -> None:
    """N4: that says nothing about the mail."""
    mail_server.says["MAIL"] = answer
    error = await outcome(posts(mail_server))
    assert _is_just(error, ServerAway)
    assert str(error) == answer


def _is_just(error: Exception | None, kind: type[Exception]) -> bool:
    """Whether it is of this kind and of none that says more."""
    more = {TryLater: ServerAway, Refused: AddressRefused}.get(kind)
    return isinstance(error, kind) and not (more and isinstance(error, more))


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_connection_is_kept_after_a_refusal_and_begins_anew(
    mail_server: MailServer, posts: Posts, command: str
) -> None:
    """N4: with RSET, so that nothing of the refused mail clings to the next."""
    post = posts(mail_server)
    mail_server.says[command] = "550 5.7.1 No"
    assert isinstance(await outcome(post, mail(1, "aoi@mail.example")), Refused)
    mail_server.says.clear()
    await post.send(mail(2, "sora@mail.example"))
    await post.send(mail(3, "riku@mail.example"))
    assert mail_server.recipients == ["sora@mail.example", "riku@mail.example"]
    assert mail_server.heard.count("RSET") == 1
    assert len(mail_server.connections) == 1


async def test_one_refused_receiver_stands_in_nobodys_way(mail_server: MailServer, posts: Posts) -> None:
    """N4."""
    post = posts(mail_server)
    mail_server.refused.add("candidate3@mail.example")
    results = await asyncio.gather(*(outcome(post, one) for one in numbered(10)))
    assert [type(error) for error in results] == [AddressRefused if number == 3 else type(None) for number in range(10)]
    assert len(mail_server.recipients) == 9


async def test_greylisted_mail_is_taken_when_it_comes_again(mail_server: MailServer, posts: Posts) -> None:
    """N4: the same mail, byte for byte."""
    post = posts(mail_server)
    mail_server.puts_off = 2
    assert [_is_just(await outcome(post), TryLater) for _ in range(3)] == [True, True, False]
    assert mail_server.recipients == ["aoi@mail.example"]


# ---- TLS and log-in


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Issues certificates that no machine trusts of itself."""
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's own certificate, as SMTP_CA names it."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def certified(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """What a server shows to prove its name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_goes_over_tls_to_a_server_that_proves_its_name(
    posts: Posts, authority: trustme.CA, ca: Path, scheme: str
) -> None:
    """N4: over kept connections too."""
    async with mail_server_running(scheme=scheme, tls=certified(authority)) as server:
        post = posts(server, ca=ca)
        await send_all(post, numbered(6), tasks=2)
        assert sorted(server.recipients) == addresses(numbered(6))
        await post.close()


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_server_that_does_not_prove_its_name_gets_no_mail(
    posts: Posts, authority: trustme.CA, ca: Path, scheme: str
) -> None:
    """N4: neither with another's certificate, nor with one from an authority that is not trusted."""
    async with mail_server_running(scheme=scheme, tls=certified(authority, "elsewhere.example")) as server:
        assert isinstance(await outcome(posts(server, ca=ca)), ServerAway)
        assert server.taken == []
    async with mail_server_running(scheme=scheme, tls=certified(authority)) as server:
        error = await outcome(posts(server))
        assert isinstance(error, ServerAway)
        assert "certificate verify failed" in str(error)
        assert server.taken == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_does_not_go_in_clear_where_tls_is_asked_for(
    mail_server: MailServer, posts: Posts, scheme: str
) -> None:
    """N4: `smtp://` means STARTTLS, and a server that lost it, or somebody in between, gets nothing."""
    url = mail_server.url.replace("smtp+plain", scheme)
    for with_or_without_login in (url, url.replace("://", "://seiseki:secret@")):
        assert isinstance(await outcome(posts(with_or_without_login, IMPATIENT)), ServerAway)
    assert mail_server.taken == []
    assert "MAIL" not in mail_server.heard


async def test_mail_server_gets_our_name_and_password(posts: Posts) -> None:
    """N4: written in the address, percent-encoded; a wrong one says nothing about the mail, and is not told."""
    async with mail_server_running(users={"seiseki@board.example": "p@ss:w/rd"}) as server:
        wrong = posts(server.url.replace("://", "://seiseki%40board.example:wr%20ng@"))
        right = posts(server.url.replace("://", "://seiseki%40board.example:p%40ss%3Aw%2Frd@"))
        error = await outcome(wrong)
        assert isinstance(error, ServerAway)
        assert "wr ng" not in str(error)
        await right.send(mail())
        assert server.recipients == ["aoi@mail.example"]


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp+plain:///x",
        "smtp+starttls://mail.example",
        "smtp://user:secret@mail.example:99999",
        "smtp://user:secret@[mail.example",
    ],
)
def test_address_of_a_mail_server_must_say_how_to_speak_to_it(url: str) -> None:
    """N4: a wrong one is told when the service starts, not when the first mail is lost; without the password."""
    with pytest.raises(ValueError, match="SMTP_URL must look like") as told:
        post_of(Settings(smtp_url=url))
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_to_trust_must_be_there_when_the_service_starts(tmp_path: Path, content: str | None) -> None:
    """N4."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match="SMTP_CA"):
        post_of(Settings(smtp_url="smtps://mail.example", smtp_ca=path))


@pytest.mark.parametrize(
    "sender", ["", "Seiseki", "Seiseki <no-reply>", "Seiseki <成績@seiseki.example>", "Seiseki <a@成績.example>"]
)
def test_sender_must_have_an_address(tmp_path: Path, sender: str) -> None:
    """N5: told when the service starts, whether or not mails are signed."""
    path = tmp_path / "dkim.pem"
    path.write_bytes(pem_of(KEYS["RSA"]))
    for settings in (Settings(), Settings(dkim_key=path, dkim_selector="march")):
        with pytest.raises(ValueError, match="MAIL_FROM"):
            post_of(replace(settings, var=tmp_path, mail_from=sender))


# ---- the mail


async def test_mail_is_the_same_on_every_try(mail_server: MailServer, posts: Posts, signer: Signer) -> None:
    """N5: byte for byte, signature too, from whichever process; so a receiver's program sees one mail."""
    await posts(mail_server, signer=signer).send(mail())
    await posts(mail_server, signer=signer).send(mail())
    first, second = mail_server.written
    assert first == second
    assert b"DKIM-Signature" in first


async def test_mail_says_what_it_is(mail_server: MailServer, posts: Posts) -> None:
    """N5."""
    await posts(mail_server).send(mail(7))
    [taken] = mail_server.taken
    told = {name: value for name, value in taken.items() if name not in ("Content-Type", "X-Peer")}
    assert told == {
        "From": MAIL_FROM,
        "To": "aoi@mail.example",
        "Subject": "結果のお知らせ",
        "Date": "Sat, 01 Mar 2025 09:30:00 +0000",
        "Message-ID": "<mail-7@seiseki.example>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
        "Content-Language": "ja",
    }
    assert taken.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in taken.iter_parts()] == ["text/plain", "text/html"]
    assert text_of(taken).splitlines() == ["結果が出ました。"]
    assert text_of(taken, "html").splitlines() == ["<p>結果が出ました。</p>"]
    assert not taken.defects


async def test_mail_is_ascii_with_short_lines(mail_server: MailServer, posts: Posts) -> None:
    """N5: nothing that a server on the way would have to rewrite, which breaks signatures."""
    long = mail(subject="結果" * 60, text="結果" * 2000 + "\n.\n", html="<p>" + "x" * 5000 + "</p>")
    await posts(mail_server).send(long)
    await posts(mail_server).send(mail())
    for written in mail_server.written:
        assert written.isascii()
        assert max(map(len, written.split(b"\r\n"))) <= 78
    written = mail_server.written[0]
    assert parsed(written)["Subject"] == long.subject
    assert text_of(parsed(written)).splitlines() == long.text.splitlines()


async def test_mail_that_can_be_ended_says_how_with_one_click(mail_server: MailServer, posts: Posts) -> None:
    """N5: as RFC 8058 has it; the link stays whole however long it is, since programs do not decode it."""
    link = "https://results.example/unsubscribe?token=" + "x" * 300
    await posts(mail_server).send(mail(unsubscribe=link))
    [written] = mail_server.written
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in written
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in written


async def test_link_that_breaks_out_of_its_line_is_not_written(mail_server: MailServer, posts: Posts) -> None:
    """N5: no header comes in by a link."""
    with pytest.raises(ValueError, match="linefeed"):
        await posts(mail_server).send(mail(unsubscribe="https://x.example\r\nBcc: all@mail.example"))
    assert mail_server.taken == []


@pytest.mark.parametrize(
    "address", ["a..b@docomo.example", "ab.@docomo.example", ".ab@docomo.example", "a.b+c!#$%&'*/=?^_`{|}~-@d.example"]
)
async def test_addresses_of_japanese_telephones_get_their_mail(
    mail_server: MailServer, posts: Posts, address: str
) -> None:
    """N4: they were given out against the rules for dots, so they are written in quotation marks."""
    await posts(mail_server).send(mail(1, address))
    assert mail_server.recipients == [address]
    to = mail_server.taken[0]["To"]
    assert [found.addr_spec for found in to.addresses] == [address]
    assert not to.defects


# ---- DKIM


Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def pem_of(key: Private, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """The private key as DKIM_KEY names it."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def dns_of(key: Private) -> Callable[..., bytes]:
    """A DNS in which the public half stands under the selector `march`."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        kind, public = b"ed25519", key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, public = b"rsa", key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=" + kind + b"; p=" + base64.b64encode(public)
    return lambda name, timeout=5: record if name == b"march._domainkey.seiseki.example." else b""


KEYS: dict[str, Private] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> Private:
    """A private key of each kind."""
    return KEYS[request.param]


@pytest.fixture
def signer(key: Private) -> Signer:
    """Signs with it."""
    return Signer(pem_of(key), "march", "seiseki.example")


async def test_signature_is_right_and_dated(
    mail_server: MailServer, posts: Posts, key: Private, signer: Signer
) -> None:
    """N5: for the sender's domain, over everything that a receiver acts on."""
    link = "https://results.example/unsubscribe?token=" + "x" * 100
    await posts(mail_server, signer=signer).send(mail(unsubscribe=link))
    [written] = mail_server.written
    checked = dkim.DKIM(written)
    assert checked.verify(dnsfunc=dns_of(key))
    assert checked.signature_fields[b"d"] == b"seiseki.example"
    assert checked.signature_fields[b"t"] == str(int(WRITTEN_AT.timestamp())).encode()
    assert list(checked.include_headers) == [
        *(b"from", b"to", b"subject", b"date", b"message-id", b"content-type", b"mime-version", b"auto-submitted"),
        *(b"list-unsubscribe", b"list-unsubscribe-post", b"from"),
    ]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"\r\n--=_mail-1--", b"\r\nPHA+\r\n--=_mail-1--"),
        (b"To: aoi@", b"To: eve@"),
        (b"Auto-Submitted: auto-generated\r\n", b""),
        (b"From: Seiseki", b"From: Eve <eve@mail.example>\r\nFrom: Seiseki"),
        (b"Date: Sat, 01", b"Date: Sat, 08"),
        (b"=One-Click", b"=Two-Clicks"),
    ],
)
async def test_changed_mail_fails_its_signature(
    mail_server: MailServer, posts: Posts, key: Private, signer: Signer, was: bytes, becomes: bytes
) -> None:
    """N5."""
    await posts(mail_server, signer=signer).send(mail(unsubscribe="https://results.example/u"))
    [written] = mail_server.written
    assert written.count(was) == 1
    assert dkim.verify(written, dnsfunc=dns_of(key))
    assert not dkim.verify(written.replace(was, becomes), dnsfunc=dns_of(key))


def test_transactional_mail_signs_no_header_that_it_lacks(signer: Signer, key: Private) -> None:
    """N5: a mailing list on the way may add its own List-Unsubscribe."""
    signed = signer.signed(b"From: a@seiseki.example\r\nTo: b@mail.example\r\n\r\nHello\r\n", WRITTEN_AT)
    assert dkim.verify(b"List-Unsubscribe: <https://list.example>\r\n" + signed, dnsfunc=dns_of(key))


@pytest.mark.parametrize(
    "pem",
    [
        pem_of(KEYS["RSA"]),
        pem_of(KEYS["RSA"], PrivateFormat.TraditionalOpenSSL),
        pem_of(KEYS["Ed25519"]),
        pem_of(KEYS["RSA"]).replace(b"\n", b"\r\n"),
        pem_of(KEYS["Ed25519"]).replace(b"\n", b"\r\n"),
    ],
    ids=["RSA", "RSA of old", "Ed25519", "RSA from Windows", "Ed25519 from Windows"],
)
async def test_key_is_read_as_programs_write_it(tmp_path: Path, pem: bytes) -> None:
    """N5: the post that the settings ask for signs with it."""
    path = tmp_path / "dkim.pem"
    path.write_bytes(pem)
    env = {"VAR_DIR": str(tmp_path), "DKIM_KEY": str(path), "DKIM_SELECTOR": "march"}
    await post_of(Settings.from_env(env)).send(mail())
    written = await asyncio.to_thread((tmp_path / "mail" / "mail-1.eml").read_bytes)
    assert any(dkim.verify(written, dnsfunc=dns_of(key)) for key in KEYS.values())


GOOD = pem_of(KEYS["RSA"])
PLACE = len(GOOD) * 6 // 10  # inside one of the two primes
MISPRINTED = GOOD[:PLACE] + bytes(b"AB"[sign == ord("A")] for sign in GOOD[PLACE : PLACE + 6]) + GOOD[PLACE + 6 :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
        pem_of(KEYS["RSA"])[:600] + b"\n-----END PRIVATE KEY-----\n",
        MISPRINTED,
        pem_of(ec.generate_private_key(ec.SECP256R1())),
        KEYS["RSA"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        None,
    ],
    ids=["empty", "words", "zeros", "garbled", "cut off", "misprinted", "another kind", "the public half", "missing"],
)
def test_bad_key_is_told_when_the_service_starts(tmp_path: Path, content: bytes | None) -> None:
    """N5: with the variable's name, not at the first mail."""
    path = tmp_path / "dkim.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="DKIM_KEY"):
        post_of(Settings(var=tmp_path, dkim_key=path, dkim_selector="march"))


SHORT_KEY = b"""-----BEGIN PRIVATE KEY-----
MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAyIL9sLx/uWSFH9nV
NCLLlTG/f0f67qVSetF9h3N5VCgCc7y33VR4yCcToniamFX9DvEWQkcfrvkT7Ry2
g1pAgwIDAQABAkAu1pKGT3ISj42dZBguppYh0s4l4F2Yk5vRvs/w7SOBabEHP1oF
l02fp0cpVv73Fkvlc/8Q2u4Ln9KGtvSXTdzhAiEA9LJTs4SrSZuEvGJFbcNGXL7B
QGQ2K0PGUKsVjidOJnMCIQDRxicpFgAz9SbM5dSfbZRq20iowOLWLP50BOrCHaHp
sQIgWkUjLbnGutvdhuW1+T0tyu8wOcH+Xc2d7op+5DdJ1FMCIAOrDWBAjDxcWxNW
KYOoLOI5d2nMBattGf35YAmI7x3hAiEA3Til4ilDpE/1mQ28/soofH6vtWOaszdr
yQWD7e5FYB8=
-----END PRIVATE KEY-----
"""


def test_key_that_no_receiver_trusts_is_told_when_the_service_starts(tmp_path: Path) -> None:
    """N5: one of 512 bits, which can be broken."""
    path = tmp_path / "dkim.pem"
    path.write_bytes(SHORT_KEY)
    with pytest.raises(ValueError, match="1024 bits or more"):
        post_of(Settings(var=tmp_path, dkim_key=path, dkim_selector="march"))


@pytest.mark.parametrize("selector", [None, "", "march 2025", "march;d=x", "märz"])
def test_key_without_its_name_in_dns_is_told_when_the_service_starts(tmp_path: Path, selector: str | None) -> None:
    """N5."""
    path = tmp_path / "dkim.pem"
    path.write_bytes(pem_of(KEYS["Ed25519"]))
    with pytest.raises(ValueError, match="DKIM_SELECTOR must be set"):
        post_of(Settings(var=tmp_path, dkim_key=path, dkim_selector=selector))


def test_name_in_dns_without_its_key_is_told_when_the_service_starts(tmp_path: Path) -> None:
    """N5."""
    with pytest.raises(ValueError, match="DKIM_KEY must be set"):
        post_of(Settings(var=tmp_path, dkim_selector="march"))


# ---- the folder


async def test_without_a_mail_server_mails_land_in_a_folder(tmp_path: Path) -> None:
    """N4: one file a mail, under its id, as it would have gone out."""
    post = post_of(Settings(var=tmp_path))
    assert isinstance(post, Folder)
    for number in (1, 2, 2):
        await post.send(mail(number))
    await post.close()
    files = await asyncio.to_thread(lambda: sorted((tmp_path / "mail").iterdir()))
    assert [path.name for path in files] == ["mail-1.eml", "mail-2.eml"]
    assert parsed(files[0].read_bytes())["Message-ID"] == "<mail-1@seiseki.example>"


DIES_WHILE_WRITING = """
import asyncio, resource, signal, sys
from pathlib import Path
from mailers.post import Folder
from settings import MAIL_FROM
from tests.test_post import mail

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
asyncio.run(Folder(Path(sys.argv[1]), MAIL_FROM).send(mail()))
"""


async def test_process_that_dies_while_writing_leaves_no_half_mail(tmp_path: Path) -> None:
    """N4: the kernel kills it after 300 bytes; the next try puts a whole mail there."""
    folder = tmp_path / "mail"
    process = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DIES_WHILE_WRITING, str(folder)], cwd=PROJECT, check=False
    )
    assert process.returncode == -signal.SIGXFSZ
    [left] = await asyncio.to_thread(lambda: list(folder.iterdir()))
    assert (left.name, left.stat().st_size) == ("mail-1.part", 300)
    await Folder(folder, MAIL_FROM).send(mail())
    [written] = await asyncio.to_thread(lambda: list(folder.iterdir()))
    assert "結果が出ました。</p>" in text_of(parsed(written.read_bytes()), "html")
    assert written.name == "mail-1.eml"
