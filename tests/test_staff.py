"""Staff: accounts made by the command, one-time codes (A4), and the list of sessions."""

import asyncio
import contextlib
import io
import time
from datetime import date, timedelta
from typing import Any

import pyotp
import pytest

import cli
from engine import database
from errors import InvalidInput
from models.base import new_id
from models.entry import Centre
from models.session import Session
from models.totp import STEP_SECONDS, StaffTotp, code_at, otpauth
from models.verifier import StaffRole, StaffUser
from resolvers import staff as accounts
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import PASSWORD, World

WRONG = "wrong horse 42"
ANSWER = "... on LoggedIn { token viewer { kind } } ... on LoginLocked { lockedUntil }"


@pytest.fixture
async def member(app: Any, world: World) -> StaffUser:
    """A member of the board's staff."""
    return await world.staff()


async def tried(client: Client, member: StaffUser, code: str, password: str = PASSWORD) -> str:
    """What becomes of one try."""
    answer = await client.order("logInStaff", ANSWER, email=member.email, password=password, code=code)
    kind: str = answer["__typename"]
    return kind


async def test_the_board_logs_in_with_password_and_code(client: Client, world: World, member: StaffUser) -> None:
    """A4."""
    board = await client.log_in_staff(member.email, PASSWORD, world.code(member))
    assert (await board.ask("{ viewer { kind } }"))["viewer"]["kind"] == "STAFF"
    assert (await StaffTotp.get(staff_id=member.id)).confirmed_at == world.clock()


async def test_a_centres_staff_need_no_code(app: Any, client: Client, world: World) -> None:
    assert await tried(client, await world.staff(await world.centre()), "") == "LoggedIn"


async def test_the_board_without_an_authenticator_cannot_log_in(
    client: Client, world: World, member: StaffUser
) -> None:
    """A4: whoever removed it has to be given a new one."""
    await StaffTotp.all().delete()
    assert await tried(client, member, "") == "WrongLogin"
    assert await tried(client, member, world.code(member)) == "WrongLogin"


@pytest.mark.parametrize("typed", ["{}", " {} ", "{:.3} {:.3}"])
async def test_a_code_may_be_typed_as_it_is_shown(client: Client, world: World, member: StaffUser, typed: str) -> None:
    code = world.code(member)
    spaced = f"{code[:3]} {code[3:]}" if typed.count("{") > 1 else typed.format(code)
    assert await tried(client, member, spaced) == "LoggedIn"


@pytest.mark.parametrize("off", [-2, -1, 0, 1, 2])
async def test_a_clock_may_be_off_by_one_step(
    client: Client, world: World, member: StaffUser, clock: ControlledClock, off: int
) -> None:
    """RFC 6238: thirty seconds either way, and no more."""
    code = code_at(member.id, 1, clock() + off * timedelta(seconds=STEP_SECONDS))
    assert await tried(client, member, code) == ("LoggedIn" if abs(off) <= 1 else "WrongLogin")


async def test_a_code_lets_in_once(client: Client, world: World, member: StaffUser, clock: ControlledClock) -> None:
    """A4: not a second time, nor one of a step before it."""
    code, before = world.code(member), code_at(member.id, 1, clock() - timedelta(seconds=STEP_SECONDS))
    assert await tried(client, member, code) == "LoggedIn"
    assert await tried(client, member, code) == "WrongLogin"
    assert await tried(client, member, before) == "WrongLogin"
    clock.forward(seconds=STEP_SECONDS)
    assert await tried(client, member, code) == "WrongLogin"
    assert await tried(client, member, world.code(member)) == "LoggedIn"


async def test_neither_answer_nor_count_tells_which_was_wrong(client: Client, world: World, member: StaffUser) -> None:
    """A4: wrong codes count as wrong passwords; the fourth of either kind locks, and then nothing is right."""
    right, wrong = world.code(member), "000000"
    assert right != wrong
    answers = [
        await client.order("logInStaff", ANSWER, email=email, password=password, code=code)
        for email, password, code in (
            (member.email, PASSWORD, wrong), (member.email, WRONG, right), (member.email, PASSWORD, ""),
            (member.email, WRONG, wrong), ("nobody@board.example", PASSWORD, right),
        )
    ]  # fmt: skip
    assert [answer["__typename"] for answer in answers] == ["WrongLogin"] * 3 + ["LoginLocked", "WrongLogin"]
    assert answers[0] == answers[1] == answers[2] == answers[4]
    assert await tried(client, member, right) == "LoginLocked"
    assert (await StaffTotp.get(staff_id=member.id)).last_step == 0


async def test_a_code_of_somebody_else_lets_nobody_in(client: Client, world: World, member: StaffUser) -> None:
    assert await tried(client, member, world.code(await world.staff())) == "WrongLogin"


@pytest.mark.parametrize("code", ["", "0", "12345", "1234567", "abcdef", "\0", "１２３４５６", "9" * 100_000, "\ud800"])
async def test_what_is_no_code_is_wrong(client: Client, member: StaffUser, code: str) -> None:
    query = "mutation ($input: LogInStaffInput!) { logInStaff(input: $input) { __typename } }"
    given = {"email": member.email, "password": PASSWORD, "code": code}
    answer = (await client.post(query, input=given)).json()
    assert "errors" in answer or answer["data"]["logInStaff"]["__typename"] == "WrongLogin"
    assert await Session.all().count() == 0


async def test_the_password_is_changed_without_a_code(client: Client, world: World, member: StaffUser) -> None:
    """A9: whoever does it is logged in, and has given one."""
    mine = client.as_(await world.token(member))
    answer = await mine.order(
        "changePassword", "", oldPassword=PASSWORD, password="a new harbour 77", passwordAgain="a new harbour 77"
    )
    assert answer["__typename"] == "PasswordChanged", answer


async def test_the_secret_of_an_authenticator_is_stored_nowhere(world: World, member: StaffUser) -> None:
    """G3: it is sealed from the service's key."""
    secret = pyotp.parse_uri(otpauth(member.id, 1, member.email)).secret
    assert len(secret) == 32
    dump = await database.rows("SELECT t::text AS text FROM staff_totp t UNION ALL SELECT s::text FROM staff_user s")
    assert not any(secret in row["text"] for row in dump)


# ---- the command


def told(run: Any) -> list[str]:
    """What a command says."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert run() == 0
    return said.getvalue().splitlines()


async def test_a_new_account_logs_in_with_what_was_told_once(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """A4: the board's with a code; addresses are one whatever their case."""
    access = await accounts.add(" Rin Mori ", "Rin@board.example", StaffRole.BOARD, None, clock())
    assert access.otpauth is not None
    code = pyotp.TOTP(pyotp.parse_uri(access.otpauth).secret).at(clock())
    assert await tried(client, access.staff, code, access.password) == "LoggedIn"
    centre = await world.centre()
    other = await accounts.add("Aki", "aki@centre.example", StaffRole.CENTRE, centre.number, clock())
    assert other.otpauth is None
    assert await tried(client, other.staff, "", other.password) == "LoggedIn"
    with pytest.raises(InvalidInput):
        await accounts.add("Rin again", "rin@BOARD.example", StaffRole.BOARD, None, clock())


@pytest.mark.parametrize(
    ("role", "centre", "email", "path"),
    [
        (StaffRole.CENTRE, None, "a@b.example", "centre"), (StaffRole.CENTRE, "XX1", "a@b.example", "centre"),
        (StaffRole.BOARD, "JP901", "a@b.example", "centre"), (StaffRole.BOARD, None, "nowhere", "email"),
    ],
)  # fmt: skip
async def test_an_account_that_cannot_be_is_refused(
    open_database: None, world: World, role: StaffRole, centre: str | None, email: str, path: str
) -> None:
    await world.centre()
    with pytest.raises(InvalidInput) as refused:
        await accounts.add("Rin", email, role, centre, world.clock())
    assert [problem.path for problem in refused.value.problems] == [path]


async def test_a_reset_ends_password_authenticator_sessions_and_lock(
    client: Client, world: World, member: StaffUser, clock: ControlledClock
) -> None:
    """A4: and the new ones let in."""
    token = await world.token(member)
    for _ in range(4):
        await tried(client, member, "000000")
    access = await accounts.reset(member.email.upper(), clock())
    assert (await client.as_(token).ask("{ viewer { kind } }"))["viewer"]["kind"] == "ANONYMOUS"
    assert access.otpauth is not None
    new = pyotp.TOTP(pyotp.parse_uri(access.otpauth).secret).at(clock())
    old = world.code(member)
    assert old != new
    assert await tried(client, member, old, access.password) == "WrongLogin"
    assert await tried(client, member, new) == "WrongLogin"
    assert await tried(client, member, new, access.password) == "LoggedIn"


async def test_the_command_shows_what_is_secret_once_and_lists_without_it(
    settings: Settings, clean: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G3: a QR code for the authenticator, and a code on the terminal for who develops, not in production."""
    assert settings.database_url is not None
    environment = {"DATABASE_URL": settings.database_url, "VAR_DIR": str(settings.var), "SECRET_KEY": "k" * 32}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def command(*arguments: str) -> list[str]:
        return told(lambda: cli.main(arguments))

    def commands() -> None:
        command("centres", "add", "--number", "JP907", "--name", "Aoba", "--city", "Sendai", "--country", "JP")
        assert command("centres", "list") == ["JP907  Aoba, Sendai, JP"]
        said = command("staff", "add", "--name", "Rin", "--email", "rin@board.example", "--role", "board")
        password = said[1].split()[-1]
        address = next(line for line in said if line.startswith("otpauth://"))
        assert len([line for line in said if "█" in line or "▀" in line]) > 10
        command(
            "staff", "add", "--name", "Aki", "--email", "aki@c.example", "--role", "centre", "--centre", "JP907"
        )  # fmt: skip
        listed = command("staff", "list")
        assert listed == [
            "rin@board.example  Rin  board  no code used yet", "aki@c.example  Aki  centre JP907",
        ]  # fmt: skip
        assert command("staff", "code", "rin@board.example")[0].isdigit()
        assert command("staff", "code", "aki@c.example") == ["This account needs no code."]
        asked_at = time.time()
        (code,) = command("staff", "code", "rin@board.example", "--ahead", "3600")  # of a service that is ahead
        totp = pyotp.TOTP(pyotp.parse_uri(address).secret)
        assert code in [totp.at(int(moment + 3600)) for moment in (asked_at, time.time())]
        again = command("staff", "reset", "rin@board.example")
        assert password not in "".join(again)
        assert address not in again
        monkeypatch.setenv("PRODUCTION", "1")
        assert cli.main(("staff", "code", "rin@board.example")) == 2

    await run_in_thread(commands)


async def run_in_thread(commands: Any) -> None:
    """Each command has an event loop of its own."""
    await asyncio.to_thread(commands)


# ---- the sessions


SESSIONS = """query ($first: Int!, $after: String) { staff { sessions(first: $first, after: $after) {
  edges { cursor node { exam { code } examDate centres entries results releaseAt } }
  pageInfo { hasNextPage endCursor } } } }"""


async def test_the_board_sees_each_session_with_its_counts(app: Any, client: Client, world: World) -> None:
    """R3: latest first, page by page, nothing twice."""
    other = await Centre.create(number="JP902", name="Minato", city="Kobe", country="JP")
    for exam, day, centre_id in (
        ("C1_ADVANCED", date(2026, 9, 20), None), ("C1_ADVANCED", date(2026, 9, 20), other.id),
        ("B2_FIRST", date(2026, 9, 20), None), ("C1_ADVANCED", date(2026, 9, 27), None),
    ):  # fmt: skip
        facts: dict[str, Any] = {"centre_id": centre_id} if centre_id else {}
        entry = await world.entry(exam=exam, exam_date=day, **facts)
    await world.result(entry)
    await database.rows(
        """INSERT INTO release (id, exam_id, exam_date, release_at, scheduled_at)
           VALUES (:id, 'B2_FIRST', '2026-09-20', :at, :at)""",
        id=new_id(),
        at=world.clock(),
    )
    board = client.as_(await world.token(await world.staff()))
    seen, after = [], None
    for _ in range(3):
        page = (await board.ask(SESSIONS, first=1, after=after))["staff"]["sessions"]
        seen += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert page["pageInfo"]["hasNextPage"] is False
    told = [
        (one["exam"]["code"], one["examDate"], one["centres"], one["entries"], one["results"], bool(one["releaseAt"]))
        for one in seen
    ]
    assert told == [
        ("C1_ADVANCED", "2026-09-27", 1, 1, 1, False),
        ("C1_ADVANCED", "2026-09-20", 2, 2, 0, False),
        ("B2_FIRST", "2026-09-20", 1, 1, 0, True),
    ]


async def test_a_centres_staff_see_no_sessions(app: Any, client: Client, world: World) -> None:
    """R3: what the board plans is not told."""
    await world.entry()
    centre = client.as_(await world.token(await world.staff(await world.centre())))
    assert (await centre.ask(SESSIONS, first=10))["staff"] == {"sessions": None}


@pytest.mark.parametrize(("first", "after"), [(0, None), (101, None), (1, "x"), (1, "MjAyNi0wOS0zMSBB")])
async def test_a_wrong_place_in_the_list_is_told(
    app: Any, client: Client, world: World, first: int, after: str | None
) -> None:
    board = client.as_(await world.token(await world.staff()))
    errors = await board.errors(SESSIONS, first=first, after=after)
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]
