"""Mails about new shares: to those who want them, when they want them, each share once (N2, N3, N4, N5)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import database
from engine.clock import system_clock
from engine.jobs import Worker
from mailers.letters import MOST_LISTED
from models.consent import CONSENT_VERSION
from models.institution import Institution, InstitutionStatus
from models.letter import WAITING, Letter
from models.notify import Notify, next_digest
from models.result import Result
from models.share import Share
from models.verifier import VerifierStatus, VerifierUser, unsubscribe_token
from models.viewer import Kind, Viewer
from resolvers import news, shares
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.mail_server import mails_in, text_of
from tests.served import Served, until
from tests.stopping import somebody_stands, stopped
from tests.words import words
from tests.world import World, gid, settled

stored = pytest.mark.usefixtures("open_database")
TOKYO = ZoneInfo("Asia/Tokyo")  # where the institutions of `world` are, nine hours before UTC all year
MINUTE = timedelta(minutes=1)


@dataclass
class Office:
    """An institution, whose worker is us."""

    world: World
    clock: ControlledClock
    institution: Institution

    async def user(self, notify: Notify, **facts: Any) -> VerifierUser:
        """A user who chose so when the account was made."""
        return await self.world.verifier(self.institution, notify=notify, **facts)

    async def receive(self, count: int = 1, **facts: Any) -> list[UUID]:
        """So many shares, each of a candidate of its own."""
        return [await self.world.share(await self.world.result(**facts), self.institution) for _ in range(count)]

    async def look(self) -> None:
        """What a worker does every few seconds; the letters are sent at once."""
        await settled()
        await news.look(self.clock())
        await post_letters(self.clock())

    def viewer(self, user: VerifierUser) -> Viewer:
        """The user, logged in."""
        return self.world.viewer(Kind.VERIFIER, user.id, institution_id=self.institution.id, is_primary=user.is_primary)

    async def choose(self, user: VerifierUser, notify: Notify) -> None:
        """The user changes the choice."""
        await news.choose(self.viewer(user), notify, None)


async def post_letters(now: datetime) -> None:
    """Take every waiting letter for sent."""
    await database.rows(f"UPDATE letter SET sent_at = :now WHERE {WAITING}", now=now)


async def told(user: VerifierUser) -> list[int]:
    """How many shares each mail to the user told, oldest first."""
    return [letter.facts["count"] for letter in await letters_to(user)]


async def letters_to(user: VerifierUser) -> list[Letter]:
    return await Letter.filter(verifier_id=user.id, kind=news.KIND).order_by("written_at", "id")


async def due_at(user: VerifierUser) -> datetime | None:
    """When the user is to be told next."""
    return (await VerifierUser.get(id=user.id)).news_due_at


def tokyo(text: str) -> datetime:
    """A moment by the clock on the wall in Tokyo."""
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO)


@pytest.fixture
async def office(world: World, clock: ControlledClock, open_database: None) -> Office:
    """An institution in Tokyo, at 18:00 on a Sunday there; the first look is over."""
    office = Office(world, clock, await world.institution())
    await office.look()
    return office


# ---- at once


async def test_new_share_is_told_at_once_to_those_who_want_it_at_once(office: Office) -> None:
    """N2: and to nobody else, at no other institution."""
    wants = [await office.user(Notify.AT_ONCE), await office.user(Notify.AT_ONCE)]
    others = [await office.user(notify) for notify in (Notify.OFF, Notify.DAILY, Notify.WEEKLY)]
    elsewhere = await office.world.verifier(notify=Notify.AT_ONCE)
    await office.look()
    await office.receive()
    await office.look()
    assert [await told(user) for user in wants] == [[1], [1]]
    assert [await told(user) for user in (*others, elsewhere)] == [[]] * 4


async def test_what_comes_within_a_minute_is_told_in_one_mail_behind_it(office: Office) -> None:
    """N2: one mail a minute at most; at the minute and not before."""
    user = await office.user(Notify.AT_ONCE)
    await office.receive()
    await office.look()
    await office.receive()
    await office.look()
    office.clock.forward(seconds=30)
    await office.receive(2)
    await office.look()
    office.clock.forward(seconds=30, microseconds=-1)
    await office.look()
    assert await told(user) == [1]
    office.clock.forward(microseconds=1)
    await office.look()
    assert await told(user) == [1, 3]
    office.clock.forward(days=1)
    await office.look()
    assert await told(user) == [1, 3]


async def test_no_mail_is_written_while_the_last_one_waits_for_its_server(office: Office) -> None:
    """N2, N4: after an outage of hours comes one mail that tells the rest, not one for each minute."""
    user = await office.user(Notify.AT_ONCE)
    for _ in range(3):
        await office.receive()
        await settled()
        await news.look(office.clock())
        office.clock.forward(hours=1)
    assert await told(user) == [1]
    await post_letters(office.clock())
    await office.look()
    assert await told(user) == [1, 2]


async def test_event_of_a_transaction_that_commits_later_is_told_later(office: Office, database_url: str) -> None:
    """N2, N6: though its id is smaller than that of what came before; neither skipped nor told twice."""
    user = await office.user(Notify.AT_ONCE)
    async with unfinished(database_url) as (slow, commit):
        await event(slow, office)
        await office.receive()
        await news.look(office.clock())
        assert await told(user) == []  # what is behind an open transaction waits for it
        await commit()
    await office.look()
    office.clock.forward(minutes=1)
    await office.look()
    assert await told(user) == [2]


async def test_share_that_comes_while_a_user_is_being_told_is_told_next(office: Office, database_url: str) -> None:
    """N2: whoever is to be marked in the middle of being told is waited for, and marked then."""
    user = await office.user(Notify.AT_ONCE)
    await office.receive()
    await settled()
    await news.note(office.clock())
    async with unfinished(database_url) as (slow, commit_slow), unfinished(database_url) as (teller, commit_teller):
        await event(slow, office)
        await told_by_hand(teller, user, office.clock())  # which cannot see that event: it tells of what came before
        await commit_slow()
        marking = asyncio.create_task(news.note(office.clock()))
        await asyncio.wait([marking], timeout=0.3)
        await commit_teller()
        await marking
    assert await due_at(user) == office.clock() + MINUTE
    office.clock.forward(minutes=1)
    await office.look()
    assert await told(user) == [1]


@asynccontextmanager
async def unfinished(database_url: str) -> AsyncIterator[tuple[Any, Callable[[], Awaitable[None]]]]:
    """A transaction of another process, and how to commit it."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection, transaction.commit
    await connection.close()


async def event(connection: Any, office: Office) -> None:
    """A share, whose event is written in the other transaction."""
    [share_id] = await office.receive()
    written = await connection.fetchval("SELECT max(id) FROM journal WHERE share_id = $1", share_id)
    await database.rows("DELETE FROM journal WHERE id = :id", id=written)
    await connection.execute(
        """INSERT INTO journal (institution_id, kind, share_id, result_id, happened_at)
           SELECT institution_id, 'SHARE_SENT', id, result_id, sent_at FROM share WHERE id = $1""",
        share_id,
    )


async def told_by_hand(connection: Any, user: VerifierUser, now: datetime) -> None:
    """What a worker does who tells a user in the other transaction."""
    await connection.execute("SELECT 1 FROM verifier_user WHERE id = $1 FOR NO KEY UPDATE", user.id)
    await connection.execute(
        """UPDATE verifier_user SET news_xid = pg_snapshot_xmin(pg_current_snapshot())::text::bigint, news_id = 0,
           news_sent_at = $2, news_due_at = NULL WHERE id = $1""",
        user.id,
        now,
    )


async def test_what_nobody_may_see_or_somebody_has_seen_is_not_told(office: Office) -> None:
    """N2, S10, S9, R3: opened, withdrawn, expired, or put off; the rest is told."""
    user = await office.user(Notify.DAILY)
    ids = await office.receive(5)
    reader = office.viewer(user)
    await shares.open_share(reader, ids[0])
    await shares.mark(reader, ids[0], is_read=False)
    await Share.filter(id=ids[1]).update(withdrawn_at=office.clock())
    await Share.filter(id=ids[2]).update(expires_at=tokyo("2026-11-23 08:00"))
    await Result.filter(id=(await Share.get(id=ids[3])).result_id).update(released_at=tokyo("2026-11-23 08:00:01"))
    office.clock.now = tokyo("2026-11-23 08:00")
    await office.look()
    assert await told(user) == [1]


async def test_nothing_is_mailed_when_nothing_is_new(office: Office) -> None:
    """N2: and what was opened before the mail was due is not told in the next one either."""
    user, daily = await office.user(Notify.AT_ONCE), await office.user(Notify.DAILY)
    for id in await office.receive(2):
        await shares.open_share(office.viewer(user), id)
    for _ in range(3):
        await office.look()
        office.clock.forward(days=1)
    assert await Letter.all().count() == 0
    assert await due_at(user) is None
    assert await due_at(daily) == tokyo("2026-11-25 08:00")


async def test_looking_reads_nothing_of_the_past(office: Office, database_url: str, statements: Statements) -> None:
    """However long the journal is: every statement goes by the index to what is new."""
    await office.user(Notify.AT_ONCE)
    [share_id] = await office.receive()
    await database.rows(
        """INSERT INTO journal (institution_id, kind, share_id, result_id, happened_at)
           SELECT institution_id, 'SHARE_SENT', id, result_id, sent_at FROM share, generate_series(1, 20000)
           WHERE id = :id""",
        id=share_id,
    )
    await database.rows("ANALYZE")
    await settled()
    with statements.counted():
        await news.look(office.clock())
    asked = [one for one in statements.sent if "FROM journal " in one or "FROM journal\n" in one]
    assert len(asked) == 3  # whether there is anything, whose it is, and what
    connection = await asyncpg.connect(database_url, server_settings={"plan_cache_mode": "force_generic_plan"})
    for number, statement in enumerate(asked):
        await connection.execute(f"PREPARE asked{number} AS {statement}")
        values = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked{number} ({values})"))
        assert "on journal" in plan
        assert "Seq Scan on journal" not in plan, plan
    await connection.close()


# ---- daily and weekly


@pytest.mark.parametrize(
    ("notify", "first", "second"),
    [
        (Notify.DAILY, "2026-11-23 08:00", "2026-11-24 08:00"),
        (Notify.WEEKLY, "2026-11-23 08:00", "2026-11-30 08:00"),
    ],
)
async def test_digest_comes_at_eight_in_the_institutions_time_zone(
    office: Office, notify: Notify, first: str, second: str
) -> None:
    """N2: every day, or on Mondays; 18:00 on Sunday in Tokyo is 09:00 UTC; one mail, whatever looks come after."""
    user = await office.user(notify)
    await office.receive(2)
    office.clock.now = tokyo(first) - timedelta(microseconds=1)
    await office.look()
    assert await told(user) == []
    office.clock.now = tokyo(first)
    await office.look()
    await office.receive()
    for _ in range(3):
        await office.look()
        office.clock.forward(minutes=10)
    assert await told(user) == [2]
    office.clock.now = tokyo(second) - timedelta(microseconds=1)
    await office.look()
    assert await told(user) == [2]
    office.clock.now = tokyo(second)
    await office.look()
    assert await told(user) == [2, 1]


@stored
async def test_eight_is_another_moment_in_another_zone(world: World, clock: ControlledClock) -> None:
    """N2."""
    told_at: dict[str, datetime] = {}
    users = {}
    for zone in ("Pacific/Apia", "Asia/Kolkata", "Europe/Berlin", "America/Sao_Paulo"):
        institution = await world.institution(timezone=zone)
        users[zone] = await world.verifier(institution, notify=Notify.DAILY)
        await world.share(await world.result(), institution)
    await settled()
    for _ in range(2 * 24):
        clock.forward(minutes=30)
        await news.look(clock())
    for zone, user in users.items():
        [letter] = await letters_to(user)
        told_at[zone] = letter.written_at
    hours = {"Pacific/Apia": "22T19:00", "Asia/Kolkata": "23T02:30", "Europe/Berlin": "23T07:00",
             "America/Sao_Paulo": "22T11:00"}  # fmt: skip
    assert told_at == {zone: datetime.fromisoformat(f"2026-11-{at}:00+00:00") for zone, at in hours.items()}


async def test_worker_that_was_away_sends_one_mail_when_it_is_back(office: Office) -> None:
    """N2, N4: not one for every day that it missed; and the next comes at its usual time."""
    user = await office.user(Notify.DAILY)
    for _ in range(3):
        await office.receive()
        office.clock.forward(days=1)
    await office.look()
    await office.look()
    assert await told(user) == [3]
    assert await due_at(user) == tokyo("2026-11-26 08:00")


# ---- what the mail says


async def test_mail_tells_exams_and_times_and_nothing_of_candidates(office: Office) -> None:
    """N5: newest first; the facts that are kept hold no name, score, number or token either."""
    user = await office.user(Notify.AT_ONCE)
    for exam in ("C1_ADVANCED", "B2_FIRST", "C1_ADVANCED"):
        await office.world.share(await office.world.result(await office.world.entry(exam=exam)), office.institution)
        office.clock.forward(minutes=1)
    await office.look()
    [letter] = await letters_to(user)
    assert letter.facts == {
        "verifier_id": str(user.id),
        "institution": office.institution.name,
        "timezone": "Asia/Tokyo",
        "period": "AT_ONCE",
        "count": 3,
        "by_exam": [["C1 Advanced", 2], ["B2 First", 1]],
        "latest": [
            ["C1 Advanced", "2026-09-20", "2026-11-22T09:02:00+00:00"],
            ["B2 First", "2026-09-20", "2026-11-22T09:01:00+00:00"],
            ["C1 Advanced", "2026-09-20", "2026-11-22T09:00:00+00:00"],
        ],
    }
    assert (letter.address, letter.language) == (user.email, user.language)


async def test_mail_lists_a_hundred_and_counts_all(office: Office) -> None:
    """N2."""
    user, digest = await office.user(Notify.AT_ONCE), await office.user(Notify.DAILY)
    await office.receive(MOST_LISTED + 1, skills={})
    office.clock.forward(days=1)
    await office.look()
    [letter] = await letters_to(user)
    assert (letter.facts["count"], len(letter.facts["latest"])) == (MOST_LISTED + 1, MOST_LISTED)
    assert letter.facts["by_exam"] == [["C1 Advanced", MOST_LISTED + 1]]
    [letter] = await letters_to(digest)
    assert (letter.facts["count"], letter.facts["latest"]) == (MOST_LISTED + 1, [])


async def test_mail_arrives_with_the_address_that_ends_such_mails(
    worker: Worker, client: Client, world: World, clock: ControlledClock, settings: Settings
) -> None:
    """N2, N5: the whole way, from the candidate's order to a mail in the folder."""
    institution = await world.institution("Open Harbour University")
    user = await world.verifier(institution, notify=Notify.AT_ONCE, language="ja")
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate))
    answer = await client.as_(await world.token(candidate)).order(
        "sendResult", "", resultId=gid(result), institutionId=gid(institution), consentVersion=CONSENT_VERSION
    )
    assert answer["__typename"] == "ResultSent"
    folder = settings.var / "mail"
    await until(lambda: list(folder.glob("*.eml")))  # a look every three seconds, then a job
    [mail] = await mails_in(folder, 1)
    stop = f"http://testserver/unsubscribe/{unsubscribe_token(user.id)}"
    assert (mail["To"], mail["Content-Language"]) == (user.email, "ja")
    assert (mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]) == (f"<{stop}>", "List-Unsubscribe=One-Click")
    for text in (text_of(mail), text_of(mail, "html")):
        for part in ("Open Harbour University", "C1 Advanced", "http://testserver/inbox", stop):
            assert part in text
        for secret in (candidate.family_name, candidate.given_name, str(candidate.native_name), "168", "B2"):
            assert secret not in words(text)


# ---- who is told


async def test_nobody_who_may_not_see_the_inbox_is_told(office: Office) -> None:
    """O3, U2: not while the institution is suspended or the account is not active; afterwards, all by one mail."""
    statuses = (VerifierStatus.INVITED, VerifierStatus.DEACTIVATED, VerifierStatus.REMOVED)
    away = [
        await office.user(notify, status=status) for notify in (Notify.AT_ONCE, Notify.DAILY) for status in statuses
    ]
    active = [await office.user(Notify.AT_ONCE), await office.user(Notify.DAILY)]
    await office.receive(2)
    await office.world.suspend(office.institution)
    for _ in range(3):
        await office.look()
        office.clock.forward(days=1)
    assert await Letter.all().count() == 0
    await Institution.filter(id=office.institution.id).update(status=InstitutionStatus.APPROVED, suspended_at=None)
    await office.receive()
    await office.look()
    await office.look()
    assert [await told(user) for user in active] == [[3], [3]]
    assert [await told(user) for user in away] == [[]] * 6
    await VerifierUser.filter(status__in=statuses[:2]).update(status=VerifierStatus.ACTIVE)
    await office.look()
    assert [await told(user) for user in away] == [[3], [3], []] * 2


async def test_address_that_takes_no_mail_is_left_alone_until_it_is_another(office: Office) -> None:
    """N4: nothing is lost meanwhile."""
    user = await office.user(Notify.AT_ONCE)
    await office.receive()
    await office.look()
    await VerifierUser.filter(id=user.id).update(email_refused_at=office.clock())
    for _ in range(3):
        await office.receive()
        office.clock.forward(hours=1)
        await office.look()
    assert await told(user) == [1]
    await VerifierUser.filter(id=user.id).update(email="new@office.example", email_refused_at=None)
    await office.look()
    assert [letter.address for letter in await letters_to(user)] == [user.email, "new@office.example"]
    assert await told(user) == [1, 3]


async def test_fault_in_one_letter_does_not_stop_those_behind_it(
    office: Office, capfd: pytest.CaptureFixture[str]
) -> None:
    """N4: a time zone that nobody knows, say; it is told as soon as the fault is mended."""
    nowhere = await office.world.institution()
    users = [await office.world.verifier(nowhere, notify=Notify.DAILY), await office.user(Notify.DAILY)]
    await Institution.filter(id=nowhere.id).update(timezone="Nowhere/Land")
    for institution in (nowhere, office.institution):
        await office.world.share(await office.world.result(), institution)
    office.clock.forward(days=1)
    await office.look()
    assert [await told(user) for user in users] == [[], [1]]
    assert "news.failed" in capfd.readouterr().out
    await Institution.filter(id=nowhere.id).update(timezone="Asia/Tokyo")
    await office.look()
    assert [await told(user) for user in users] == [[1], [1]]


# ---- choosing


async def test_notifications_are_off_until_they_are_turned_on(office: Office) -> None:
    """N2: and then they are about what comes from then on."""
    user = await office.world.verifier(office.institution)
    assert (user.notify, user.news_due_at) == (Notify.OFF, None)
    await office.receive()
    await office.look()
    await office.choose(user, Notify.AT_ONCE)
    await office.look()
    assert await told(user) == []
    await office.receive(2)
    await office.look()
    assert await told(user) == [2]


async def test_share_that_comes_while_a_choice_is_written_is_told(office: Office, database_url: str) -> None:
    """N2: it was noted for others only, before the choice could be seen."""
    user = await office.user(Notify.OFF)
    async with unfinished(database_url) as (choosing, commit):
        position = await database.value("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        await office.receive()
        await settled()
        await news.look(office.clock())
        changed = await news.starting(office.institution, office.clock(), Notify.AT_ONCE)
        await choosing.execute(
            "UPDATE verifier_user SET notify = 'AT_ONCE', news_xid = $2, news_due_at = $3 WHERE id = $1",
            user.id, position, changed["news_due_at"],
        )  # fmt: skip
        await commit()
    await office.look()
    assert await told(user) == [1]


async def test_choosing_the_same_again_changes_nothing(office: Office) -> None:
    """N2."""
    for notify in Notify:
        user = await office.user(notify)
        await office.receive()
        await office.look()
        office.clock.forward(seconds=90)
        before = await VerifierUser.filter(id=user.id).values()
        await office.choose(user, notify)
        assert await VerifierUser.filter(id=user.id).values() == before


async def test_switching_back_and_forth_loses_and_repeats_nothing(office: Office) -> None:
    """N2: between at once, daily and weekly; each choice has its own time from its beginning on."""
    user = await office.user(Notify.DAILY)
    await office.receive()
    await office.choose(user, Notify.WEEKLY)
    assert await due_at(user) == tokyo("2026-11-23 08:00")
    office.clock.now = tokyo("2026-11-23 08:00")
    await office.choose(user, Notify.DAILY)
    assert await due_at(user) == tokyo("2026-11-24 08:00")
    await office.receive()
    await office.choose(user, Notify.AT_ONCE)
    await office.look()
    assert await told(user) == [2]
    for notify in (Notify.WEEKLY, Notify.AT_ONCE, Notify.DAILY, Notify.AT_ONCE):
        await office.choose(user, notify)
        await office.look()
    assert await told(user) == [2]
    await office.receive()
    await office.look()
    assert await told(user) == [2]  # the minute holds, however often one switches
    office.clock.forward(minutes=1)
    await office.look()
    assert await told(user) == [2, 1]


async def test_nothing_is_mailed_to_who_turned_it_off(office: Office) -> None:
    """N2: neither what waited when it was turned off, nor when it is on again what came meanwhile."""
    user, daily = await office.user(Notify.AT_ONCE), await office.user(Notify.DAILY)
    await office.receive()
    await settled()
    await news.note(office.clock())
    for one in (user, daily):
        await office.choose(one, Notify.OFF)
    office.clock.forward(days=2)
    await office.look()
    for one in (user, daily):
        await office.choose(one, Notify.DAILY)
    office.clock.forward(days=2)
    await office.look()
    assert await told(user) + await told(daily) == []


async def test_each_user_chooses_for_oneself_and_only_the_primary_for_those_to_come(
    client: Client, world: World
) -> None:
    """N2, N3."""
    institution = await world.institution()
    primary, other = await world.verifier(institution, is_primary=True), await world.verifier(institution)
    elsewhere = await world.verifier(is_primary=True)
    asking = {user.id: client.as_(await world.token(user)) for user in (primary, other, elsewhere)}

    async def change(user: VerifierUser, **choice: str) -> Any:
        return await asking[user.id].order("changeNotifications", CHANGED, **choice)

    answer = await change(primary, notify="WEEKLY", primaryDefault="DAILY")
    assert answer["user"] == {"id": gid(primary), "notify": "WEEKLY"}
    assert answer["organisation"] == {"primaryDefault": "DAILY"}
    assert (await change(other, notify="AT_ONCE"))["organisation"] == {"primaryDefault": "DAILY"}
    refused = await change(other, notify="OFF", primaryDefault="OFF")
    assert refused["__typename"] == "NotAllowed"
    assert (await change(elsewhere, primaryDefault="WEEKLY"))["user"]["notify"] == "OFF"
    chosen = [(await VerifierUser.get(id=user.id)).notify for user in (primary, other, elsewhere)]
    assert chosen == [Notify.WEEKLY, Notify.AT_ONCE, Notify.OFF]
    assert (await Institution.get(id=institution.id)).default_notify is Notify.DAILY
    for who, refusal in (
        (client, "NotLoggedIn"),
        (client.as_(await world.token(await world.candidate())), "NotAllowed"),
    ):
        answer = await who.order("changeNotifications", CHANGED, notify="DAILY")
        assert answer["__typename"] == refusal


CHANGED = "... on NotificationsChanged { user { id notify } organisation { primaryDefault } }"


async def test_new_users_start_with_what_the_primary_chose(office: Office) -> None:
    """N3: and with no news from before; those who are there keep what they have."""
    before, primary = await office.user(Notify.OFF), await office.user(Notify.OFF, is_primary=True)
    await news.choose(office.viewer(primary), None, Notify.DAILY)
    await office.institution.refresh_from_db()
    await office.receive()
    await settled()
    user = await office.world.verifier(office.institution)
    assert (user.notify, user.news_due_at) == (Notify.DAILY, tokyo("2026-11-23 08:00"))
    await office.receive(2)
    office.clock.forward(days=1)
    await office.look()
    assert [await told(one) for one in (user, before, primary)] == [[2], [], []]


async def test_refused_address_is_told_to_its_user_the_primary_and_staff(client: Client, world: World) -> None:
    """N4: and to no colleague."""
    institution = await world.institution()
    since = world.clock()
    user = await world.verifier(institution, email_refused_at=since)
    askers: dict[str, Any] = {
        "oneself": user,
        "the Primary": await world.verifier(institution, is_primary=True),
        "staff": await world.staff(),
        "a colleague": await world.verifier(institution),
        "another Primary": await world.verifier(is_primary=True),
    }
    seen = {}
    for name, asker in askers.items():
        asking = client.as_(await world.token(asker))
        node = (await asking.ask(REFUSED, id=gid(user)))["node"]
        seen[name] = node and node["emailRefusedAt"]
    when = since.isoformat()
    assert seen == {"oneself": when, "the Primary": when, "staff": when, "a colleague": None, "another Primary": None}


REFUSED = "query ($id: ID!) { node(id: $id) { ... on VerifierUser { emailRefusedAt } } }"


# ---- when 08:00 is next


ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe",
         "America/New_York", "Asia/Kolkata", "Africa/Casablanca", "Pacific/Kiritimati")  # fmt: skip
MOMENTS = st.datetimes(datetime(2009, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # then UTC


@given(now=MOMENTS, timezone=st.sampled_from(ZONES))
def test_next_digest_is_at_eight_and_within_a_day_or_a_week(now: datetime, timezone: str) -> None:
    """N2: whatever the zone does; where a whole day was left out, that day has no digest."""
    for notify, days in ((Notify.DAILY, 1), (Notify.WEEKLY, 7)):
        first = next_digest(notify, timezone, now)
        second = next_digest(notify, timezone, first)
        hours = (second - first) / timedelta(hours=1)
        local = [moment.astimezone(ZoneInfo(timezone)) for moment in (first, second)]
        assert now < first
        assert (first - now) / timedelta(hours=1) <= days * 24 + 1
        assert [(moment.hour, moment.minute, moment.second) for moment in local] == [(8, 0, 0)] * 2
        assert days * 24 - 1 <= hours <= days * 24 + 1 or timezone == "Pacific/Apia"
        assert notify is Notify.DAILY or {moment.weekday() for moment in local} == {0}
        assert next_digest(notify, timezone, first - timedelta(microseconds=1)) == first


@pytest.mark.parametrize(
    ("timezone", "now", "then"),
    [
        ("Asia/Tokyo", "2026-11-22T23:00:00", "2026-11-23T23:00:00"),  # 08:00 itself is over
        ("Asia/Tokyo", "2026-11-22T22:59:59.999999", "2026-11-22T23:00:00"),
        ("Europe/Berlin", "2026-03-28T07:00:00", "2026-03-29T06:00:00"),  # summer time begins: 23 hours
        ("Europe/Berlin", "2026-10-24T06:00:00", "2026-10-25T07:00:00"),  # and ends: 25
        ("America/Sao_Paulo", "2018-11-03T11:00:00", "2018-11-04T10:00:00"),  # began at midnight
        ("America/Sao_Paulo", "2026-11-22T11:00:00", "2026-11-23T11:00:00"),  # is no more
        ("Australia/Lord_Howe", "2026-10-03T21:30:00", "2026-10-04T21:00:00"),
        ("Australia/Lord_Howe", "2026-10-02T21:30:00", "2026-10-03T21:00:00"),  # half an hour
        ("Pacific/Apia", "2026-11-22T18:59:59", "2026-11-22T19:00:00"),
        ("Pacific/Apia", "2011-12-29T18:00:00", "2011-12-30T18:00:00"),  # there was no 30 December
    ],
)
def test_next_digest_across_changes_of_the_clock(timezone: str, now: str, then: str) -> None:
    """N2; moments in UTC."""
    assert next_digest(Notify.DAILY, timezone, at(now)) == at(then)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_next_weekly_digest_is_on_a_monday_there() -> None:
    """N2: when it is Monday in Tokyo it is still Sunday in UTC."""
    sunday, monday = tokyo("2026-11-22 23:59:59"), tokyo("2026-11-23 08:00")
    assert next_digest(Notify.WEEKLY, "Asia/Tokyo", sunday) == monday
    assert next_digest(Notify.WEEKLY, "Asia/Tokyo", monday - timedelta(microseconds=1)) == monday
    assert next_digest(Notify.WEEKLY, "Asia/Tokyo", monday) == tokyo("2026-11-30 08:00")


# ---- many workers, and their deaths


async def test_workers_beside_one_another_write_one_mail_a_user(office: Office) -> None:
    """N2, N4."""
    users = [await office.user(notify) for notify in (Notify.AT_ONCE, Notify.DAILY) for _ in range(6)]
    await office.receive(3)
    office.clock.forward(days=1)
    await settled()
    await asyncio.gather(*(news.note(office.clock()) for _ in range(8)))
    counts = await asyncio.gather(*(news.send_due(office.clock()) for _ in range(8)))
    await asyncio.gather(*(news.look(office.clock()) for _ in range(8)))
    assert sum(counts) == 12
    assert [await told(user) for user in users] == [[3]] * 12


async def test_every_user_is_told_of_every_share_once_though_workers_are_killed(
    open_database: None, settings: Settings, tmp_path: Path
) -> None:
    """N4: kill -9 in the middle of telling twenty users, three times, while ninety shares are sent."""
    office = Office(World(system_clock), ControlledClock(), await World(system_clock).institution())
    users = [await office.user(Notify.AT_ONCE) for _ in range(20)]
    workers = [Served(tmp_path / name, settings.database_url, command="worker") for name in ("one", "two")]
    try:
        halfway = [await told_until_killed(office, workers, before) for before in (3, 9, 15)]
    finally:
        for worker in workers:
            worker.stop()
    assert all(0 < letters < 20 for letters in halfway)  # in each round somebody was told, and somebody was not
    office.clock.now = system_clock()
    for _ in range(3):
        office.clock.forward(minutes=2)
        await office.look()
    assert [sum(await told(user)) for user in users] == [90] * 20


async def told_until_killed(office: Office, workers: list[Served], before: int) -> int:
    """Thirty shares; users are told of them until so many letters are new, and then whoever tells them is killed."""
    await post_letters(system_clock())
    # As if the minute were over, and the half minute after which another worker takes up what a dead one had begun.
    await database.rows("UPDATE verifier_user SET news_due_at = now(), news_sent_at = NULL")
    await database.rows("UPDATE pgqueuer_schedules SET status = 'queued', next_run = now()")
    there = await Letter.all().count()
    enough = f"(SELECT count(*) FROM letter) >= {there + before}"
    async with stopped(str(workers[0].database_url), "UPDATE OF news_sent_at ON verifier_user", enough):
        for worker in workers:
            worker.start()
        sending = asyncio.create_task(office.receive(30, skills={}))
        await until(somebody_stands)
        for worker in workers:
            worker.kill()
    await sending
    return await Letter.all().count() - there
