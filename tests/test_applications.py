"""Applying for an institution's account: from the form to the board's decision and the first log-in (O2, O4)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from email.message import EmailMessage
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from starlette.applications import Starlette

from engine import database
from models.application import AccountApplication, ApplicationStatus, application_token
from models.institution import Institution, InstitutionStatus
from models.letter import Letter
from models.session import email_change_token
from models.verifier import VerifierStatus, VerifierUser
from models.viewer import Kind
from resolvers import applications, office, purges
from settings import Settings
from tests.client import Client
from tests.conftest import START, ControlledClock, Statements, client_of, running
from tests.dying import deaths_at_each_statement
from tests.locks import lined_up
from tests.mail_server import MailServer, link_in, text_of
from tests.served import until
from tests.world import PASSWORD, World, gid

FORM: dict[str, Any] = {
    "name": "Tsubame University",
    "department": "Faculty of Law",
    "kind": "EDUCATION",
    "country": "JP",
    "city": "Niigata",
    "website": "https://www.tsubame-u.ac.jp",
    "applicantName": "Mika Hara",
    "email": "hara@tsubame-u.ac.jp",
    "language": "ja",
}
PROBLEMS = "... on InvalidInput { problems { path message } }"
RECEIVED = f"... on ApplicationReceived {{ message }} {PROBLEMS}"
CONFIRMED = "... on EmailConfirmed { message dueOn }"
DECIDED = f"""... on ApplicationDecided {{ application {{ id status decidedAt reason institution {{ name }} }} }}
    ... on AlreadyDecided {{ decision decidedAt }} {PROBLEMS}"""
OPEN = """query ($first: Int, $after: String) { staff { applications(first: $first, after: $after) {
    edges { node { id applicantName dueOn isLate institution { shownAs timezone parent { name } }
                   flags { kind fact institutions { name } } } }
    pageInfo { hasNextPage endCursor } } } }"""


@dataclass
class Desk:
    """The door, as an applicant and as the board's staff come in."""

    client: Client
    board: Client
    world: World
    clock: ControlledClock

    async def apply(self, **facts: Any) -> Any:
        """The answer to an application."""
        return await self.client.order("applyForAccount", RECEIVED, **FORM | facts)

    async def confirm(self, application: AccountApplication) -> Any:
        """The answer to the mailed link."""
        return await self.client.order("confirmEmail", CONFIRMED, token=application_token(application.id))

    async def decide(self, application: AccountApplication, approve: bool, **facts: Any) -> Any:
        """The answer to a decision."""
        return await self.board.order("decideApplication", DECIDED, id=gid(application), approve=approve, **facts)

    async def open_ones(self, **place: Any) -> list[Any]:
        """The applications that staff see."""
        page = (await self.board.ask(OPEN, **place))["staff"]["applications"]
        return [edge["node"] for edge in page["edges"]]

    async def flags(self, application: AccountApplication) -> dict[str, list[str]]:
        """The names of the institutions that each flag of an application tells of."""
        [found] = [one for one in await self.open_ones() if one["id"] == gid(application)]
        return {flag["kind"]: [one["name"] for one in flag["institutions"]] for flag in found["flags"]}

    async def remarkable(
        self, name: str = "Suzume College", website: str = "https://suzume.example", **facts: Any
    ) -> Any:
        """An application of an institution with this name and site."""
        status = InstitutionStatus.EMAIL_CONFIRMED
        institution = await self.world.institution(name, status=status, approved_at=None, website=website)
        return await self.world.application(institution, **facts)


@pytest.fixture
async def desk(app: Starlette, client: Client, world: World, clock: ControlledClock) -> Desk:
    """The door."""
    return Desk(client, client.as_(await world.token(await world.staff())), world, clock)


async def letters() -> list[tuple[str, str, str]]:
    """Kind, address and language of every letter."""
    return [(one.kind, one.address, one.language) for one in await Letter.all().order_by("id")]


# ---- the whole way


async def mail_of(server: MailServer, count: int) -> EmailMessage:
    await until(lambda: len(server.taken) >= count)
    return server.taken[count - 1]


async def test_from_the_form_to_the_first_log_in(
    settings: Settings, clock: ControlledClock, world: World, mail_server: MailServer, clean: None
) -> None:
    """O2: apply, confirm, be approved, set a password, log in as the Primary User, and be found by candidates."""
    with_mail = replace(settings, smtp_url=mail_server.url, runs_worker=True)
    async with running(with_mail, clock) as app, client_of(app) as client:
        desk = Desk(client, client.as_(await world.token(await world.staff())), world, clock)
        assert (await desk.apply())["__typename"] == "ApplicationReceived"
        confirm = link_in(await mail_of(mail_server, 1))
        assert confirm.startswith("http://testserver/confirm-email#")
        answer = await client.order("confirmEmail", CONFIRMED, token=confirm.partition("#")[2])
        assert answer["dueOn"] == "2026-11-27"
        assert "2026年11月27日" in text_of(await mail_of(mail_server, 2))
        assert await found(client) == []
        assert (await desk.decide(await AccountApplication.get(), True))["__typename"] == "ApplicationDecided"
        approved = await mail_of(mail_server, 3)
        assert approved["To"] == "hara@tsubame-u.ac.jp"
        token = link_in(approved).partition("#")[2]
        chosen = {"password": PASSWORD, "passwordAgain": PASSWORD}
        assert (await client.order("setPassword", "", token=token, **chosen))["__typename"] == "PasswordSet"
        own = await client.log_in_by_email("hara@tsubame-u.ac.jp", PASSWORD)
        users = (await own.ask("{ organisation { users { name isPrimary status } } }"))["organisation"]["users"]
        assert users == [{"name": "Mika Hara", "isPrimary": True, "status": "ACTIVE"}]
        assert await found(client) == [{"shownAs": "Tsubame University, Faculty of Law", "timezone": "Asia/Tokyo"}]


async def found(client: Client) -> Any:
    return (await client.ask('{ institutions(search: "tsubame") { shownAs timezone } }'))["institutions"]


# ---- applying


async def test_an_application_is_kept_as_it_was_filled_in(desk: Desk) -> None:
    """O2: on one line, with the address of the site made whole; only one letter goes out."""
    await desk.apply(name="  Tsubame \n University ", website="www.tsubame-u.ac.jp", department=" ")
    institution, application = await Institution.get(), await AccountApplication.get()
    assert (institution.name, institution.department or "") == ("Tsubame University", "")
    assert (institution.website, institution.domain) == ("https://www.tsubame-u.ac.jp", "tsubame-u.ac.jp")
    assert institution.status is InstitutionStatus.APPLIED
    assert (application.status, application.due_on) == (ApplicationStatus.APPLIED, None)
    assert await letters() == [("application_confirm", "hara@tsubame-u.ac.jp", "ja")]


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ({"name": " "}, "name"),
        ({"name": "?!"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"department": "?"}, "department"),
        ({"city": ""}, "city"),
        ({"country": "jp"}, "country"),
        ({"country": "XX"}, "country"),
        ({"website": "tsubame"}, "website"),
        ({"website": "ftp://tsubame-u.ac.jp"}, "website"),
        ({"website": "javascript://tsubame-u.ac.jp"}, "website"),
        ({"website": "https://ac.jp"}, "website"),
        ({"website": "https://192.0.2.1"}, "website"),
        ({"applicantName": "\u200b"}, "applicantName"),
        ({"email": "hara"}, "email"),
        ({"language": "fr"}, "language"),
        ({"parentId": "nobody"}, "parentId"),
    ],
)
async def test_each_fault_of_the_form_is_told_where_it_is(desk: Desk, facts: dict[str, Any], path: str) -> None:
    """O2"""
    answer = await desk.apply(**facts)
    assert [problem["path"] for problem in answer["problems"]] == [path]
    assert not await AccountApplication.exists()


async def test_all_faults_are_told_at_once(desk: Desk) -> None:
    """O2"""
    answer = await desk.apply(name="", city="", email="x", country="", website="")
    assert [one["path"] for one in answer["problems"]] == ["name", "city", "country", "website", "email"]


async def test_the_answer_does_not_tell_who_is_known(desk: Desk) -> None:
    """O2: neither an address nor an institution; only the owner of a known address is told, by mail."""
    fresh = await desk.apply()
    institution = await desk.world.institution("Tsubame University", website=FORM["website"])
    await desk.world.verifier(institution, email="Known@tsubame-u.ac.jp")
    assert await desk.apply(email="known@tsubame-u.ac.jp") == fresh
    assert await desk.apply(email="other@tsubame-u.ac.jp") == fresh
    kinds = ["application_confirm", "application_known", "application_confirm"]
    assert [kind for kind, _, _ in await letters()] == kinds
    assert await AccountApplication.all().count() == 2


async def test_an_address_is_mailed_three_times_a_day_and_nobody_can_tell(desk: Desk) -> None:
    """O2: the fourth is answered alike."""
    answers = [await desk.apply(email=email) for email in ("a@b.example", "A@b.example", "a@B.example", "a@b.example")]
    assert answers[3] == answers[0]
    assert len(await letters()) == await AccountApplication.all().count() == 3
    desk.clock.now = START.replace(hour=0) + timedelta(days=1)
    await desk.apply(email="a@b.example")
    assert len(await letters()) == 4


async def test_a_client_applies_ten_times_an_hour(desk: Desk, app: Starlette) -> None:
    """O2"""
    answers = [(await desk.apply(email=f"a{number}@b.example"))["__typename"] for number in range(11)]
    assert answers == ["ApplicationReceived"] * 10 + ["TooManyTries"]
    async with client_of(app, "192.0.2.77") as elsewhere:
        assert (await replace(desk, client=elsewhere).apply())["__typename"] == "ApplicationReceived"
    desk.clock.forward(hours=1)
    assert (await desk.apply(email="a11@b.example"))["__typename"] == "ApplicationReceived"


async def test_the_service_takes_a_thousand_an_hour(desk: Desk) -> None:
    """O2"""
    for _ in range(1000):
        await applications.APPLICATIONS_IN_ALL.count("", START)
    assert (await desk.apply())["__typename"] == "TooManyTries"


@pytest.mark.parametrize("status", [one for one in InstitutionStatus if one is not InstitutionStatus.APPROVED])
async def test_a_department_is_of_an_approved_institution(desk: Desk, status: InstitutionStatus) -> None:
    """O2: any other cannot be told from one that is not there."""
    parent = await desk.world.institution("Tsubame University")
    answer = await desk.apply(parentId=gid(parent))
    assert answer["__typename"] == "ApplicationReceived"
    other = await desk.world.institution(**unapproved(status, parent.id))
    assert await desk.apply(parentId=gid(other)) == await desk.apply(parentId="x")
    application = await AccountApplication.get()
    await desk.confirm(application)
    assert [one["institution"]["parent"] for one in await desk.open_ones()] == [{"name": "Tsubame University"}]


def unapproved(status: InstitutionStatus, other_id: UUID) -> dict[str, Any]:
    """The facts of an institution in this state."""
    facts: dict[str, Any] = {"status": status}
    if status is InstitutionStatus.SUSPENDED:
        return facts | {"suspended_at": START}
    return facts | {"approved_at": None} | ({"merged_into_id": other_id} if status is InstitutionStatus.MERGED else {})


# ---- confirming


async def test_the_link_works_once_for_seven_days(desk: Desk) -> None:
    """O2: both edges."""
    await desk.apply()
    application = await AccountApplication.get()
    desk.clock.forward(days=7)
    assert (await desk.confirm(application))["__typename"] == "LinkNotValid"
    desk.clock.forward(seconds=-1)
    assert (await desk.confirm(application))["__typename"] == "EmailConfirmed"
    assert (await desk.confirm(application))["__typename"] == "LinkNotValid"
    assert [kind for kind, _, _ in await letters()] == ["application_confirm", "application_received"]
    assert (await Institution.get()).status is InstitutionStatus.EMAIL_CONFIRMED


async def test_a_link_of_another_kind_confirms_nothing(desk: Desk) -> None:
    """O2: a token serves one purpose."""
    await desk.apply()
    application = await AccountApplication.get()
    for token in (email_change_token(application.id), "", "x", application_token(application.institution_id)):
        answer = await desk.client.order("confirmEmail", CONFIRMED, token=token)
        assert answer["__typename"] == "LinkNotValid"
    assert (await AccountApplication.get()).status is ApplicationStatus.APPLIED


async def test_the_day_is_told_by_the_boards_calendar(desk: Desk, settings: Settings) -> None:
    """O2: in the answer and in the mail."""
    office.use(replace(settings, timezone="Asia/Tokyo", holidays=frozenset({date(2026, 11, 23)})))
    await desk.apply()
    answer = await desk.confirm(await AccountApplication.get())
    assert answer["dueOn"] == "2026-11-30"
    assert "2026-11-30" in answer["message"]
    letter = await Letter.get(kind="application_received")
    assert letter.facts["due_on"] == "2026-11-30"


async def test_two_who_use_the_link_at_once_confirm_once(desk: Desk, database_url: str) -> None:
    """O2"""
    await desk.apply()
    application = await AccountApplication.get()
    answers = await lined_up(database_url, "application", *[partial(desk.confirm, application)] * 2)
    assert sorted(one["__typename"] for one in answers) == ["EmailConfirmed", "LinkNotValid"]
    assert len(await letters()) == 2


# ---- what staff see


async def test_what_is_due_first_comes_first_page_by_page(desk: Desk) -> None:
    """O2: what was decided, or is not confirmed, is not there."""
    days = [START.date() + timedelta(days=offset) for offset in (3, 1, 2, 1)]
    for number, day in enumerate(days):
        await desk.world.application(applicant_name=f"A{number}", due_on=day)
    await desk.apply()
    refused = await desk.world.application()
    await desk.decide(refused, False, reason="No.")
    names, after = [], None
    while True:
        page = (await desk.board.ask(OPEN, first=1, after=after))["staff"]["applications"]
        names += [edge["node"]["applicantName"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == ["A1", "A3", "A2", "A0"]


async def test_a_cursor_of_another_list_is_a_bad_query(desk: Desk) -> None:
    for after in ("x", "é", "AAAA", "/////w=="):
        [error] = await desk.board.errors(OPEN, after=after)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_is_late_is_marked(desk: Desk) -> None:
    """O2: from the day after the due one."""
    application = await desk.world.application(due_on=START.date())
    assert [one["isLate"] for one in await desk.open_ones()] == [False]
    desk.clock.now = START.replace(hour=0) + timedelta(days=1)
    desk.board = desk.board.as_(await desk.world.token(await desk.world.staff()))
    assert [one["isLate"] for one in await desk.open_ones()] == [True]
    answer = await desk.decide(application, False, reason="No.")
    late = "query ($id: ID!) { node(id: $id) { ... on AccountApplication { isLate } } }"
    assert (await desk.board.ask(late, id=answer["application"]["id"]))["node"] == {"isLate": False}


async def asked_by(desk: Desk, who: str) -> Client:
    world = desk.world
    owners: dict[str, Callable[[], Awaitable[Any]]] = {
        "a candidate": world.candidate,
        "a verifier": world.verifier,
        "a centre's staff": lambda: centre_staff(world),
    }
    return desk.client.as_(await world.token(await owners[who]()) if who in owners else None)


async def centre_staff(world: World) -> Any:
    return await world.staff(centre=await world.centre())


@pytest.mark.parametrize("who", ["a stranger", "a candidate", "a verifier", "a centre's staff"])
async def test_only_the_boards_staff_see_and_decide(desk: Desk, who: str) -> None:
    """O2"""
    application = await desk.world.application()
    asker = await asked_by(desk, who)
    assert not ((await asker.ask(OPEN))["staff"] or {}).get("applications")
    answer = await asker.order("decideApplication", DECIDED, id=gid(application), approve=True)
    assert answer["__typename"] == ("NotLoggedIn" if who == "a stranger" else "NotAllowed")
    assert (await asker.ask("query ($id: ID!) { node(id: $id) { id } }", id=gid(application)))["node"] is None
    assert (await AccountApplication.get()).decided_at is None


# ---- flags


async def test_another_with_the_same_domain_is_told(desk: Desk) -> None:
    """O4: an account or an application, by the site or the applicant's address."""
    await desk.world.institution("Suzume University", website="https://www.suzume.ac.jp/en")
    await desk.remarkable("Suzume Gakuen", "http://suzume.ac.jp")
    await desk.world.institution("Kamome University", website="https://kamome.ac.jp")
    application = await desk.remarkable("Suzume", "https://law.suzume.ac.jp", applicant_email="a@mail.kamome.ac.jp")
    [found] = [one for one in await desk.open_ones() if one["id"] == gid(application)]
    assert found["flags"] == [
        {
            "kind": "SAME_DOMAIN",
            "fact": "suzume.ac.jp",
            "institutions": [{"name": "Suzume University"}, {"name": "Suzume Gakuen"}],
        },
        {"kind": "SAME_DOMAIN", "fact": "kamome.ac.jp", "institutions": [{"name": "Kamome University"}]},
    ]


async def test_two_under_one_roof_of_strangers_are_no_duplicates(desk: Desk) -> None:
    """O4: neither under ac.jp nor where everybody has a page."""
    await desk.world.institution(website="https://one.github.io")
    assert await desk.flags(await desk.remarkable(website="https://two.github.io")) == {}


@pytest.mark.parametrize("name", ["Suzumе College", "Suzume Cοllege", "Ｓｕｚｕｍｅ Ｃｏｌｌｅｇｅ", "Suzume Co11ege"])
async def test_a_name_that_looks_like_another_is_told(desk: Desk, name: str) -> None:
    """O4: Cyrillic, Greek, full width and digits; of an account and of an application, once each."""
    await desk.world.institution("Suzume College")
    other = await desk.remarkable("Suzume College", "https://other.example")
    assert await desk.flags(await desk.remarkable(name)) == {"LOOK_ALIKE": ["Suzume College"] * 2}
    assert await desk.flags(other) == {"SAME_NAME": ["Suzume College"], "LOOK_ALIKE": [name]}


async def test_the_same_name_is_told_as_such(desk: Desk) -> None:
    """O4: case and blanks aside, it is no look-alike."""
    await desk.world.institution("SUZUME  COLLEGE")
    assert await desk.flags(await desk.remarkable()) == {"SAME_NAME": ["SUZUME  COLLEGE"]}


async def test_an_address_that_anybody_can_have_is_told_and_is_no_domain(desk: Desk) -> None:
    """O4"""
    await desk.world.institution(website="https://gmail.com")
    application = await desk.remarkable(applicant_email="suzume@Gmail.com")
    assert await desk.flags(application) == {"FREE_MAIL": []}


async def test_what_a_merged_account_had_is_told_of_the_kept_one(desk: Desk) -> None:
    """O4"""
    kept = await desk.world.institution("Kept University")
    merged = unapproved(InstitutionStatus.MERGED, kept.id)
    await desk.world.institution("Suzume College", website="https://suzume.example", **merged)
    flags = await desk.flags(await desk.remarkable())
    assert flags == {"SAME_DOMAIN": ["Kept University"], "SAME_NAME": ["Kept University"]}


async def test_an_application_without_remark_has_no_flags(desk: Desk) -> None:
    """O4"""
    await desk.world.institution("Kamome University")
    assert await desk.flags(await desk.remarkable()) == {}


async def test_a_page_of_applications_costs_the_same_however_many_there_are(desk: Desk, statements: Statements) -> None:
    """O4: whose session it is, the page, its rows for the flags, what is like them, and the parents."""
    counts = []
    for _ in range(2):
        for _ in range(4):
            await desk.remarkable()
        with statements.counted():
            await desk.open_ones()
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 5


# ---- deciding


async def test_a_refusal_tells_the_reason_and_opens_nothing(desk: Desk) -> None:
    """O2"""
    application = await desk.world.application(language="ja")
    answer = await desk.decide(application, False, reason=" The site names \n no such faculty. ")
    assert answer["application"]["status"] == "REFUSED"
    assert answer["application"]["reason"] == "The site names no such faculty."
    assert await letters() == [("application_refused", application.applicant_email, "ja")]
    assert (await Letter.get()).facts["reason"] == "The site names no such faculty."
    assert (await Institution.get()).status is InstitutionStatus.REFUSED
    assert not await VerifierUser.exists()


async def test_an_approval_invites_the_applicant_by_a_link_that_is_nowhere_kept(desk: Desk) -> None:
    """O2, U1, G3"""
    application = await desk.world.application(applicant_name="Mika Hara", language="ja")
    answer = await desk.decide(application, True)
    assert answer["application"]["decidedAt"] == "2026-11-22T09:00:00+00:00"
    user = await VerifierUser.get()
    assert (user.name, user.email, user.status) == ("Mika Hara", application.applicant_email, VerifierStatus.INVITED)
    letter = await Letter.get()
    assert (letter.kind, letter.verifier_id, letter.language) == ("application_approved", user.id, "ja")
    assert set(letter.facts) == {"institution", "link_id"}
    assert (await Institution.get()).approved_at == START


@pytest.mark.parametrize("reason", ["", "  ", "\u200b", "x" * 1001])
async def test_a_refusal_needs_a_reason(desk: Desk, reason: str) -> None:
    """O2"""
    application = await desk.world.application()
    answer = await desk.decide(application, False, reason=reason)
    assert [problem["path"] for problem in answer["problems"]] == ["reason"]
    assert (await AccountApplication.get()).decided_at is None


@pytest.mark.parametrize(("first", "decision"), [(True, "APPROVED"), (False, "REFUSED")])
async def test_it_is_decided_once(desk: Desk, first: bool, decision: str) -> None:
    """O2: whoever comes later is told what was decided."""
    application = await desk.world.application()
    await desk.decide(application, first, reason="So.")
    for approve in (True, False):
        answer = await desk.decide(application, approve, reason="Otherwise.")
        assert (answer["__typename"], answer["decision"]) == ("AlreadyDecided", decision)
        assert answer["decidedAt"] == "2026-11-22T09:00:00+00:00"
    assert len(await letters()) == 1


async def test_of_two_who_decide_at_once_one_wins(desk: Desk, database_url: str) -> None:
    """O2"""
    application = await desk.world.application()
    orders = [partial(desk.decide, application, approve, reason="So.") for approve in (True, False)]
    answers = await lined_up(database_url, "application", *orders)
    assert sorted(one["__typename"] for one in answers) == ["AlreadyDecided", "ApplicationDecided"]
    [lost] = [one for one in answers if one["__typename"] == "AlreadyDecided"]
    assert lost["decision"] == (await AccountApplication.get()).status.value
    assert len(await letters()) == 1


async def test_what_is_not_confirmed_or_not_there_is_not_decided(desk: Desk) -> None:
    """O2"""
    await desk.apply()
    answer = await desk.decide(await AccountApplication.get(), True)
    assert [problem["path"] for problem in answer["problems"]] == ["id"]
    missing = await desk.board.order("decideApplication", DECIDED, id="x", approve=True)
    assert missing["__typename"] == "ApplicationNotFound"


async def test_an_address_that_got_an_account_meanwhile_is_told_to_staff(desk: Desk) -> None:
    """O2: nothing is half done."""
    application = await desk.world.application()
    await desk.world.verifier(email=application.applicant_email.upper())
    answer = await desk.decide(application, True)
    assert [problem["path"] for problem in answer["problems"]] == ["id"]
    assert (await AccountApplication.get(id=application.id)).status is ApplicationStatus.EMAIL_CONFIRMED
    assert await letters() == []


TABLES = ["application", "institution", "institution_name", "verifier_user", "verifier_link", "letter", "pgqueuer",
          "invitation"]  # fmt: skip


async def test_a_process_that_dies_while_approving_leaves_everything_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O2, N4: whichever statement is its last."""
    application = await desk.world.application()
    await desk.world.invitation(application_id=application.id)
    viewer = desk.world.viewer(Kind.STAFF, (await desk.world.staff()).id, is_board=True)

    async def approve() -> None:
        await applications.decide(viewer, application.id, True, "")

    assert await deaths_at_each_statement(monkeypatch, approve, TABLES) > 5
    assert sorted(kind for kind, _, _ in await letters()) == ["application_approved", "institution_joined"]
    assert await database.value("SELECT count(*) FROM verifier_user") == 1


async def test_what_nobody_confirmed_goes_after_thirty_days(desk: Desk) -> None:
    """G3: with its institution; what was confirmed, or decided, stays."""
    await desk.world.application()
    await desk.apply()
    desk.clock.forward(days=30)
    await purges.purge(desk.clock())
    assert (await AccountApplication.all().count(), await Institution.all().count()) == (2, 2)
    await purges.purge(desk.clock() + timedelta(seconds=1))
    assert [one.status for one in await AccountApplication.all()] == [ApplicationStatus.EMAIL_CONFIRMED]
    assert await Institution.all().count() == 1
