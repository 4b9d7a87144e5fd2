"""Inviting an institution that has no account: one mail, one answer, and the candidate is told once (S7)."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import get_named_type
from starlette.applications import Starlette

from engine import database
from engine.clock import system_clock
from engine.jobs import Worker
from models.application import AccountApplication, ApplicationStatus
from models.candidate import Candidate
from models.institution import Institution
from models.invitation import Invitation, invitation_token
from models.letter import Letter
from models.timezones import countries
from resolvers.invitations import Form
from settings import Settings
from tests.client import Client
from tests.conftest import START, ControlledClock
from tests.hostile import HOSTILE
from tests.locks import holding, lined_up, queued
from tests.mail_server import MailServer, link_in, mails_in, text_of
from tests.printed import fields_of
from tests.scripts import operations_of, script
from tests.served import Served, until
from tests.words import words
from tests.world import World, gid

FORM = {"name": "Kamome College", "email": "office@kamome.example", "website": "https://www.kamome.example"}
INVITED = """... on InstitutionInvited { invitation { id name email website country language status invitedAt expiresAt
    institution { id } } }
    ... on InvalidInput { problems { path message } } ... on AlreadyInvited { invitedAt }
    ... on TooManyTries { retryAfter }"""
MINE = """query ($first: Int, $after: String) { me { invitations(first: $first, after: $after) {
    edges { node { name status institution { id shownAs } } } pageInfo { hasNextPage endCursor } } } }"""
OPERATIONS = operations_of("apply")


@dataclass
class Inviter:
    """A candidate who is logged in, and the door."""

    client: Client
    own: Client
    world: World
    clock: ControlledClock
    candidate: Candidate

    async def invite(self, number: int | None = None, **facts: Any) -> Any:
        """The answer to an invitation; with a number, to an address of its own."""
        form: dict[str, Any] = FORM | ({} if number is None else {"email": f"office{number}@kamome.example"})
        return await self.own.order("inviteInstitution", INVITED, **form | facts)

    async def mine(self) -> list[Any]:
        """The candidate's invitations as they see them, after logging in anew."""
        fresh = self.client.as_(await self.world.token(self.candidate))
        return [edge["node"] for edge in (await fresh.ask(MINE))["me"]["invitations"]["edges"]]

    async def another(self) -> "Inviter":
        """Somebody else."""
        return await inviter_of(self.client, self.world, self.clock)

    async def form_of(self, token: str) -> Any:
        """What the page is told of an invitation."""
        return (await self.client.ask(OPERATIONS["INVITATION"], token=token))["invitation"]

    async def answer(self, token: str | None, **facts: Any) -> str:
        """What becomes of an application that answers an invitation."""
        form = {
            "name": "Kamome College", "kind": "EDUCATION", "country": "JP", "city": "Kobe",
            "website": "https://www.kamome.example", "applicantName": "Mika Hara", "email": "hara@kamome.example",
        }  # fmt: skip
        answer: str = (await self.client.order("applyForAccount", "", **form, invitation=token, **facts))["__typename"]
        return answer

    async def decline(self, token: str) -> str:
        """What becomes of declining."""
        answer: str = (await self.client.order("declineInvitation", "", token=token))["__typename"]
        return answer

    async def approve(self, application: AccountApplication) -> Institution:
        """Confirm and approve an application."""
        await confirm(application)
        board = self.client.as_(await self.world.token(await self.world.staff()))
        decided = await board.order("decideApplication", "", id=gid(application), approve=True)
        assert decided["__typename"] == "ApplicationDecided"
        return await Institution.get(id=application.institution_id)


async def confirm(application: AccountApplication) -> None:
    """As if its mailed link had been used."""
    confirmed = {"status": ApplicationStatus.EMAIL_CONFIRMED, "email_confirmed_at": START, "due_on": START.date()}
    await AccountApplication.filter(id=application.id).update(**confirmed)


async def inviter_of(client: Client, world: World, clock: ControlledClock, **facts: Any) -> Inviter:
    candidate = await world.candidate(**facts)
    return Inviter(client, client.as_(await world.token(candidate)), world, clock, candidate)


@pytest.fixture
async def inviter(app: Starlette, client: Client, world: World, clock: ControlledClock) -> Inviter:
    """A candidate."""
    return await inviter_of(client, world, clock, given_name="Aoi", family_name="Tanaka")


async def told() -> list[tuple[str, str]]:
    """Address and language of each mail that tells of a new account."""
    found = await Letter.filter(kind="institution_joined").order_by("id")
    return [(letter.address, letter.language) for letter in found]


# ---- inviting


async def test_the_institution_gets_a_mail_with_the_candidates_name_and_nothing_else_of_theirs(
    inviter: Inviter, worker: Worker, settings: Settings
) -> None:
    """S7, N5: no result, no score, no date of birth, and nothing that the candidate wrote."""
    await inviter.world.result(await inviter.world.entry(inviter.candidate))
    answer = (await inviter.invite(name="Win a prize at evil"))["invitation"]
    assert (answer["status"], answer["expiresAt"]) == ("SENT", "2026-12-22T09:00:00+00:00")
    [mail] = await mails_in(Path(settings.var / "mail"), 1)
    assert mail["To"] == FORM["email"]
    assert mail["Subject"] == "A candidate would like to send you an exam result"
    assert link_in(mail).startswith("http://testserver/apply#")
    assert "Aoi Tanaka" in text_of(mail)
    told = words(text_of(mail), text_of(mail, "html"))
    for secret in ("prize", "168", "B2", "2001", "C1", "田中", str(inviter.candidate.email)):
        assert secret not in told, secret


@pytest.mark.parametrize(
    ("facts", "language"),
    [
        ({"country": "JP"}, "ja"),
        ({"country": "US", "email": "a@b.co.jp"}, "en"),
        ({"email": "a@b.co.jp"}, "ja"),
        ({"website": "https://www.keio.ac.jp"}, "ja"),
        ({"website": "https://jp.example"}, "en"),
        ({}, "en"),
    ],
)
async def test_the_mail_is_in_japanese_for_japan(inviter: Inviter, facts: dict[str, Any], language: str) -> None:
    """S7, A12: the country counts, or else the ending of address and site."""
    assert (await inviter.invite(**facts))["invitation"]["language"] == language
    assert (await Letter.get()).language == language


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"email": "office"}, "email"),
        ({"website": "kamome"}, "website"),
        ({"country": "Japan"}, "country"),
        *(({"email": f"{text}@b.example"}, "email") for text in ("a\r\nBcc: c", "a b", "")),
    ],
)
async def test_each_fault_is_told_where_it_is(inviter: Inviter, facts: dict[str, Any], path: str) -> None:
    """S7"""
    answer = await inviter.invite(**facts)
    assert [problem["path"] for problem in answer["problems"]] == [path]
    assert not await Letter.exists()


WHOLE = [name for name, text in HOSTILE.items() if text.encode("utf-8", "replace").decode() == text]


@pytest.mark.parametrize("name", WHOLE)
async def test_hostile_names_are_kept_on_one_line_or_refused(inviter: Inviter, name: str) -> None:
    """S7: and never make a mistake of ours; halves of signs the door refuses before."""
    answer = await inviter.invite(name=HOSTILE[name])
    if answer["__typename"] == "InstitutionInvited":
        assert answer["invitation"]["name"].isprintable()


async def test_five_a_day_and_the_day_is_utcs(inviter: Inviter) -> None:
    """S7: both edges; refused ones do not count."""
    inviter.clock.now = START.replace(hour=23, minute=59, second=58)
    inviter.own = inviter.client.as_(await inviter.world.token(inviter.candidate))
    await inviter.invite(0, email="office")
    answers = [await inviter.invite(number) for number in range(6)]
    assert [one["__typename"] for one in answers] == ["InstitutionInvited"] * 5 + ["TooManyTries"]
    assert answers[5]["retryAfter"] == "2026-11-23T00:00:00+00:00"
    inviter.clock.forward(seconds=1)
    assert (await inviter.invite(5))["__typename"] == "TooManyTries"
    inviter.clock.forward(seconds=1)
    assert (await inviter.invite(5))["__typename"] == "InstitutionInvited"
    other = await inviter.another()
    assert (await other.invite(6))["__typename"] == "InstitutionInvited"


async def test_of_many_at_once_five_get_through(inviter: Inviter) -> None:
    """S7"""
    answers = await asyncio.gather(*(inviter.invite(number) for number in range(8)))
    assert sorted(one["__typename"] for one in answers) == ["InstitutionInvited"] * 5 + ["TooManyTries"] * 3


async def test_an_address_is_invited_once_in_thirty_days_by_whomever(inviter: Inviter) -> None:
    """S7: in any case; whoever tries is told since when, and nothing of who did."""
    await inviter.invite()
    for asker in (inviter, await inviter.another()):
        answer = await asker.invite(email="Office@Kamome.example", name="Other")
        assert (answer["__typename"], answer["invitedAt"]) == ("AlreadyInvited", "2026-11-22T09:00:00+00:00")
    inviter.clock.forward(days=30, seconds=-1)
    assert (await (await inviter.another()).invite())["__typename"] == "AlreadyInvited"
    inviter.clock.forward(seconds=1)
    assert (await (await inviter.another()).invite())["__typename"] == "InstitutionInvited"
    assert await Letter.filter(kind="institution_invited").count() == 2


async def test_two_who_invite_one_address_at_once_invite_it_once(inviter: Inviter, database_url: str) -> None:
    """S7: a double click, or two candidates."""
    other = await inviter.another()
    answers = await lined_up(database_url, "candidate", inviter.invite, other.invite)
    assert sorted(one["__typename"] for one in answers) == ["AlreadyInvited", "InstitutionInvited"]
    assert await Letter.all().count() == 1


async def test_whether_others_have_invited_is_told_thirty_times_a_day(inviter: Inviter) -> None:
    """S7: nobody finds out whom others invite by trying."""
    await (await inviter.another()).invite()
    answers = [(await inviter.invite())["__typename"] for _ in range(31)]
    assert answers == ["AlreadyInvited"] * 30 + ["TooManyTries"]


@pytest.mark.parametrize("who", ["stranger", "verifier", "staff"])
async def test_only_candidates_invite(inviter: Inviter, who: str) -> None:
    """S7"""
    world = inviter.world
    owners: dict[str, Any] = {"verifier": await world.verifier(), "staff": await world.staff()}
    inviter.own = inviter.client.as_(await world.token(owners[who]) if who in owners else None)
    assert (await inviter.invite())["__typename"] == ("NotLoggedIn" if who == "stranger" else "NotAllowed")


async def test_a_closed_account_invites_nobody(inviter: Inviter) -> None:
    """G2"""
    await Candidate.filter(id=inviter.candidate.id).update(closed_at=START)
    assert (await inviter.invite())["__typename"] == "NotLoggedIn"


# ---- reading


async def test_candidates_see_their_own_page_by_page(inviter: Inviter) -> None:
    """S7: newest first; nobody else's."""
    for number in range(3):
        await inviter.invite(number, name=f"College {number}")
        inviter.clock.forward(seconds=1)
    other = await inviter.another()
    await other.invite(7)
    names, after = [], None
    while True:
        page = (await inviter.own.ask(MINE, first=2, after=after))["me"]["invitations"]
        names += [edge["node"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == ["College 2", "College 1", "College 0"]
    [foreign] = await Invitation.filter(candidate_id=other.candidate.id)
    assert (await inviter.own.ask("query ($id: ID!) { node(id: $id) { id } }", id=gid(foreign)))["node"] is None


async def test_an_invitation_expires_after_thirty_days_by_the_clock(inviter: Inviter) -> None:
    """S7: both edges; its link works no more."""
    await inviter.invite()
    token = invitation_token((await Invitation.get()).id)
    inviter.clock.forward(days=30, seconds=-1)
    assert [one["status"] for one in await inviter.mine()] == ["SENT"]
    assert await inviter.form_of(token)
    inviter.clock.forward(seconds=1)
    assert [one["status"] for one in await inviter.mine()] == ["EXPIRED"]
    assert await inviter.form_of(token) is None
    assert await inviter.answer(token) == "LinkNotValid"
    assert not await AccountApplication.exists()


# ---- the institution's answer


async def test_the_form_is_filled_in_by_the_link(inviter: Inviter) -> None:
    """S7: with what the candidate wrote, and the candidate's name; nothing more of theirs."""
    await inviter.invite(country="JP")
    form = await inviter.form_of(invitation_token((await Invitation.get()).id))
    assert form == FORM | {"candidateName": "Aoi Tanaka", "country": "JP"}
    told_at_all = set(fields_of(get_named_type(fields_of("Query")["invitation"].type).name))
    assert told_at_all == {"candidateName", "name", "email", "website", "country", "expiresAt"}


async def test_a_token_that_we_did_not_make_leads_nowhere(inviter: Inviter) -> None:
    """S7"""
    await inviter.invite()
    for token in ("", "x", "é", gid(await Invitation.get()), invitation_token(inviter.candidate.id)):
        assert await inviter.form_of(token) is None
        assert await inviter.decline(token) == "LinkNotValid"
        assert await inviter.answer(token) == "LinkNotValid"


async def test_an_invitation_is_accepted_once_by_an_application(inviter: Inviter) -> None:
    """S7: the link has done its work then."""
    await inviter.invite()
    token = invitation_token((await Invitation.get()).id)
    assert await inviter.answer(token) == "ApplicationReceived"
    assert [(one["status"], one["institution"]) for one in await inviter.mine()] == [("ACCEPTED", None)]
    assert await inviter.answer(token) == "LinkNotValid"
    assert await inviter.decline(token) == "LinkNotValid"
    assert await inviter.answer(None) == "ApplicationReceived"


async def test_a_declined_address_gets_no_further_invitations_ever(inviter: Inviter) -> None:
    """S7: by whomever, and however late; declining twice does no harm."""
    await inviter.invite()
    token = invitation_token((await Invitation.get()).id)
    inviter.clock.forward(days=31)
    assert [await inviter.decline(token) for _ in range(2)] == ["InvitationDeclined"] * 2
    assert [one["status"] for one in await inviter.mine()] == ["DECLINED"]
    assert await inviter.form_of(token) is None
    inviter.clock.forward(days=400)
    other = await inviter.another()
    assert (await other.invite(email="OFFICE@kamome.example"))["__typename"] == "InvitationsDeclined"
    assert (await other.invite(1))["__typename"] == "InstitutionInvited"


async def test_of_accepting_and_declining_at_once_one_counts(inviter: Inviter, database_url: str) -> None:
    """S7"""
    await inviter.invite()
    token = invitation_token((await Invitation.get()).id)
    orders = [partial(inviter.decline, token), partial(inviter.answer, token)]
    answers = await lined_up(database_url, "invitation", *orders)
    assert answers == ["InvitationDeclined", "LinkNotValid"]
    assert not await AccountApplication.exists()


# ---- the candidate is told


async def test_who_invited_is_told_once_in_their_language_and_can_send(inviter: Inviter) -> None:
    """S7, N4: by the link, the address, or the domain of address or site; who was declined or came elsewhere is not."""
    await Candidate.filter(id=inviter.candidate.id).update(language="ja")
    world, addresses = inviter.world, [(str(inviter.candidate.email), "ja")]
    await inviter.invite()
    by_link = invitation_token((await Invitation.get()).id)
    same = (
        {"email": "hara@kamome.example"},
        {"email": "x@law.kamome.example"},
        {"website": "https://a.kamome.example/b"},
    )
    for facts in ({}, *same):
        candidate = await world.candidate()
        await world.invitation(candidate, **facts)
        addresses += [(str(candidate.email), "en")] if facts else []
    await world.invitation(inviter.candidate, email="other@kamome.example")
    await world.invitation(declined_at=START, email="no@kamome.example")
    await world.invitation(email="x@notkamome.example", website="https://kamome.example.evil.example")
    await inviter.answer(by_link)
    institution = await inviter.approve(await AccountApplication.get())
    assert sorted(await told()) == sorted(addresses)
    shown = [(one["status"], one["institution"]) for one in await inviter.mine()]
    assert shown == [("ACCEPTED", {"id": gid(institution), "shownAs": "Kamome College"})] * 2
    result = await world.result(await world.entry(inviter.candidate))
    await world.share(result, institution)


async def test_nobody_is_told_twice_when_another_department_follows(inviter: Inviter) -> None:
    """S7: once each, ever."""
    await inviter.invite()
    for department in ("Law", "Letters"):
        await answer_of(inviter, department)
    for application in await AccountApplication.all().order_by("id"):
        await inviter.approve(application)
    assert len(await told()) == 1


async def answer_of(inviter: Inviter, department: str) -> None:
    institution = await inviter.world.institution(
        "Kamome College", department=department, website="https://kamome.example", status="APPLIED", approved_at=None
    )
    await inviter.world.application(institution, applicant_email=f"{department.lower()}@kamome.example")


async def test_a_free_mail_address_brings_only_those_who_wrote_to_it(inviter: Inviter) -> None:
    """S7: anybody can have an address there."""
    await inviter.world.invitation(email="kamome@gmail.com")
    await inviter.world.invitation(email="suzume@gmail.com")
    institution = await inviter.world.institution(status="APPLIED", approved_at=None)
    await inviter.approve(await inviter.world.application(institution, applicant_email="Kamome@gmail.com"))
    assert len(await told()) == 1


async def test_who_closed_the_account_is_told_nothing(inviter: Inviter) -> None:
    """G2"""
    await inviter.invite()
    await Candidate.filter(id=inviter.candidate.id).update(closed_at=START, email=None, password_hash=None)
    await answer_of(inviter, "Law")
    await inviter.approve(await AccountApplication.get())
    assert await told() == []


async def test_a_refused_application_tells_nobody(inviter: Inviter) -> None:
    """S7: and the next one does, though the link was used up by the first."""
    await inviter.invite()
    await inviter.answer(invitation_token((await Invitation.get()).id))
    application = await AccountApplication.get()
    await confirm(application)
    board = inviter.client.as_(await inviter.world.token(await inviter.world.staff()))
    await board.order("decideApplication", "", id=gid(application), approve=False, reason="No.")
    assert await told() == []
    await answer_of(inviter, "Letters")
    await inviter.approve((await AccountApplication.all().order_by("-id"))[0])
    assert len(await told()) == 1


async def test_after_a_merging_the_kept_account_is_shown(inviter: Inviter) -> None:
    """S7, O4"""
    await inviter.invite()
    await answer_of(inviter, "Law")
    institution = await inviter.approve(await AccountApplication.get())
    kept = await inviter.world.institution("Kamome University")
    board = inviter.client.as_(await inviter.world.token(await inviter.world.staff()))
    pair = {"duplicateId": gid(institution), "intoId": gid(kept)}
    await board.order("mergeInstitutions", "", **pair, reason="The same.")
    assert [one["institution"] for one in await inviter.mine()] == [{"id": gid(kept), "shownAs": "Kamome University"}]


# ---- the page


async def test_the_page_sends_what_it_says(inviter: Inviter) -> None:
    """S7, O2: its own operations, with all that its form holds."""
    await inviter.invite()
    token = invitation_token((await Invitation.get()).id)
    form = await inviter.form_of(token)
    given = {name: form[name] for name in ("name", "email", "website")}
    given |= {"department": None, "kind": "EDUCATION", "country": "JP", "city": "Kobe", "applicantName": "Mika Hara"}
    wanted = given | {"language": "ja", "invitation": token}
    answer = (await inviter.client.ask(OPERATIONS["APPLY"], input=wanted))["applyForAccount"]
    assert answer["__typename"] == "ApplicationReceived"
    late = (await inviter.client.ask(OPERATIONS["DECLINE"], input={"token": token}))["declineInvitation"]
    assert late["__typename"] == "LinkNotValid"


def test_the_page_knows_every_country() -> None:
    """O2"""
    listed = script("apply").partition("const COUNTRIES =")[2].partition(";")[0]
    assert set("".join(listed.replace("+", " ").replace('"', " ")).split()) == countries()


@pytest.mark.parametrize("country", [None, "JP"])
def test_a_form_is_tidied_before_it_is_looked_at(country: str | None) -> None:
    form = Form(" Kamome\n College ", " a@b.example ", "www.b.example", country).tidied()
    assert form == Form("Kamome College", "a@b.example", "https://www.b.example", country)


async def test_a_mail_that_is_sent_again_leads_nowhere_once_it_was_answered(inviter: Inviter) -> None:
    """N4: staff are told that it would help nobody."""
    await inviter.invite()
    await inviter.decline(invitation_token((await Invitation.get()).id))
    await Letter.all().update(parked_at=START, tries=10)
    inviter.clock.forward(days=2)
    board = inviter.client.as_(await inviter.world.token(await inviter.world.staff()))
    ids = [gid(await Letter.get())]
    answer = await board.order("resendMail", "... on MailResent { notResent { reason } }", ids=ids)
    assert answer["notResent"] == [{"reason": "TOO_OLD"}]


# ---- a real process that dies


async def test_a_service_killed_while_approving_has_told_nobody_and_two_workers_tell_everybody_once(
    open_database: None, settings: Settings, mail_server: MailServer, tmp_path: Path
) -> None:
    """S7, O2, N4: kill -9 in the middle of the transaction; approved again, each mail is sent once."""
    world = World(system_clock)
    application = await world.application(applicant_email="hara@kamome.example")
    candidates = [await world.candidate() for _ in range(3)]
    for candidate in candidates:
        await world.invitation(candidate, application_id=application.id)
    token, order = await world.token(await world.staff()), {"id": gid(application), "approve": True}
    mails = {"SMTP_URL": mail_server.url}
    service = Served(tmp_path / "service", settings.database_url, {"WORKER": "0"}).start()
    workers = [Served(tmp_path / name, settings.database_url, mails, command="worker") for name in ("one", "two")]
    try:
        await asyncio.to_thread(service.ready)
        async with httpx2.AsyncClient(base_url=service.url, timeout=60, trust_env=False) as http:
            board = Client(http, token)
            async with holding(str(settings.database_url), "SELECT 1 FROM invitation FOR UPDATE"):
                deciding = asyncio.ensure_future(board.order("decideApplication", "", **order))
                await queued(1)
                await asyncio.to_thread(service.kill)
                await asyncio.gather(deciding, return_exceptions=True)
            assert (await AccountApplication.get()).decided_at is None
            assert not await Letter.exists()
            service.start()
            await asyncio.to_thread(service.ready)
            assert (await board.order("decideApplication", "", **order))["__typename"] == "ApplicationDecided"
        for worker in workers:
            worker.start()
        await until(lambda: len(mail_server.taken) >= 4, seconds=180)
        await until(no_job_left, seconds=120)
    finally:
        for process in (service, *workers):
            await asyncio.to_thread(process.stop)
    assert sorted(mail_server.recipients) == sorted(["hara@kamome.example", *(str(one.email) for one in candidates)])


async def no_job_left() -> bool:
    return not await database.rows("SELECT 1 FROM pgqueuer WHERE entrypoint = 'letter'")
