"""One whole life of an account at a real process: no secret that was used in it is kept or logged anywhere (G3)."""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from engine import database
from models.notify import Notify
from models.sittings.check_in import STEPS
from models.sittings.sitting import Sitting
from models.totp import code_at
from tests.client import Client
from tests.mail_server import link_in, mails_in, text_of
from tests.served import Served, until
from tests.sitting_world import EXAM, proctor_of
from tests.world import World, gid

SECRETS = {"first": "7391", "further": "8264"}
PASSWORDS = ["first life 7391aa", "second life 55bb", "third life 66cc"]
WRONG_PASSWORD, WRONG_SECRET = "typed by mistake 88", "3917"
NEW_ADDRESS = "aoi.new@mail.example"
KEY = "k" * 32
XIDS = "'{xid,last_xid,news_xid}'::text[]"
AS_TEXT = f"CASE WHEN to_jsonb(t) ?| {XIDS} THEN (to_jsonb(t) - {XIDS})::text ELSE t::text END AS t"


class Life:
    """What was used, each secret under what it is, and the parts that a life has."""

    def __init__(self, served: Served, client: Client, world: World) -> None:
        self.served, self.client, self.world = served, client, world
        self.used: dict[str, str] = {}
        self.kept: list[str] = []  # all rows, at moments at which something is kept for a while

    def use(self, what: str, secret: str) -> str:
        """Remember a secret, and use it."""
        assert secret
        self.used[what] = secret
        return secret

    async def mail(self, subject: str) -> EmailMessage:
        """The first mail with such a subject."""
        found = await self.found(lambda mail: subject in str(mail["Subject"]))
        return found[0]

    async def found(self, wanted: Callable[[EmailMessage], bool]) -> list[EmailMessage]:
        """The mails that are wanted, once there are some."""
        some: list[EmailMessage] = []

        async def arrived() -> bool:
            some[:] = [mail for mail in await mails_in(self.served.var / "mail", 0) if wanted(mail)]
            return bool(some)

        await until(arrived, every=0.1)
        return some

    async def logged_in(self, client: Client, what: str, payload: Any) -> Client:
        assert payload["__typename"] == "LoggedIn", payload
        return client.as_(self.use(f"session {what}", payload["token"]))


@pytest.fixture
async def life(open_database: None, database_url: str, tmp_path: Path) -> AsyncIterator[Life]:
    served = Served(tmp_path / "served", database_url, {"PUBLIC_URL": "http://testserver"}).start().ready()
    try:
        async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
            yield Life(served, Client(http), World(lambda: datetime.now(UTC)))
    finally:
        served.stop()


async def registered(life: Life) -> tuple[Client, Any]:
    """Register after a wrong try, log in after a wrong one, reset the password by mail, and log in again."""
    world, nobody = life.world, life.client
    entry = await world.entry(await world.candidate(registered=False), secret=life.use("secret 1", SECRETS["first"]))
    form = {
        "idNumber": entry.id_number, "email": "aoi@mail.example", "emailAgain": "aoi@mail.example",
        "password": life.use("password 1", PASSWORDS[0]), "passwordAgain": PASSWORDS[0], "acceptsTerms": True,
    }  # fmt: skip
    await nobody.order("register", "", **form, secretNumber=life.use("wrong secret", WRONG_SECRET))
    session = "... on LoggedIn { token }"
    await life.logged_in(
        nobody, "of registering", await nobody.order("register", session, **form, secretNumber=SECRETS["first"])
    )
    await nobody.order("logIn", "", idNumber=entry.id_number, password=life.use("wrong password", WRONG_PASSWORD))
    await nobody.order("requestPasswordReset", "... on PasswordResetRequested { message }", idNumber=entry.id_number)
    token = life.use("reset link", urlsplit(link_in(await life.mail("password"))).fragment)
    new = life.use("password 2", PASSWORDS[1])
    reset = await nobody.order(
        "resetPassword", "... on PasswordReset { message }", token=token, password=new, passwordAgain=new
    )
    assert reset["__typename"] == "PasswordReset", reset
    payload = await nobody.order("logIn", session, idNumber=entry.id_number, password=new)
    return await life.logged_in(nobody, "after the reset", payload), entry


async def changed(life: Life, own: Client) -> None:
    """A new address by a mailed link, and a new password."""
    await own.order(
        "changeMyDetails", "... on MyDetailsChanged { linkSentTo }",
        email=NEW_ADDRESS, emailAgain=NEW_ADDRESS, password=PASSWORDS[1],
    )  # fmt: skip
    mail = (await life.found(lambda mail: NEW_ADDRESS in str(mail["To"])))[0]
    token = life.use("confirm link", urlsplit(link_in(mail)).fragment)
    confirmed = await own.order("confirmEmail", "... on EmailConfirmed { message }", token=token)
    assert confirmed["__typename"] == "EmailConfirmed", confirmed
    new = life.use("password 3", PASSWORDS[2])
    payload = await own.order(
        "changePassword",
        "... on PasswordChanged { message }",
        oldPassword=PASSWORDS[1],
        password=new,
        passwordAgain=new,
    )
    assert payload["__typename"] == "PasswordChanged", payload


async def shared(life: Life, own: Client, entry: Any) -> None:
    """A result is sent, read by a verifier who is mailed of it, fetched as a file, and checked."""
    world = life.world
    result, institution = await world.result(entry), await world.institution()
    verifier = await world.verifier(institution, notify=Notify.AT_ONCE)
    sent = await own.order(
        "sendResult", "... on ResultSent { share { id } }",
        resultId=gid(result), institutionId=gid(institution), consentVersion="2026-11-22",
    )  # fmt: skip
    assert sent["__typename"] == "ResultSent", sent
    inbox = life.client.as_(life.use("session of the verifier", await world.token(verifier)))
    mail = (await life.found(lambda mail: "List-Unsubscribe" in mail))[0]
    stop = life.use("unsubscribe link", re.findall(r"/unsubscribe/([\w\-=]+)", str(mail["List-Unsubscribe"]))[0])
    assert (await life.client.http.post(f"/unsubscribe/{stop}")).status_code == 200
    opened = await inbox.order("openShare", "", shareId=sent["share"]["id"])
    assert opened["__typename"] == "ShareOpened", opened
    await read_by_a_program(life, inbox, gid(result))
    asked = "query ($r: ID!) { result(id: $r) { statement { address } linkedInUrl } }"
    told = (await own.ask(asked, r=gid(result)))["result"]
    await fetched(life, "statement file", told["statement"]["address"])
    check = urlsplit(parse_qs(urlsplit(told["linkedInUrl"]).query)["certUrl"][0]).fragment
    checked = "query ($n: String!, $t: String!) { checkStatement(number: $n, token: $t) { __typename } }"
    await own.ask(checked, n=check.partition(".")[0], t=life.use("check code", check.partition(".")[2]))


async def read_by_a_program(life: Life, primary: Client, result_id: str) -> None:
    """A key is made, used after a slip, by a stream and for a file, and revoked."""
    scopes = ["READ_SHARES", "READ_SKILLS", "DOWNLOAD"]
    made = await primary.order("createKey", "... on KeyCreated { secret key { id } }", name="Server", scopes=scopes)
    key = life.use("key", made["secret"])
    life.use("secret of the key", key[-49:-6])
    slip = life.use("slip of the key", f"{key[:-9]}{'a' if key[-9] != 'a' else 'b'}{key[-8:]}")
    told = [await life.client.as_(one).post("{ viewer { kind } }") for one in (slip, key)]
    assert [answer.status_code for answer in told] == [401, 200]
    asked = "query ($r: ID!) { result(id: $r) { statement { address } } }"
    statement = (await life.client.as_(key).ask(asked, r=result_id))["result"]["statement"]
    await fetched(life, "statement of the program", statement["address"])
    assert (await primary.order("revokeKey", "", id=made["key"]["id"]))["__typename"] == "KeyRevoked"


async def fetched(life: Life, what: str, address: str) -> None:
    path = urlsplit(address).path
    life.use(f"address of the {what}", path.rpartition("/")[2])
    answer = await life.client.http.get(path)
    assert answer.status_code == 200, [line[-700:] for line in life.served.stderr.splitlines() if "rror" in line]


async def sat_at_home(life: Life, own: Client) -> None:
    """A sitting is checked in; its test password is released twice, typed wrong once, and used."""
    soon = datetime.now(UTC) + timedelta(days=2)
    wanted = {"examCode": EXAM, "startsAt": f"{soon:%Y-%m-%dT%H:%M}", "timezone": "UTC"}
    told = "sitting { id candidateName }"
    sitting = (await own.order("bookSitting", f"... on SittingBooked {{ {told} }}", **wanted))["sitting"]
    about = {"sittingId": sitting["id"]}
    parts = ["CAMERA", "MICROPHONE", "SPEAKER", "SCREEN", "NETWORK", "BROWSER"]
    await own.order("recordSystemCheck", "", **about, passed=parts)
    await Sitting.all().update(appointment_at=life.world.clock())
    assert (await about_it(own, "startCheckIn", **about))["__typename"] == "SittingChanged"
    proctor = life.client.as_(life.use("session of the proctor", await life.world.token(await proctor_of(life.world))))
    await proctor.order("takeNextSitting", "")
    released = "... on CheckInStepConfirmed { testId testPassword }"
    for step in STEPS:
        input = about | {"step": step.value, "nameOnDocument": sitting["candidateName"]}
        first = await proctor.order("confirmCheckInStep", released, **input)
    life.use("test password that was lost", first["testPassword"])
    again = await about_it(proctor, "releaseTestAgain", "... on TestReleased { testId testPassword }", **about)
    told_id, password = again["testId"], life.use("test password", again["testPassword"])
    wrong = life.use("wrong test password", "typedbadly7")
    life.kept.append(await dump())
    entered = [
        (await own.order("enterTest", "", **about, testId=told_id, password=one))["__typename"]
        for one in (wrong, first["testPassword"], password)
    ]
    assert entered == ["WrongTestPassword", "WrongTestPassword", "SittingChanged"]


async def about_it(client: Client, name: str, selection: str = "", **input: Any) -> Any:
    """What an order answers that takes nothing but a sitting."""
    order = f"mutation ($i: SittingInput!) {{ {name}(input: $i) {{ __typename {selection} }} }}"
    return (await client.ask(order, i=input))[name]


async def claimed_exported_and_closed(life: Life, own: Client) -> None:
    """A further entry, everything in one file, a log-in by cookie, and the end of the account."""
    world = life.world
    further = await world.entry(
        await world.candidate(registered=False), secret=life.use("secret 2", SECRETS["further"])
    )
    claim = {"idNumber": further.id_number, "secretNumber": SECRETS["further"]}
    assert (await own.order("claimEntry", "", **claim))["__typename"] == "EntryAdded"
    ready = await own.order("exportMyData", "... on ExportReady { file { address } }", password=PASSWORDS[2])
    await fetched(life, "export", ready["file"]["address"])
    answer = await life.client.post(
        "mutation ($i: LogInInput!) { logIn(input: $i) { __typename } }",
        i={"idNumber": further.id_number, "password": PASSWORDS[2], "useCookie": True},
    )
    life.use("session cookie", answer.headers["set-cookie"].partition("=")[2].partition(";")[0])
    life.client.http.cookies.clear()
    closed = await own.order("closeMyAccount", "", password=PASSWORDS[2], confirm=True)
    assert closed["__typename"] == "MyAccountClosed", closed
    await life.mail("closed")


async def staff_logged_in(life: Life) -> None:
    """A member of the board's staff with a one-time code."""
    staff = await life.world.staff()
    code = life.use("one-time code", code_at(staff.id, 1, datetime.now(UTC)))
    payload = await life.client.order(
        "logInStaff", "... on LoggedIn { token }", email=staff.email, password="correct horse 42", code=code
    )
    await life.logged_in(life.client, "of staff", payload)
    life.use("staff's password", "correct horse 42")


async def lived(life: Life) -> None:
    own, entry = await registered(life)
    await changed(life, own)
    await shared(life, own, entry)
    await sat_at_home(life, own)
    await staff_logged_in(life)
    await claimed_exported_and_closed(life, own)
    life.use("service's key", KEY)


# ---- looking for them


def forms_of(secret: str) -> list[re.Pattern[str]]:
    """How a secret may stand somewhere: as it is, or its bytes as PostgreSQL writes them; digits by themselves."""
    if secret.isdecimal():
        return [re.compile(rf"(?<![\w.\-:]){secret}(?![\w\-])")]
    forms = [re.escape(secret), secret.encode().hex()]
    try:
        raw = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        forms += [raw[-32:].hex()] if len(raw) >= 32 else []
    except (binascii.Error, ValueError):
        pass
    return [re.compile(form) for form in forms]


def found_in(text: str, used: dict[str, str]) -> set[str]:
    return {what for what, secret in used.items() if any(form.search(text) for form in forms_of(secret))}


async def dump() -> str:
    """Every row of every table as text, but for numbers of transactions, which may be any."""
    tables = await database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        f"{name} {row['t']}"
        for name in (table["tablename"] for table in tables)
        for row in await database.rows(f'SELECT {AS_TEXT} FROM "{name}" AS t')
    ]
    assert len(tables) > 25
    return "\n".join(rows)


def whole(mail: EmailMessage) -> str:
    """A mail with its headers, decoded."""
    headers = "\n".join(f"{name}: {value}" for name, value in mail.items())
    return "\n".join([headers, text_of(mail), text_of(mail, "html")])


async def test_no_secret_of_a_whole_life_is_kept_or_logged(life: Life) -> None:
    """G3: not in the database, not in the log; in mails only the link that belongs there."""
    await lived(life)
    life.served.stop()
    assert len(life.used) >= 26
    log = life.served.stderr + life.served.stdout
    rows = "\n".join([*life.kept, await dump()])
    assert log.count('"path": "/graphql"') + log.count('"path":"/graphql"') > 15
    assert "SHARE_WITHDRAWN" in rows
    assert found_in(log, life.used) == set()
    assert found_in(rows, life.used) == set()

    mails = await mails_in(life.served.var / "mail", 8)
    told = {str(mail["Subject"]): found_in(whole(mail), life.used) for mail in mails}
    links = {frozenset(found) for found in told.values() if found}
    assert links == {frozenset({"reset link"}), frozenset({"confirm link"}), frozenset({"unsubscribe link"})}


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("secret=7391", True), ('{"n": "7391"}', True), ("09:00:00.7391+00", False), ("-7391-8000", False),
        ("x73915", False), ("number 7391,", True),
    ],
)  # fmt: skip
def test_four_digits_are_found_where_they_stand_by_themselves(text: str, is_found: bool) -> None:
    assert bool(found_in(text, {"it": "7391"})) is is_found


def test_a_token_is_found_as_text_and_as_bytes() -> None:
    raw = bytes(range(100, 148))
    token = base64.urlsafe_b64encode(raw).decode()
    for kept in (f"a {token} b", raw[-32:].hex(), token.encode().hex()):
        assert found_in(kept, {"it": token}) == {"it"}
    assert found_in(raw[:16].hex(), {"it": token}) == set()
