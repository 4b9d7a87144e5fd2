"""Letters: none lost, none sent twice, whatever the mail server or a process does (N4, N5)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import database
from engine.clock import system_clock
from mailers.letters import Mail
from mailers.post import Server, TryLater
from models.candidate import Candidate
from models.letter import WAITING, Letter
from models.notify import Notify
from models.session import PasswordReset, reset_token
from resolvers import letters
from settings import MAIL_FROM, Settings
from tests.conftest import START, ControlledClock, running
from tests.mail_server import MailServer, link_in, mail_server_running, text_of
from tests.served import Served, until
from tests.words import words
from tests.world import World

PUBLIC_URL = "https://results.example"

stored = pytest.mark.usefixtures("open_database")


class PostOffice:
    """Writes letters, and sends what is due at the controlled time, as one worker does."""

    def __init__(self, world: World, clock: ControlledClock, send: letters.Send) -> None:
        self.world = world
        self.clock = clock
        self.send = send

    async def write(self, address: str = "aoi@mail.example", language: str = "en") -> Letter:
        """A letter to a candidate who forgot the password."""
        candidate = await self.world.candidate(email=address, language=language)
        reset = await PasswordReset.create(candidate_id=candidate.id, asked_at=self.clock())
        receiver = letters.Receiver(address, language, candidate_id=candidate.id)
        async with database.transaction():
            id = await letters.write("password_reset", receiver, {"reset_id": str(reset.id)}, self.clock())
        return await Letter.get(id=id)

    async def deliver(self) -> bool:
        """Try the letter that has been due for longest; tells whether there was one."""
        due = await database.row(
            f"SELECT id FROM letter WHERE {WAITING} AND next_try_at <= :now ORDER BY next_try_at LIMIT 1",
            now=self.clock(),
        )
        if due is not None:
            await letters.deliver(due["id"], self.send, PUBLIC_URL, self.clock())
        return due is not None


@pytest.fixture
def office(world: World, clock: ControlledClock, mail_server: MailServer, open_database: None) -> PostOffice:
    """Sends through the mail server."""
    return PostOffice(world, clock, Server(mail_server.url, MAIL_FROM).send)


async def state(letter: Letter) -> tuple[int, datetime | None, datetime | None]:
    """How often it was tried, when it was sent, when it was refused for good."""
    row = await Letter.get(id=letter.id)
    return row.tries, row.sent_at, row.refused_at


async def test_letter_is_sent_once(office: PostOffice, mail_server: MailServer) -> None:
    """N4."""
    letter = await office.write()
    assert [await office.deliver(), await office.deliver()] == [True, False]
    assert mail_server.recipients == ["aoi@mail.example"]
    assert await state(letter) == (1, START, None)


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("en", "Set a new password", "The link works once, for 60 minutes."),
        ("ja", "パスワードの再設定", "このリンクは60分間、1回だけ有効です。"),
    ],
)
async def test_mail_is_text_and_html_in_the_receivers_language(
    office: PostOffice, mail_server: MailServer, language: str, subject: str, words: str
) -> None:
    """N5, A12."""
    letter = await office.write(language=language)
    await office.deliver()
    [mail] = mail_server.taken
    link = f"{PUBLIC_URL}/reset-password#{reset_token((await PasswordReset.get()).id)}"
    for text in (text_of(mail), text_of(mail, "html")):
        assert words in text
        assert link in text
    assert mail["Subject"] == subject
    assert mail["To"] == "aoi@mail.example"
    assert mail["From"] == MAIL_FROM
    assert mail["Content-Language"] == language
    assert f'lang="{language}"' in text_of(mail, "html")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{letter.id}@seiseki.example>"


async def test_mail_holds_no_personal_data_beyond_its_address(office: PostOffice, mail_server: MailServer) -> None:
    """N5."""
    await office.write()
    await office.deliver()
    candidate = await Candidate.get()
    written = words(text_of(mail_server.taken[0]), text_of(mail_server.taken[0], "html"))
    for fact in (candidate.family_name, candidate.given_name, candidate.native_name, "aoi@mail.example"):
        assert fact is not None
        assert fact not in written


async def test_letter_goes_with_the_transaction_that_wrote_it(office: PostOffice, mail_server: MailServer) -> None:
    """N4: what is undone sends no mail, and what is not done yet does not either."""
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await office.write()
            raise ZeroDivisionError
    assert not await office.deliver()
    assert mail_server.taken == []


async def test_delayed_letter_is_tried_again_after_longer_and_longer_waits(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock
) -> None:
    """N4: at the moment and not before, and never again after the tenth try, when it is parked."""
    letter = await office.write()
    mail_server.says["RCPT"] = "451 4.7.1 Greylisted, try again later"
    for tries in range(1, 10):
        assert await office.deliver()
        clock.now += letters.wait_after(tries, str(letter.id)) - timedelta(microseconds=1)
        assert not await office.deliver()
        clock.forward(microseconds=1)
        assert await state(letter) == (tries, None, None)
    assert await office.deliver()
    parked_at = clock()
    clock.forward(days=365)
    mail_server.says.clear()
    assert not await office.deliver()
    assert await state(letter) == (10, None, None)
    row = await Letter.get(id=letter.id)
    assert (row.parked_at, row.last_error) == (parked_at, "451 4.7.1 Greylisted, try again later")


def test_waits_grow_to_six_hours_and_no_further() -> None:
    """N4: three times as long each time, a fifth more or less; ten tries take about a day."""
    minutes = [
        [letters.wait_after(tries, str(seed)).total_seconds() / 60 for tries in range(1, 10)] for seed in range(200)
    ]
    for waits in minutes:
        for wait, middle in zip(waits, (1, 3, 9, 27, 81, 243, 729, 2187, 6561), strict=True):
            assert min(middle * 0.8, 360) <= wait <= min(middle * 1.2, 360)
        assert 18 <= sum(waits) / 60 <= 26
    assert len({tuple(waits) for waits in minutes}) == 200
    assert letters.wait_after(1000, "") == timedelta(hours=6)
    assert letters.wait_after(3, "a") == letters.wait_after(3, "a")


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_letter_delayed_at_any_command_arrives_in_the_end(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock, command: str
) -> None:
    """N4."""
    letter = await office.write()
    mail_server.says[command] = "452 4.3.1 Insufficient system storage"
    assert await office.deliver()
    mail_server.says.clear()
    clock.forward(minutes=2)
    assert await office.deliver()
    assert mail_server.recipients == ["aoi@mail.example"]
    assert await state(letter) == (2, START + timedelta(minutes=2), None)
    assert (await Letter.get(id=letter.id)).last_error is None


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_letter_refused_for_good_is_marked_and_not_tried_again(
    office: PostOffice,
    mail_server: MailServer,
    clock: ControlledClock,
    command: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """N4: with the server's reason, without the address."""
    letter = await office.write()
    mail_server.says[command] = "550 5.1.1 <aoi@mail.example>: no such user"
    assert await office.deliver()
    clock.forward(days=365)
    assert not await office.deliver()
    assert await state(letter) == (1, None, START)
    assert (await Letter.get(id=letter.id)).last_error == "550 5.1.1 <address> no such user"
    logged = capfd.readouterr().out
    assert "letter.refused" in logged
    assert "aoi@mail.example" not in logged


async def test_server_that_does_not_take_us_as_sender_loses_no_letter(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock
) -> None:
    """N4: a wrong configuration says nothing about the receiver; it is mended and the letter goes."""
    letter = await office.write()
    mail_server.says["MAIL"] = "530 5.7.0 Authentication required"
    assert await office.deliver()
    assert await state(letter) == (1, None, None)
    mail_server.says.clear()
    clock.forward(minutes=2)
    assert await office.deliver()
    assert mail_server.recipients == ["aoi@mail.example"]


@asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[str]:
    """A port that says one thing to everybody and hangs up."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@stored
@pytest.mark.parametrize(
    "greeting", [b"554 5.7.1 No service for you\r\n", b"421 Too busy\r\n", b"", b"\xff\x00HTTP/1.1\r\n"]
)
async def test_letter_waits_while_there_is_no_mail_server_to_speak_of(
    world: World, clock: ControlledClock, greeting: bytes
) -> None:
    """N4: one that turns everybody away, hangs up, or is something else."""
    async with listening(greeting) as address:
        office = PostOffice(world, clock, Server(f"smtp+plain://{address}", MAIL_FROM).send)
        letter = await office.write()
        assert await office.deliver()
    assert await state(letter) == (1, None, None)
    clock.forward(minutes=2)
    assert await office.deliver()  # by now nobody listens there at all
    assert await state(letter) == (2, None, None)


async def test_letter_that_cannot_be_written_does_not_stop_those_behind_it(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock
) -> None:
    """N4: a fault of ours in one letter."""
    async with database.transaction():
        await letters.write("unheard_of", letters.Receiver("aoi@mail.example", "en"), {}, clock())
    clock.forward(seconds=1)
    await office.write("sora@mail.example")
    assert [await office.deliver(), await office.deliver(), await office.deliver()] == [True, True, False]
    assert mail_server.recipients == ["sora@mail.example"]
    broken = await Letter.get(kind="unheard_of")
    assert (broken.tries, broken.sent_at, broken.refused_at, broken.last_error) == (1, None, None, "LookupError")
    clock.forward(minutes=2)
    assert await office.deliver()


async def test_letters_go_in_the_order_in_which_they_fell_due(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock
) -> None:
    """N4: one that was put off does not hold up the others."""
    addresses = [f"candidate{number}@mail.example" for number in (3, 1, 2)]
    for address in addresses:
        await office.write(address)
        clock.forward(seconds=1)
    while await office.deliver():
        pass
    assert mail_server.recipients == addresses


async def test_workers_beside_one_another_send_each_letter_once(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock
) -> None:
    """N4: jobs run at least once; while one worker tries a letter, and after it was sent, no other sends it."""
    written = [await office.write(f"candidate{number}@mail.example") for number in range(4)]
    mail_server.answering.clear()

    async def tried_by(workers: int) -> list[timedelta | None]:
        each = [letter.id for letter in written for _ in range(workers)]
        return await asyncio.gather(*(letters.deliver(id, office.send, PUBLIC_URL, clock()) for id in each))

    working = asyncio.create_task(tried_by(3))
    await until(lambda: len(mail_server.taken) == 4)
    assert await tried_by(1) == [letters.lease(letters.SEND_SECONDS)] * 4
    mail_server.answering.set()
    assert sorted(await working, key=str) == [letters.lease(letters.SEND_SECONDS)] * 8 + [None] * 4
    assert await tried_by(1) == [None] * 4
    assert sorted(mail_server.recipients) == [f"candidate{number}@mail.example" for number in range(4)]


async def test_late_word_of_an_old_try_does_not_give_the_newer_one_away(
    office: PostOffice, clock: ControlledClock
) -> None:
    """N4: a worker that was taken for dead tells of a delay while another is sending: still nobody else may send."""
    letter = await office.write()
    sent: list[Mail] = []
    old, new = asyncio.Event(), asyncio.Event()

    async def delayed(_: Mail) -> None:
        await old.wait()
        raise TryLater("451 Try again later")

    async def slow(mail: Mail) -> None:
        sent.append(mail)
        await new.wait()

    first = asyncio.create_task(letters.deliver(letter.id, delayed, PUBLIC_URL, clock()))
    await until(lambda: begun(letter, 1))
    clock.now += letters.lease(letters.SEND_SECONDS)
    second = asyncio.create_task(letters.deliver(letter.id, slow, PUBLIC_URL, clock()))
    await until(lambda: sent)
    old.set()
    await first
    assert await begun(letter, 2)
    clock.forward(minutes=2)  # when the old try would have come back, and before the newer one's lease is over
    await letters.deliver(letter.id, slow, PUBLIC_URL, clock())
    new.set()
    await second
    assert len(sent) == 1
    assert await state(letter) == (2, START + letters.lease(letters.SEND_SECONDS), None)


async def begun(letter: Letter, times: int) -> bool:
    """Whether somebody is at the try of this number."""
    row = await Letter.get(id=letter.id)
    return row.tries == times and row.begun_at is not None


async def test_letter_is_sent_again_with_its_message_id_when_the_process_dies_while_sending(
    office: PostOffice, mail_server: MailServer, clock: ControlledClock, settings: Settings, tmp_path: Path
) -> None:
    """N4: the receiver's program can tell that it is the same mail."""
    clock.now = system_clock()  # the other process has no other
    letter = await office.write()
    mail_server.answering.clear()
    service = Served(tmp_path / "service", settings.database_url, {"SMTP_URL": mail_server.url}).start()
    try:
        await until(lambda: mail_server.taken)
        assert await state(letter) == (1, None, None)
        service.kill()
    finally:
        service.stop()
    mail_server.answering.set()
    await office.deliver()
    assert len(mail_server.taken) == 1  # as far as we know, the other one is still at it
    clock.forward(minutes=5)
    await office.deliver()
    assert [mail["Message-ID"] for mail in mail_server.taken] == [f"<{letter.id}@seiseki.example>"] * 2
    assert link_in(mail_server.taken[0]) == link_in(mail_server.taken[1]).replace(
        PUBLIC_URL, f"http://localhost:{service.port}"
    )
    assert not await office.deliver()


async def test_service_goes_on_sending_after_the_mail_server_was_away(
    world: World, clock: ControlledClock, settings: Settings, clean: None
) -> None:
    """N4: in one process, with no help from outside."""
    async with mail_server_running() as server:
        url = server.url
    async with running(replace(settings, smtp_url=url, runs_worker=True), clock):
        office = PostOffice(world, clock, Server(url, MAIL_FROM).send)
        letter = await office.write()
        await until(lambda: tried(letter, 1))
        await until(is_put_off)
        async with mail_server_running(int(url.rpartition(":")[2])) as server:
            clock.forward(minutes=2)
            async with database.transaction():  # as if these minutes were over for PostgreSQL too
                await database.rows("UPDATE pgqueuer SET execute_after = now()")
            await office.write("sora@mail.example")  # which wakes the worker
            await until(lambda: tried(letter, 2))
            await until(lambda: sorted(server.recipients) == ["aoi@mail.example", "sora@mail.example"])


async def is_put_off() -> bool:
    """Whether the job of a letter is back in the queue, with its wait: that is written after how the try went."""
    return bool(await database.rows("SELECT 1 FROM pgqueuer WHERE status = 'queued' AND execute_after > now()"))


async def tried(letter: Letter, times: int) -> bool:
    """Whether a letter was tried so often, the last time to its end."""
    row = await Letter.get(id=letter.id)
    return row.tries == times and row.begun_at is None


AFTERWARDS = {
    "nothing happened": ("SELECT 1", 1),
    "they turned it off": ("UPDATE verifier_user SET notify = 'OFF'", 0),
    "they were removed": ("UPDATE verifier_user SET status = 'REMOVED', is_primary = false, removed_at = now()", 0),
    "they were deactivated": ("UPDATE verifier_user SET status = 'DEACTIVATED', is_primary = false", 0),
    "the institution was suspended": ("UPDATE institution SET status = 'SUSPENDED', suspended_at = now()", 0),
}


@pytest.mark.parametrize("afterwards", AFTERWARDS)
@pytest.mark.parametrize("kind", ["new_shares", "result_corrected"])
async def test_news_that_waited_goes_only_to_whoever_still_wants_and_may_have_it(
    office: PostOffice, world: World, mail_server: MailServer, clock: ControlledClock, kind: str, afterwards: str
) -> None:
    """N2, O3: the letter was written before, and is thrown away when its turn comes."""
    user = await world.verifier(notify=Notify.AT_ONCE, email="office@mail.example")
    told = {"verifier_id": str(user.id), "institution": "Keio University", "timezone": "UTC", "period": "AT_ONCE"}
    counted = {"count": 1, "by_exam": [["C1 Advanced", 1]], "latest": []}
    receiver = letters.Receiver(user.email, "en", verifier_id=user.id)
    async with database.transaction():
        await letters.write(kind, receiver, told | counted, clock())
    statement, mails = AFTERWARDS[afterwards]
    await database.rows(statement)
    assert await office.deliver()
    assert (len(mail_server.taken), await Letter.filter(sent_at__isnull=True).count()) == (mails, 0)
