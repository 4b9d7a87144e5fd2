"""The Primary User keeps the users of an institution's account, and there is always exactly one (U1, U2, U3)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from starlette.applications import Starlette

from engine import database, keys
from engine.clock import system_clock
from models.institution import Institution
from models.letter import Letter
from models.notify import Notify
from models.session import Session, VerifierLink, VerifierLinkKind, verifier_link_token
from models.share import Share
from models.verifier import VerifierRole, VerifierStatus, VerifierUser
from resolvers.users import INVITATIONS_BY_INSTITUTION
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.dashboards import NEW_SHARES
from tests.events import events
from tests.locks import holding, lined_up, queued
from tests.mail_server import link_in, mails_in, text_of
from tests.served import Served
from tests.world import PASSWORD, World, gid

NEW = "battery staple 77"
USER = "user { id name email role status language isPrimary }"
ADDED = f"... on UserAdded {{ {USER} }} ... on InvalidInput {{ problems {{ path message }} }}"
CHANGED = f"... on UserChanged {{ {USER} }} ... on InvalidInput {{ problems {{ path message }} }}"


@dataclass
class Office:
    """An institution with its Primary User, a colleague, and somebody who has set no password yet."""

    client: Client
    world: World
    institution: Institution
    primary: VerifierUser
    colleague: VerifierUser
    invited: VerifierUser
    as_primary: Client

    async def as_(self, user: VerifierUser) -> Client:
        """The client as this user."""
        return self.client.as_(await self.world.token(user))

    async def statuses(self) -> dict[str, tuple[VerifierStatus, bool]]:
        """State of each user, and whether they are the Primary User, by name."""
        users = await VerifierUser.filter(institution_id=self.institution.id)
        return {user.name: (user.status, user.is_primary) for user in users}

    async def primaries(self) -> list[str]:
        """The names of the active Primary Users."""
        found = await self.statuses()
        return [name for name, state in found.items() if state == (VerifierStatus.ACTIVE, True)]


@pytest.fixture
async def office(client: Client, world: World) -> Office:
    institution = await world.institution("Minato University", department="Law")
    primary = await world.verifier(institution, name="Primary")
    colleague = await world.verifier(institution, name="Colleague")
    nobody_yet: dict[str, Any] = {"status": VerifierStatus.INVITED, "password_hash": None}
    invited = await world.verifier(institution, name="Invited", **nobody_yet)
    token = await world.token(primary)
    return Office(client, world, institution, primary, colleague, invited, client.as_(token))


async def named(client: Client, mutation: str, **input: Any) -> str:
    """What becomes of an order, by name."""
    answer: str = (await client.order(mutation, "", **input))["__typename"]
    return answer


def orders_about(user: VerifierUser) -> list[tuple[str, dict[str, Any]]]:
    """Every order that the Primary User can give about a user."""
    return [
        ("addUser", {"name": "Rin Sato", "email": "rin@office.example"}),
        ("changeUser", {"id": gid(user), "name": "Another Name"}),
        ("changeUser", {"id": gid(user), "isActive": False}),
        ("removeUser", {"id": gid(user)}),
        ("resendInvitation", {"id": gid(user)}),
        ("handOverPrimary", {"userId": gid(user)}),
    ]


async def kind(client: Client) -> str:
    """What kind of caller the client is."""
    found: str = (await client.ask("{ viewer { kind } }"))["viewer"]["kind"]
    return found


# ---- adding


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("language", "words"), [("en", "You have been made a user"), ("ja", "確認担当者として登録")])
async def test_new_user_sets_a_password_by_the_mailed_link(
    office: Office, settings: Settings, language: str, words: str
) -> None:
    """U2: in the new user's language."""
    given = {"name": " Rin  Sato ", "email": "rin@office.example", "role": "READER", "language": language}
    user = (await office.as_primary.order("addUser", ADDED, **given))["user"]
    expected = {"name": "Rin Sato", "email": "rin@office.example", "role": "READER", "status": "INVITED"}
    assert user == expected | {"id": user["id"], "language": language, "isPrimary": False}
    [mail] = await mails_in(settings.var / "mail", 1)
    assert (mail["To"], words in text_of(mail)) == ("rin@office.example", True)
    assert "Minato University" in text_of(mail)
    link, _, token = link_in(mail).partition("#")
    assert link == "http://testserver/set-password"
    assert await named(office.client, "setPassword", token=token, password=NEW, passwordAgain=NEW) == "PasswordSet"
    rin = await office.client.log_in_by_email("rin@office.example", NEW)
    assert (await rin.ask("{ viewer { verifier { role isPrimary } } }"))["viewer"]["verifier"] == {
        "role": "READER",
        "isPrimary": False,
    }


async def test_new_user_starts_with_what_the_primary_chose_and_no_news_from_before(office: Office) -> None:
    """N3."""
    await Institution.filter(id=office.institution.id).update(default_notify=Notify.DAILY)
    await named(office.as_primary, "addUser", name="Rin", email="rin@office.example")
    rin = await VerifierUser.get(email="rin@office.example")
    assert rin.notify is Notify.DAILY
    assert rin.news_due_at is not None
    assert rin.news_xid > 0


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"name": " ", "email": "rin@office.example"}, ["name"]),
        ({"name": "Rin", "email": "rin@office"}, ["email"]),
        ({"name": "x" * 201, "email": "rin", "language": "fr"}, ["name", "email", "language"]),
    ],
)
async def test_every_fault_of_the_form_is_told_at_once(office: Office, given: dict[str, str], paths: list[str]) -> None:
    answer = await office.as_primary.order("addUser", ADDED, **given)
    assert [problem["path"] for problem in answer["problems"]] == paths
    assert await Letter.all().count() == 0


async def test_address_in_use_elsewhere_is_refused_and_whose_it_is_is_not_told(office: Office) -> None:
    """U2, U3: the words are the same for a colleague's; somebody who was removed stands in nobody's way."""
    world = office.world
    elsewhere, gone = await world.verifier(name="Hidden"), await world.verifier(name="Gone")
    await world.remove(gone)
    told = []
    for email in (elsewhere.email.upper(), office.colleague.email):
        answer = await office.as_primary.order("addUser", ADDED, name="Rin", email=email)
        told.append(answer["problems"])
    assert told[0] == told[1]
    assert [problem["path"] for problem in told[0]] == ["email"]
    assert "Hidden" not in str(told)
    assert await named(office.as_primary, "addUser", name="Rin", email=gone.email) == "UserAdded"
    changed = await office.as_primary.order("changeUser", CHANGED, id=gid(office.colleague), email=elsewhere.email)
    assert changed["problems"] == told[0]


async def test_two_institutions_that_add_one_address_at_once_make_one_user(office: Office, settings: Settings) -> None:
    """U2."""
    assert settings.database_url is not None
    other = await office.as_(await office.world.verifier())
    orders = [order(one, "addUser", name="Rin", email="rin@x.example") for one in (office.as_primary, other)]
    assert sorted(await lined_up(settings.database_url, "institution", *orders)) == ["InvalidInput", "UserAdded"]
    assert await Letter.all().count() == 1


async def test_no_institution_has_people_mailed_without_end(office: Office, clock: ControlledClock) -> None:
    """U2: a limit for a day, whichever the order is."""
    count = "INSERT INTO rate_window (kind, subject, window_started_at, count) VALUES (:kind, :subject, :at, :count)"
    limit, at = INVITATIONS_BY_INSTITUTION, INVITATIONS_BY_INSTITUTION.started_at(clock())
    await database.rows(count, kind=limit.kind, subject=str(office.institution.id), at=at, count=limit.most - 1)
    assert await named(office.as_primary, "resendInvitation", id=gid(office.invited)) == "InvitationResent"
    assert await named(office.as_primary, "resendInvitation", id=gid(office.invited)) == "TooManyTries"
    assert await named(office.as_primary, "addUser", name="Rin", email="rin@office.example") == "TooManyTries"
    email = {"id": gid(office.colleague), "email": "new@office.example"}
    assert await named(office.as_primary, "changeUser", **email) == "TooManyTries"
    clock.now = limit.ends_at(clock())
    again = await office.as_(office.primary)
    assert await named(again, "resendInvitation", id=gid(office.invited)) == "InvitationResent"


async def test_adding_a_user_takes_a_fixed_number_of_statements(office: Office, statements: Statements) -> None:
    with statements.counted():
        assert await named(office.as_primary, "addUser", name="Rin", email="rin@office.example") == "UserAdded"
    assert len(statements) <= 18, statements.sent


# ---- changing


async def test_primary_changes_a_user(office: Office) -> None:
    """U2: the old address is told, and the refusal of mail was the old one's."""
    user = office.colleague
    await VerifierUser.filter(id=user.id).update(email_refused_at=office.world.clock())
    given = {"name": "Rin Sato", "email": "new@office.example", "role": "READER", "language": "ja"}
    changed = (await office.as_primary.order("changeUser", CHANGED, id=gid(user), **given))["user"]
    assert changed == given | {"id": gid(user), "status": "ACTIVE", "isPrimary": False}
    [letter] = await Letter.all()
    assert (letter.kind, letter.address, letter.language) == ("address_changed", user.email, "en")
    assert (await VerifierUser.get(id=user.id)).email_refused_at is None
    assert await named(office.client, "logInVerifier", email=user.email, password=PASSWORD) == "WrongLogin"
    assert await named(office.client, "logInVerifier", email="new@office.example", password=PASSWORD) == "LoggedIn"


async def test_changed_address_ends_links_that_were_mailed_to_the_old_one(office: Office) -> None:
    """A5: a letter-box that is lost must not open the account."""
    link = await VerifierLink.create(
        verifier_id=office.colleague.id, kind=VerifierLinkKind.RESET, asked_at=office.world.clock()
    )
    await named(office.as_primary, "changeUser", id=gid(office.colleague), email="new@office.example")
    token = verifier_link_token(link.id)
    assert await named(office.client, "setPassword", token=token, password=NEW, passwordAgain=NEW) == "LinkNotValid"


async def test_changed_address_of_somebody_invited_is_invited_anew(office: Office) -> None:
    """U2: only the newest link works."""
    await named(office.as_primary, "resendInvitation", id=gid(office.invited))
    await named(office.as_primary, "changeUser", id=gid(office.invited), email="new@office.example")
    assert [letter.address for letter in await Letter.all().order_by("id")] == [
        office.invited.email,
        "new@office.example",
    ]
    tokens = [verifier_link_token(link.id) for link in await VerifierLink.all().order_by("id")]
    answers = [await named(office.client, "setPassword", token=one, password=NEW, passwordAgain=NEW) for one in tokens]
    assert answers == ["LinkNotValid", "PasswordSet"]


async def test_another_address_of_the_primarys_own_needs_the_password(office: Office) -> None:
    """A9: a session that was stolen must not become the account."""
    own = {"id": gid(office.primary), "email": "new@office.example"}
    refused = await office.as_primary.order("changeUser", CHANGED, **own)
    assert [problem["path"] for problem in refused["problems"]] == ["password"]
    assert await named(office.as_primary, "changeUser", **own, password="wrong") == "WrongPassword"
    assert await named(office.as_primary, "changeUser", **own, password=PASSWORD) == "UserChanged"
    assert (await VerifierUser.get(id=office.primary.id)).email == "new@office.example"


async def test_every_user_chooses_their_own_language_and_nothing_else(office: Office) -> None:
    """A12, U2."""
    colleague = await office.as_(office.colleague)
    changed = await colleague.order("changeUser", CHANGED, id=gid(office.colleague), language="ja")
    assert changed["user"]["language"] == "ja"
    for wish in ({"name": "Rin"}, {"role": "READER"}, {"isActive": False}, {"email": "a@b.example"}):
        given: dict[str, Any] = {"id": gid(office.colleague), "language": "en"} | wish
        assert await named(colleague, "changeUser", **given) == "NotAllowed"
    assert await named(colleague, "changeUser", id=gid(office.primary), language="ja") == "NotAllowed"
    assert (await VerifierUser.get(id=office.colleague.id)).language == "ja"


async def test_fault_in_one_wish_changes_nothing(office: Office) -> None:
    answer = await office.as_primary.order(
        "changeUser", CHANGED, id=gid(office.colleague), name="Rin", language="fr", isActive=False
    )
    assert [problem["path"] for problem in answer["problems"]] == ["language"]
    assert (await office.statuses())["Colleague"] == (VerifierStatus.ACTIVE, False)


async def test_reader_reads_and_opens_shares_and_takes_no_file_away(office: Office) -> None:
    """U2: not even by an address of before; who is made an officer again does."""
    world, user = office.world, office.colleague
    result = await world.result()
    share = await Share.get(id=await world.share(result, office.institution))
    colleague = await office.as_(user)
    statement = "query ($id: ID!) { result(id: $id) { headline statement { address } } }"
    before = (await colleague.ask(statement, id=gid(result)))["result"]["statement"]["address"]
    seen = []
    for role in ("READER", "OFFICER"):
        await named(office.as_primary, "changeUser", id=gid(user), role=role)
        assert await named(colleague, "openShare", shareId=gid(share)) == "ShareOpened"
        found = (await colleague.ask(statement, id=gid(result)))["result"]
        assert found["headline"] == result.headline
        seen.append((found["statement"] is not None, (await office.client.http.get(before)).status_code))
    assert seen == [(False, 404), (True, 200)]


# ---- deactivating and removing


@pytest.mark.parametrize("order", ["deactivate", "remove"])
async def test_who_is_shut_out_is_out_at_once(office: Office, app: Starlette, order: str) -> None:
    """U2: sessions, open streams and links end, and nothing lets them in again."""
    user = office.colleague
    link = await VerifierLink.create(verifier_id=user.id, kind=VerifierLinkKind.RESET, asked_at=office.world.clock())
    token = await office.world.token(user)
    async with events(app, NEW_SHARES, {}, token) as stream:
        assert await _shut_out(office, user, order) in ("UserChanged", "UserRemoved")
        ended = await stream.next(20)
        assert ended is not None
        assert ended["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await kind(office.client.as_(token)) == "ANONYMOUS"
    assert await Session.filter(verifier_id=user.id, ended_at=None).count() == 0
    assert await named(office.client, "logInVerifier", email=user.email, password=PASSWORD) == "WrongLogin"
    given = {"token": verifier_link_token(link.id), "password": NEW, "passwordAgain": NEW}
    assert await named(office.client, "setPassword", **given) == "LinkNotValid"
    shown = await office.as_primary.ask("{ organisation { users { name status } } }")
    expected = [{"name": "Colleague", "status": "DEACTIVATED"}] if order == "deactivate" else []
    assert [one for one in shown["organisation"]["users"] if one["name"] == "Colleague"] == expected


async def _shut_out(office: Office, user: VerifierUser, order: str) -> str:
    if order == "remove":
        return await named(office.as_primary, "removeUser", id=gid(user))
    return await named(office.as_primary, "changeUser", id=gid(user), isActive=False)


async def test_history_keeps_the_name_of_somebody_who_was_removed(office: Office) -> None:
    """U2."""
    assert await named(office.as_primary, "removeUser", id=gid(office.colleague)) == "UserRemoved"
    node = "query ($id: ID!) { node(id: $id) { ... on VerifierUser { name status } } }"
    found = (await office.as_primary.ask(node, id=gid(office.colleague)))["node"]
    assert found == {"name": "Colleague", "status": "REMOVED"}
    for mutation, given in orders_about(office.colleague)[1:]:
        assert await named(office.as_primary, mutation, **given) == "UserNotFound"


async def test_user_who_is_let_in_again_logs_in_with_the_old_password(office: Office) -> None:
    """U2: sessions of before stay ended."""
    token = await office.world.token(office.colleague)
    for is_active, state in ((False, "DEACTIVATED"), (False, "DEACTIVATED"), (True, "ACTIVE"), (True, "ACTIVE")):
        changed = await office.as_primary.order("changeUser", CHANGED, id=gid(office.colleague), isActive=is_active)
        assert changed["user"]["status"] == state
    assert await kind(office.client.as_(token)) == "ANONYMOUS"
    assert await named(office.client, "logInVerifier", email=office.colleague.email, password=PASSWORD) == "LoggedIn"
    assert await Letter.all().count() == 0


async def test_invited_user_who_is_let_in_again_is_invited_anew(office: Office) -> None:
    """U2: an active user without a password there is none."""
    for is_active, state in ((False, "DEACTIVATED"), (True, "INVITED")):
        changed = await office.as_primary.order("changeUser", CHANGED, id=gid(office.invited), isActive=is_active)
        assert changed["user"]["status"] == state
    [letter] = await Letter.all()
    assert (letter.kind, letter.address) == ("user_invited", office.invited.email)


@pytest.mark.parametrize("status", [VerifierStatus.ACTIVE, VerifierStatus.DEACTIVATED])
async def test_only_who_is_invited_is_invited_again(office: Office, status: VerifierStatus) -> None:
    """A change that a state does not allow is refused with the state."""
    await VerifierUser.filter(id=office.colleague.id).update(status=status)
    told = "... on UserStateForbids { status }"
    answer = await office.as_primary.order("resendInvitation", told, id=gid(office.colleague))
    assert (answer["__typename"], answer["status"]) == ("UserStateForbids", status.value)
    assert await Letter.all().count() == 0


async def test_staff_invite_a_first_user_again(office: Office) -> None:
    """U2: there is no Primary User to ask yet; a centre's staff may not."""
    world = office.world
    nobody_yet: dict[str, Any] = {"status": VerifierStatus.INVITED, "password_hash": None}
    first = await world.verifier(**nobody_yet)
    board, centre = await world.staff(), await world.staff(await world.centre())
    assert await named(office.client.as_(await world.token(centre)), "resendInvitation", id=gid(first)) == "NotAllowed"
    as_board = office.client.as_(await world.token(board))
    assert await named(as_board, "resendInvitation", id=gid(first)) == "InvitationResent"
    assert [letter.address for letter in await Letter.all()] == [first.email]


# ---- the Primary User


async def test_role_is_handed_over_and_both_are_told(office: Office) -> None:
    """U1: a reader who gets it may do everything; who gave it may keep users no more, within the same session."""
    await VerifierUser.filter(id=office.colleague.id).update(role=VerifierRole.READER)
    colleague = await office.as_(office.colleague)
    assert await named(colleague, "addUser", name="Rin", email="rin@office.example") == "NotAllowed"
    told = f"... on PrimaryHandedOver {{ {USER} }}"
    user = (await office.as_primary.order("handOverPrimary", told, userId=gid(office.colleague)))["user"]
    assert (user["isPrimary"], user["role"]) == (True, "OFFICER")
    assert await office.primaries() == ["Colleague"]
    assert {letter.address for letter in await Letter.filter(kind="primary_changed")} == {
        office.primary.email,
        office.colleague.email,
    }
    assert await named(office.as_primary, "addUser", name="Rin", email="rin@office.example") == "NotAllowed"
    assert await named(colleague, "addUser", name="Rin", email="rin@office.example") == "UserAdded"


@pytest.mark.parametrize("state", [VerifierStatus.INVITED, VerifierStatus.DEACTIVATED, VerifierStatus.REMOVED])
async def test_role_goes_only_to_an_active_user(office: Office, state: VerifierStatus) -> None:
    """U1."""
    user = await office.world.verifier(office.institution, status=state)
    expected = "UserNotFound" if state is VerifierStatus.REMOVED else "UserStateForbids"
    assert await named(office.as_primary, "handOverPrimary", userId=gid(user)) == expected
    assert await office.primaries() == ["Primary"]


async def test_handing_over_to_oneself_changes_nothing(office: Office) -> None:
    assert await named(office.as_primary, "handOverPrimary", userId=gid(office.primary)) == "PrimaryHandedOver"
    assert await office.primaries() == ["Primary"]
    assert await Letter.all().count() == 0


async def test_nobody_removes_deactivates_or_demotes_the_primary(office: Office) -> None:
    """U1: the refusal says what to do first."""
    own = {"id": gid(office.primary)}
    for mutation, wish in (("removeUser", {}), ("changeUser", {"isActive": False}), ("changeUser", {"role": "READER"})):
        answer = await office.as_primary.order(mutation, "", **own | wish)
        assert answer["__typename"] == "PrimaryStays"
        assert "hand the role over first" in answer["message"]
    assert (await office.statuses())["Primary"] == (VerifierStatus.ACTIVE, True)


async def test_strangers_keep_no_users(office: Office) -> None:
    """U2, U3: nobody, candidates, staff, colleagues, other institutions' Primary Users, and those who were shut out."""
    world = office.world
    gone, shut = await world.verifier(office.institution), await world.institution()
    of_shut = await world.token(await world.verifier(shut))
    elsewhere, of_gone = await office.as_(await world.verifier()), await world.token(gone)
    await world.remove(gone)
    await world.suspend(shut)
    late = await world.token(office.primary)
    await Session.filter(verifier_id=office.primary.id).update(ended_at=world.clock())
    expected = {
        "NotLoggedIn": [office.client, *(office.client.as_(token) for token in (of_gone, of_shut, late))],
        "NotAllowed": [
            office.client.as_(await world.token(await world.candidate())),
            office.client.as_(await world.token(await world.staff(await world.centre()))),
            await office.as_(office.colleague),
        ],
    }
    before = await office.statuses()
    for answer, clients in expected.items():
        for client in clients:
            for mutation, given in orders_about(office.invited):
                assert await named(client, mutation, **given) == answer, (mutation, answer)
    for mutation, given in orders_about(office.invited)[1:]:
        assert await named(elsewhere, mutation, **given) == "UserNotFound"
    assert await office.statuses() == before
    assert await Letter.all().count() == 0


@pytest.mark.parametrize("id", ["", "nothing", "VmVyaWZpZXJVc2VyOm5vdGhpbmc="])
async def test_what_is_no_id_names_nobody(office: Office, id: str) -> None:
    assert await named(office.as_primary, "removeUser", id=id) == "UserNotFound"


# ---- at the same moment


Order = Callable[[], Awaitable[str]]


def order(client: Client, mutation: str, **input: Any) -> Order:
    """An order that is given later."""
    return lambda: named(client, mutation, **input)


async def test_of_two_hand_overs_at_once_one_counts(office: Office, settings: Settings) -> None:
    """U1."""
    assert settings.database_url is not None
    third = await office.world.verifier(office.institution, name="Third")
    orders = [order(office.as_primary, "handOverPrimary", userId=gid(user)) for user in (office.colleague, third)]
    assert await lined_up(settings.database_url, "institution", *orders) == ["PrimaryHandedOver", "NotAllowed"]
    assert await office.primaries() == ["Colleague"]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("way", ["remove", "deactivate"])
async def test_who_is_shut_out_at_the_same_moment_is_not_the_primary(
    office: Office, settings: Settings, way: str, is_first: bool
) -> None:
    """U1: whichever comes first, the other is refused."""
    assert settings.database_url is not None
    hand_over = order(office.as_primary, "handOverPrimary", userId=gid(office.colleague))
    again = await office.as_(office.primary)
    shut_out = (
        order(again, "removeUser", id=gid(office.colleague))
        if way == "remove"
        else order(again, "changeUser", id=gid(office.colleague), isActive=False)
    )
    orders = [hand_over, shut_out] if is_first else [shut_out, hand_over]
    answers = await lined_up(settings.database_url, "institution", *orders)
    if is_first:
        assert answers == ["PrimaryHandedOver", "NotAllowed"]
    else:
        assert answers[1] == ("UserNotFound" if way == "remove" else "UserStateForbids")
    assert await office.primaries() == ["Colleague" if is_first else "Primary"]


@pytest.mark.parametrize("is_first", [True, False])
async def test_hand_over_and_suspension_at_once_leave_one_primary(
    office: Office, settings: Settings, is_first: bool
) -> None:
    """U1, O3."""
    assert settings.database_url is not None
    board = office.client.as_(await office.world.token(await office.world.staff()))
    hand_over = order(office.as_primary, "handOverPrimary", userId=gid(office.colleague))
    suspend = order(board, "suspendInstitution", id=gid(office.institution), reason="Its site has gone.")
    orders = [hand_over, suspend] if is_first else [suspend, hand_over]
    answers = await lined_up(settings.database_url, "institution", *orders)
    names = ["PrimaryHandedOver", "InstitutionSuspension"] if is_first else ["InstitutionSuspension", "NotLoggedIn"]
    assert answers == names
    assert await office.primaries() == ["Colleague" if is_first else "Primary"]


async def test_many_orders_at_once_never_leave_an_account_without_its_primary(office: Office) -> None:
    """U1: everybody hands over to everybody, and shuts everybody out and lets them in."""
    users = [office.primary, office.colleague, *[await office.world.verifier(office.institution) for _ in range(2)]]
    orders = []
    for client in [await office.as_(user) for user in users]:
        for number, user in enumerate(users):
            orders.append(order(client, "handOverPrimary", userId=gid(user)))
            orders.append(order(client, "changeUser", id=gid(user), isActive=bool(number % 2)))
    answers = await asyncio.gather(*(one() for one in orders))
    assert "PrimaryHandedOver" in answers
    assert len(await office.primaries()) == 1


@pytest.fixture
async def raw(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection that knows no rule of ours."""
    assert settings.database_url is not None
    connection = await asyncpg.connect(settings.database_url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "breach",
    [
        "UPDATE verifier_user SET is_primary = false WHERE is_primary",
        "UPDATE verifier_user SET status = 'DEACTIVATED' WHERE is_primary",
        "UPDATE verifier_user SET institution_id = (SELECT id FROM institution WHERE name = 'Else') WHERE is_primary",
        "DELETE FROM verifier_user WHERE is_primary",
    ],
)
async def test_database_itself_refuses_active_users_without_a_primary(
    office: Office, raw: asyncpg.Connection, breach: str
) -> None:
    """U1: at the end of the transaction, so that a hand-over has time for its second half."""
    await office.world.institution("Else")
    await Session.all().delete()
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await raw.execute(breach)
    assert refused.value.constraint_name == "verifier_has_primary"
    async with raw.transaction():
        await raw.execute("UPDATE verifier_user SET is_primary = false WHERE is_primary")
        await raw.execute("UPDATE verifier_user SET is_primary = true WHERE id = $1", office.colleague.id)
    assert await office.primaries() == ["Colleague"]


async def test_database_lets_no_two_transactions_each_take_away_what_the_other_needs(
    office: Office, raw: asyncpg.Connection, settings: Settings
) -> None:
    """U1: the last active user is deactivated while somebody is let in again; each alone would be right."""
    assert settings.database_url is not None
    await VerifierUser.filter(id=office.colleague.id).update(status=VerifierStatus.DEACTIVATED)
    other = await asyncpg.connect(settings.database_url)
    try:
        first, second = raw.transaction(), other.transaction()
        await first.start()
        await second.start()
        await raw.execute("UPDATE verifier_user SET status = 'DEACTIVATED' WHERE id = $1", office.primary.id)
        await other.execute("UPDATE verifier_user SET status = 'ACTIVE' WHERE id = $1", office.colleague.id)
        await raw.execute("SET CONSTRAINTS ALL IMMEDIATE")
        late = asyncio.ensure_future(other.execute("SET CONSTRAINTS ALL IMMEDIATE"))
        await queued(1)
        await first.commit()
        with pytest.raises(asyncpg.CheckViolationError):
            await late
        await second.rollback()
    finally:
        await other.close()
    assert [state for state, _ in (await office.statuses()).values()].count(VerifierStatus.ACTIVE) == 0


async def test_hand_over_whose_process_is_killed_in_its_middle_has_not_happened(
    settings: Settings, clean: None, tmp_path: Path
) -> None:
    """U1, N4: neither the role nor the letters; and it can be given again."""
    assert settings.database_url is not None
    keys.use(settings.secret_key)
    served = Served(tmp_path / "one", settings.database_url, {"WORKER": "0"}).start().ready()
    try:
        async with database.opened(settings.database_url, 3):
            world = World(system_clock)
            institution = await world.institution()
            primary, colleague = await world.verifier(institution), await world.verifier(institution)
            token = await world.token(primary)
            async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
                giving = order(Client(http, token), "handOverPrimary", userId=gid(colleague))
                async with holding(settings.database_url, "LOCK TABLE letter IN EXCLUSIVE MODE"):
                    asked = asyncio.ensure_future(giving())
                    await queued(1)
                    served.kill()
                    with pytest.raises(httpx2.TransportError):
                        await asked
            assert [user.id for user in await VerifierUser.filter(is_primary=True)] == [primary.id]
            assert await Letter.all().count() == 0
            served.start().ready()
            async with httpx2.AsyncClient(base_url=served.url, timeout=60, trust_env=False) as http:
                giving = order(Client(http, token), "handOverPrimary", userId=gid(colleague))
                assert await giving() == "PrimaryHandedOver"
            assert [user.id for user in await VerifierUser.filter(is_primary=True)] == [colleague.id]
            assert await Letter.all().count() == 2
    finally:
        served.stop()


async def test_migration_found_a_primary_for_every_account_that_had_none(
    office: Office, raw: asyncpg.Connection
) -> None:
    """U1: the oldest active user; others stay as they were."""
    elsewhere = await office.world.verifier()
    await VerifierUser.filter(id=office.invited.id).update(created_at=office.world.clock() - timedelta(days=9))
    await VerifierUser.filter(id=office.colleague.id).update(created_at=office.world.clock() - timedelta(days=8))
    transaction = raw.transaction()
    await transaction.start()
    try:
        await raw.execute("ALTER TABLE verifier_user DISABLE TRIGGER verifier_has_primary")
        await raw.execute("UPDATE verifier_user SET is_primary = false WHERE id = $1", office.primary.id)
        await raw.execute(import_module("migrations.0022_one_primary").RULES[0])
        found = await raw.fetch("SELECT id FROM verifier_user WHERE is_primary")
        assert {row["id"] for row in found} == {office.colleague.id, elsewhere.id}
    finally:
        await transaction.rollback()


async def test_who_is_shut_out_while_the_password_is_compared_gets_no_session(
    office: Office, settings: Settings
) -> None:
    """U2: not even one that would work once they are let in again."""
    assert settings.database_url is not None
    shut = f"UPDATE verifier_user SET status = 'DEACTIVATED', deactivated_at = now() WHERE id = '{office.colleague.id}'"
    async with holding(settings.database_url, shut, commits=True):
        log_in = order(office.client, "logInVerifier", email=office.colleague.email, password=PASSWORD)
        asked = asyncio.ensure_future(log_in())
        await queued(1)
    assert await asked == "WrongLogin"
    assert await Session.filter(verifier_id=office.colleague.id).count() == 0
