"""Closing an account: what is erased, what is withdrawn, what stays, and that it is all or nothing (G2)."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database, files
from engine.jobs import Worker
from errors import EntryNotFound
from mailers.post import AddressRefused
from models.candidate import Candidate
from models.entry import Entry
from models.letter import Letter
from models.photo import Photo
from models.result import Result
from models.session import EmailChange, PasswordReset, Session
from models.share import Share
from models.sittings.proctoring import Message, Recording
from models.sittings.sitting import SittingRecipient
from models.sittings.states import SittingState
from models.viewer import Kind, Viewer
from resolvers import closing, entering, letters, photos, purges, shares
from resolvers.closing import Closed
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock
from tests.locks import lined_up
from tests.mail_server import MailServer
from tests.sitting_world import row_of
from tests.test_photos import png
from tests.test_register import form
from tests.world import PASSWORD, SECRET, World, gid

CLOSED = "... on MyAccountClosed { message closedAt sharesWithdrawn }"


class Life:
    """A candidate with everything that an account can hold."""

    def __init__(self, world: World, client: Client, candidate: Candidate, entry: Entry, result: Result) -> None:
        self.world, self.client = world, client
        self.candidate, self.entry, self.result = candidate, entry, result

    async def close(self, password: str = PASSWORD, confirm: bool = True) -> Any:
        return await self.client.order("closeMyAccount", CLOSED, password=password, confirm=confirm)

    async def row(self) -> Candidate:
        return await Candidate.get(id=self.candidate.id)

    def viewer(self) -> Viewer:
        return self.world.viewer(Kind.CANDIDATE, self.candidate.id)


async def a_life(world: World, client: Client) -> Life:
    candidate = await world.candidate(wants_updates=True, email="aoi@mail.example")
    entry = await world.entry(candidate)
    result = await world.result(entry)
    for _ in range(2):
        await world.share(result, await world.institution())
    await world.letter(candidate)
    await EmailChange.create(candidate_id=candidate.id, new_email="new@mail.example", asked_at=world.clock())
    await PasswordReset.create(candidate_id=candidate.id, asked_at=world.clock())
    return Life(world, client.as_(await world.token(candidate)), candidate, entry, result)


@pytest.fixture
async def life(app: Starlette, world: World, client: Client) -> Life:
    return await a_life(world, client)


async def with_photo(life: Life) -> str:
    """The name of the file of a photo of the entry."""
    name = files.new_name("photo")
    await files.put(name, b"jpeg")
    await Photo.create(
        entry_id=life.entry.id, file=name, width=1, height=1, size=4,
        digest=hashlib.sha256(b"jpeg").digest(), added_at=life.world.clock(),
    )  # fmt: skip
    return name


async def with_a_sitting(life: Life) -> None:
    """One that runs, with a message, a recipient and a recording; see test_my_sittings_data.py."""
    now = life.world.clock()
    sitting = await row_of(life.world, life.candidate, SittingState.CHECKING_IN, check_in_started_at=now)
    await Message.create(sitting_id=sitting.id, text="Hello", sent_at=now)
    await Recording.create(
        sitting_id=sitting.id, reference="recording/a", recorded_at=now, delete_at=now + timedelta(days=90)
    )
    consent: dict[str, Any] = {"consent_text": "Yes", "consent_version": "1", "consent_language": "en"}
    institution = await life.world.institution()
    shown: dict[str, Any] = {"institution_id": institution.id, "institution_name_shown": institution.name}
    await SittingRecipient.create(sitting_id=sitting.id, named_at=now, **consent, **shown)


async def test_contact_data_and_sessions_are_erased(life: Life) -> None:
    """G2"""
    closed = await life.close()
    assert closed["__typename"] == "MyAccountClosed", closed
    row = await life.row()
    assert [row.email, row.password_hash, row.email_refused_at] == [None, None, None]
    assert row.wants_updates is False
    assert row.closed_at == life.world.clock()
    for table in (Session, EmailChange, PasswordReset):
        assert await table.filter(candidate_id=life.candidate.id).count() == 0
    assert await Letter.filter(candidate_id=life.candidate.id).count() == 0


async def test_no_column_of_any_table_holds_the_address_but_the_last_letter(life: Life) -> None:
    """G2: nor the address that was waiting to be confirmed."""
    await life.close()
    assert await tables_with("aoi@mail.example") == {"letter"}
    assert await tables_with("new@mail.example") == set()


async def test_wrong_tries_to_log_in_are_forgotten(life: Life) -> None:
    """G2, A4: of every number, and of all together; those of others stay, and so do those with a Secret Number (A1)."""
    nobody, other = life.client.as_(None), await life.world.entry()
    for entry in (life.entry, await life.world.entry(life.candidate), other):
        await nobody.order("logIn", "", idNumber=entry.id_number, password="wrong 12345")
    await nobody.order("register", "", **form(other.id_number, "0000"))
    assert await counted() == {"log-in candidate": 3, "log-in all numbers": 2, "secret number": 1}
    await life.close()
    assert await counted() == {"log-in candidate": 1, "log-in all numbers": 1, "secret number": 1}


async def counted() -> dict[str, int]:
    """How many names of each kind have wrong tries."""
    found = await database.rows("SELECT kind, count(*) AS names FROM wrong_tries GROUP BY kind")
    return {row["kind"]: row["names"] for row in found}


async def test_a_letter_that_a_job_wrote_meanwhile_is_not_sent_and_goes(life: Life, clock: ControlledClock) -> None:
    """G2: the job had read the address before the closing; the letter is gone even if its worker comes by only once."""
    receiver = letters.Receiver("aoi@mail.example", "en", candidate_id=life.candidate.id)
    await life.close()
    async with database.transaction():
        late = await letters.write("password_changed", receiver, {"account": "CANDIDATE"}, clock())
    sent: list[Any] = []

    async def send(mail: Any) -> None:
        sent.append(mail)

    assert await letters.deliver(late, send, "http://testserver", clock()) is None
    assert sent == []
    assert not await Letter.exists(id=late)
    assert await Letter.filter(kind="account_closed").count() == 1


async def tables_with(text: str) -> set[str]:
    tables = await database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = set()
    for table in tables:
        name = table["tablename"]
        if await database.rows(f'SELECT 1 FROM "{name}" AS t WHERE t::text LIKE :text LIMIT 1', text=f"%{text}%"):
            found.add(name)
    return found


async def test_shares_are_withdrawn_each_with_its_event(life: Life) -> None:
    """G2, S10: as if each had been withdrawn by itself."""
    assert (await life.close())["sharesWithdrawn"] == 2
    assert await Share.filter(withdrawn_at__isnull=True).count() == 0
    told = await database.rows("SELECT share_id FROM journal WHERE kind = 'SHARE_WITHDRAWN'")
    assert {event["share_id"] for event in told} == {share.id for share in await Share.all()}


async def test_shares_that_ended_before_are_left_as_they_were(life: Life, clock: ControlledClock) -> None:
    """S9, S10"""
    ended = await Share.all().order_by("id")
    long_ago = clock() - timedelta(days=3)
    await Share.filter(id=ended[0].id).update(sent_at=long_ago, withdrawn_at=long_ago)
    await Share.filter(id=ended[1].id).update(sent_at=long_ago, expires_at=clock() - timedelta(seconds=1))
    assert (await life.close())["sharesWithdrawn"] == 0
    assert await database.value("SELECT count(*) FROM journal WHERE kind = 'SHARE_WITHDRAWN'") == 0


async def test_shares_of_results_that_are_not_shown_are_withdrawn_as_well(life: Life) -> None:
    """G2, R6: of a withheld result, which the candidate could not send."""
    await Result.filter(id=life.result.id).update(withheld_at=life.world.clock())
    assert (await life.close())["sharesWithdrawn"] == 2


async def test_an_institution_sees_the_candidate_no_more(life: Life) -> None:
    """S10, G2"""
    institution_id = (await Share.all().first()).institution_id  # type: ignore[union-attr]
    verifier = await life.world.verifier()
    await type(verifier).filter(id=verifier.id).update(institution_id=institution_id)
    user = life.client.as_(await life.world.token(verifier))
    asked = "query ($c: ID!) { node(id: $c) { id } inbox { totalCount } }"
    before = await user.ask(asked, c=gid(life.candidate))
    await life.close()
    after = await user.ask(asked, c=gid(life.candidate))
    assert before["node"] is not None
    assert after == {"node": None, "inbox": {"totalCount": 0}}


async def test_the_award_record_stays_and_the_answer_says_why(life: Life) -> None:
    """G2: names, date of birth, statement number and result, in plain words."""
    closed = await life.close()
    row = await life.row()
    assert (row.family_name, row.date_of_birth) == (life.candidate.family_name, life.candidate.date_of_birth)
    assert (await Result.get(id=life.result.id)).statement_number == life.result.statement_number
    assert "record of what was awarded" in closed["message"]
    assert "able to check it" in closed["message"]


async def test_the_photo_goes_and_its_file_after_it(life: Life, worker: Worker) -> None:
    """G2, R7"""
    name = await with_photo(life)
    await life.close()
    assert await Photo.all().count() == 0
    async with asyncio.timeout(60):
        while await files.get(name) is not None:  # noqa: ASYNC110  # a job sets no event
            await asyncio.sleep(0.05)


async def test_no_photo_is_taken_for_a_closed_account(life: Life) -> None:
    """G2: nor at an address that was asked for before."""
    staff = life.world.viewer(Kind.STAFF, (await life.world.staff()).id, is_board=True)
    assert await photos.is_awaited(staff, life.entry.id, "")
    await life.close()
    assert not await photos.is_awaited(staff, life.entry.id, "")
    assert await photos.take(staff, life.entry.id, "", png()) is None
    with pytest.raises(EntryNotFound):
        await photos.address_for(staff, life.entry.id)


@pytest.mark.parametrize("first", ["close", "photo"])
async def test_a_photo_that_comes_in_while_the_account_closes_does_not_stay(
    life: Life, database_url: str, first: str
) -> None:
    """G2: whichever of the two is first."""
    staff = life.world.viewer(Kind.STAFF, (await life.world.staff()).id, is_board=True)
    orders = {"close": life.close, "photo": lambda: photos.take(staff, life.entry.id, "", png())}
    await lined_up(database_url, "entry", orders.pop(first), *orders.values())
    assert (await life.row()).closed_at is not None
    assert await Photo.all().count() == 0


async def test_nobody_logs_in_to_a_closed_account_or_resets_its_password(life: Life) -> None:
    """G2, A5: and the answers are those of an unknown number."""
    await life.close()
    nobody = life.client.as_(None)
    refused = await nobody.order("logIn", "", idNumber=life.entry.id_number, password=PASSWORD)
    assert refused["__typename"] == "WrongLogin"
    reset = "... on PasswordResetRequested { message }"
    await nobody.order("requestPasswordReset", reset, idNumber=life.entry.id_number)
    assert await PasswordReset.all().count() == 0
    assert (await life.client.ask("{ me { id } }"))["me"] is None


async def test_every_open_session_ends(life: Life) -> None:
    """G2, A10"""
    other = life.client.as_(await life.world.token(life.candidate))
    await life.close()
    assert (await other.ask("{ viewer { kind } }"))["viewer"]["kind"] == "ANONYMOUS"


async def test_a_browsers_cookie_is_ended(life: Life) -> None:
    """A10"""
    answer = await life.client.post(
        "mutation ($i: CloseMyAccountInput!) { closeMyAccount(input: $i) { __typename } }",
        i={"password": PASSWORD, "confirm": True},
    )
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_its_password_is_needed(life: Life) -> None:
    """G2: a stolen session must not close an account; wrong ones count (A4)."""
    told = [(await life.close("wrong 12345"))["__typename"] for _ in range(4)]
    assert told == ["WrongPassword"] * 3 + ["LoginLocked"]
    assert (await life.close())["__typename"] == "LoginLocked"
    assert (await life.row()).closed_at is None


async def test_it_has_to_be_confirmed(life: Life) -> None:
    """G2"""
    assert (await life.close(confirm=False))["__typename"] == "InvalidInput"
    assert (await life.row()).closed_at is None


async def test_only_candidates_have_an_account_to_close(life: Life) -> None:
    """G2"""
    for owner, refusal in ((None, "NotLoggedIn"), (await life.world.verifier(), "NotAllowed")):
        life.client = life.client.as_(await life.world.token(owner) if owner else None)
        assert (await life.close())["__typename"] == refusal


async def test_closing_again_finds_nobody_logged_in(life: Life) -> None:
    """G2"""
    await life.close()
    assert (await life.close())["__typename"] == "NotLoggedIn"


async def test_of_two_closings_at_once_one_closes(life: Life) -> None:
    """G2: the other finds it closed, or nobody's, and withdraws nothing twice."""
    answers = await asyncio.gather(*(life.close() for _ in range(3)))
    assert sum(answer.get("sharesWithdrawn", 0) for answer in answers) == 2
    assert await database.value("SELECT count(*) FROM journal WHERE kind = 'SHARE_WITHDRAWN'") == 2
    assert await Letter.filter(kind="account_closed").count() == 1


async def test_a_second_closing_that_waited_finds_it_closed(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """G2: its password was compared before the first one's commit."""
    prove = closing.sessions.prove  # type: ignore[attr-defined]

    async def then_closed(viewer: Viewer, password: str) -> Any:
        proved = await prove(viewer, password)
        monkeypatch.setattr(closing.sessions, "prove", prove)  # type: ignore[attr-defined]
        await closing.close(viewer, password, is_confirmed=True)
        return proved

    monkeypatch.setattr(closing.sessions, "prove", then_closed)  # type: ignore[attr-defined]
    assert await closing.close(life.viewer(), PASSWORD, is_confirmed=True) == Closed(life.world.clock(), 0)
    assert await Letter.filter(kind="account_closed").count() == 1


# ---- all or nothing


async def everything() -> dict[str, list[str]]:
    """Every row of every table that closing touches."""
    tables = "candidate letter share journal session email_change password_reset photo trail pgqueuer entry wrong_tries"
    tables += " sitting sitting_event sitting_message sitting_recipient recording"
    return {
        table: [row["t"] for row in await database.rows(f"SELECT t::text AS t FROM {table} AS t ORDER BY 1")]
        for table in tables.split()
    }


class Killed(Exception):
    """Made up: the process ends here."""


async def test_a_process_that_dies_at_any_statement_leaves_everything_as_it_was(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G2: whichever statement of the closing is its last, what it did before is undone with it."""
    await with_photo(life)
    await with_a_sitting(life)
    proved = await closing.sessions.prove(life.viewer(), PASSWORD)  # type: ignore[attr-defined]

    async def prove(*_: Any) -> Any:
        return proved

    monkeypatch.setattr(closing.sessions, "prove", prove)  # type: ignore[attr-defined]
    before, rows, left = await everything(), database.rows, 0

    async def dying(statement: str, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return await rows(statement, **named)

    died = 0
    for survived in range(100):
        left = survived
        monkeypatch.setattr(database, "rows", dying)
        try:
            await closing.close(life.viewer(), PASSWORD, is_confirmed=True)
            break
        except Killed:
            died += 1
        finally:
            monkeypatch.setattr(database, "rows", rows)
        assert await everything() == before, survived
    assert died > 20
    assert (await life.row()).closed_at is not None


async def test_sending_a_result_meanwhile_does_not_leave_a_share_behind(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10, G2: whoever comes second finds the other done."""
    institution = await life.world.institution()
    consent = shares.Consent("2026-11-22", "en")

    async def send() -> Any:
        return await shares.send(life.viewer(), life.result.id, institution.id, consent)

    for _ in range(3):
        await asyncio.gather(life.close(), send(), return_exceptions=True)
    with pytest.raises(Exception, match="Log in first"):
        await send()
    assert await Share.filter(withdrawn_at__isnull=True).count() == 0


# ---- the last letter


async def test_the_last_letter_goes_to_the_address_and_its_row_goes_with_it(
    life: Life, worker: Worker, clock: ControlledClock
) -> None:
    """G2: no address of a closed account is kept once its letter is sent."""
    await life.close()
    async with asyncio.timeout(60):
        while await Letter.filter(kind="account_closed").exists():  # noqa: ASYNC110  # a worker sets no event
            await asyncio.sleep(0.05)
    assert await tables_with("aoi@mail.example") == set()


async def test_the_last_letter_tells_what_stays(mail_server: MailServer, life: Life, settings: Settings) -> None:
    """G2, N5"""
    await life.close()
    letter = await Letter.get(kind="account_closed")
    sent: list[Any] = []

    async def send(mail: Any) -> None:
        sent.append(mail)

    await letters.deliver(letter.id, send, settings.public_url, life.world.clock())
    assert sent[0].envelope.address == "aoi@mail.example"
    assert sent[0].subject == "Your account was closed"
    assert "record of what was awarded" in sent[0].text.replace("\n", " ")
    assert not await Letter.exists(id=letter.id)


async def test_a_last_letter_that_was_refused_is_gone_as_well(life: Life) -> None:
    """G2"""
    await life.close()
    letter = await Letter.get(kind="account_closed")

    async def refuse(_mail: Any) -> None:
        raise AddressRefused("550 no such user")

    await letters.deliver(letter.id, refuse, "http://testserver", life.world.clock())
    assert not await Letter.exists(id=letter.id)


async def test_a_parked_last_letter_is_kept_for_thirty_days(life: Life, clock: ControlledClock) -> None:
    """N4, G2: so long staff can send it again; an address is not kept for ever."""
    await life.close()
    now = clock()
    await Letter.filter(kind="account_closed").update(parked_at=now, tries=10)
    await purges.purge(now + timedelta(days=30))
    assert await Letter.filter(kind="account_closed").count() == 1
    await purges.purge(now + timedelta(days=30, seconds=1))
    assert await Letter.filter(kind="account_closed").count() == 0


# ---- opening it again


async def test_a_closed_number_registers_again_only_with_a_new_secret_number(life: Life) -> None:
    """G2, A7: the centre, who knows the person, issues one; then the account is open again with all its numbers."""
    further = await life.world.entry(life.candidate)
    await life.close()
    nobody = life.client.as_(None)
    refused = await nobody.order("register", "", **form(life.entry.id_number))
    assert refused["__typename"] == "AccountClosed"
    assert "new Secret Number" in refused["message"]
    wrong = await nobody.order("register", "", **form(life.entry.id_number, "9999"))
    assert wrong["__typename"] == "WrongNumbers"

    staff = await life.world.staff()
    board = life.world.viewer(Kind.STAFF, staff.id, is_board=True)
    issued = await entering.reissue(board, life.entry.id)
    again = form(life.entry.id_number, issued.secret_number)
    assert (await nobody.order("register", "", **again))["__typename"] == "LoggedIn"
    row = await life.row()
    assert (row.closed_at, row.email) == (None, "aoi@mail.example")
    session = await nobody.log_in(further.id_number, PASSWORD)
    assert (await session.ask("{ me { id } }"))["me"] is not None
    assert issued.secret_number != SECRET


async def test_a_closed_account_stands_in_the_trail(life: Life) -> None:
    """G1"""
    await life.close()
    entry = await database.row("SELECT act, viewer_kind, candidates FROM trail ORDER BY id DESC LIMIT 1")
    assert entry is not None
    assert (entry["act"], entry["viewer_kind"], entry["candidates"]) == ("CHANGED", "candidate", [life.candidate.id])
