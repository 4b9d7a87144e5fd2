"""Users of institutions set the first password, or another one, by a mailed link (U1, U2, A2, A5)."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from engine import database
from models.institution import Institution
from models.letter import Letter
from models.session import Session, VerifierLink, verifier_link_token
from models.verifier import VerifierStatus, VerifierUser
from resolvers import password_links, purges
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, Statements
from tests.hostile import HOSTILE
from tests.locks import lined_up
from tests.mail_server import link_in, mails_in, text_of
from tests.world import PASSWORD, World

NEW = "battery staple 77"
PROBLEMS = "... on InvalidInput { problems { path message } }"


async def invited(world: World, institution: Institution | None = None, **facts: Any) -> VerifierUser:
    """A new user who has no password yet."""
    given: dict[str, Any] = {"status": VerifierStatus.INVITED, "password_hash": None, "is_primary": False}
    return await world.verifier(institution, **given | facts)


async def token_for(user: VerifierUser, world: World) -> str:
    """The token of a fresh invitation, without waiting for the mail."""
    async with database.transaction():
        return verifier_link_token(await password_links.invite(user.id, world.clock()))


async def written(world: World) -> None:
    """Do every job that waits because a password was forgotten."""
    jobs = await database.rows("SELECT payload FROM pgqueuer WHERE entrypoint = :name", name=password_links.FORGOTTEN)
    for job in jobs:
        await password_links.write_reset(json.loads(job["payload"]), world.clock())


async def reset_token_for(client: Client, user: VerifierUser, world: World) -> str:
    """The token of a fresh link for a forgotten password, without waiting for the mail."""
    await client.order("requestVerifierPasswordReset", "", email=user.email)
    await written(world)
    link = await VerifierLink.filter(verifier_id=user.id).order_by("-id").first()
    assert link is not None
    return verifier_link_token(link.id)


async def set_password(client: Client, token: str, password: str = NEW, again: str | None = None) -> Any:
    """The answer to setting a password by a link."""
    given = {"token": token, "password": password, "passwordAgain": password if again is None else again}
    return await client.order("setPassword", PROBLEMS, **given)


async def named(client: Client, token: str, password: str = NEW) -> str:
    """What becomes of it, by name."""
    answer: str = (await set_password(client, token, password))["__typename"]
    return answer


async def log_in(client: Client, email: str, password: str) -> str:
    """What becomes of a log-in."""
    answer: str = (await client.order("logInVerifier", "", email=email, password=password))["__typename"]
    return answer


# ---- the first password


async def test_first_user_of_an_institution_sets_a_password_and_is_its_primary(client: Client, world: World) -> None:
    """U1, U2: nobody is told by mail that a password was changed which was not there before."""
    user = await invited(world)
    assert await log_in(client, user.email, NEW) == "WrongLogin"
    assert await named(client, await token_for(user, world)) == "PasswordSet"
    user = await VerifierUser.get(id=user.id)
    assert (user.status, user.is_primary) == (VerifierStatus.ACTIVE, True)
    assert await log_in(client, user.email, NEW) == "LoggedIn"
    assert await Letter.all().count() == 0


async def test_second_user_is_not_the_primary_whatever_was_meant_before(client: Client, world: World) -> None:
    """U1: there is one already."""
    institution = await world.institution()
    await world.verifier(institution, is_primary=True)
    user = await invited(world, institution, is_primary=True)
    assert await named(client, await token_for(user, world)) == "PasswordSet"
    assert not (await VerifierUser.get(id=user.id)).is_primary


async def test_of_two_first_users_at_once_one_is_the_primary(client: Client, world: World, settings: Settings) -> None:
    """U1."""
    assert settings.database_url is not None
    institution = await world.institution()
    users = [await invited(world, institution) for _ in range(2)]
    tokens = [await token_for(user, world) for user in users]
    orders = [lambda token=token: named(client, token) for token in tokens]
    assert await lined_up(settings.database_url, "institution", *orders) == ["PasswordSet"] * 2
    primaries = [user.is_primary for user in await VerifierUser.filter(institution_id=institution.id)]
    assert sorted(primaries) == [False, True]


async def test_invitation_works_for_seven_days(client: Client, world: World, clock: ControlledClock) -> None:
    """U2: both sides of the edge."""
    in_time, late = await invited(world), await invited(world)
    tokens = [await token_for(user, world) for user in (in_time, late)]
    clock.forward(days=7, microseconds=-1)
    assert await named(client, tokens[0]) == "PasswordSet"
    clock.forward(microseconds=1)
    assert await named(client, tokens[1]) == "LinkNotValid"


async def test_link_works_once(client: Client, world: World, settings: Settings) -> None:
    """U2: even where it is used twice at the same moment."""
    assert settings.database_url is not None
    user = await invited(world)
    token = await token_for(user, world)
    orders = [lambda password=password: named(client, token, password) for password in (NEW, f"{NEW} 8")]
    assert await lined_up(settings.database_url, "institution", *orders) == ["PasswordSet", "LinkNotValid"]
    assert await log_in(client, user.email, NEW) == "LoggedIn"
    assert await named(client, token) == "LinkNotValid"


async def test_newer_invitation_ends_the_older_one(client: Client, world: World) -> None:
    """U2."""
    user = await invited(world)
    tokens = [await token_for(user, world) for _ in range(2)]
    assert [await named(client, token) for token in tokens] == ["LinkNotValid", "PasswordSet"]


@pytest.mark.parametrize("status", [VerifierStatus.REMOVED, VerifierStatus.DEACTIVATED])
async def test_links_of_users_who_were_removed_or_deactivated_do_nothing(
    client: Client, world: World, status: VerifierStatus
) -> None:
    """U2."""
    institution = await world.institution()
    await world.verifier(institution, is_primary=True)
    new, old = await invited(world, institution), await world.verifier(institution, is_primary=False)
    tokens = [await token_for(new, world), await reset_token_for(client, old, world)]
    removed_at = world.clock() if status is VerifierStatus.REMOVED else None
    await VerifierUser.filter(id__in=[new.id, old.id]).update(status=status, removed_at=removed_at)
    assert [await named(client, token) for token in tokens] == ["LinkNotValid"] * 2
    assert [user.password_hash for user in await VerifierUser.filter(id=new.id)] == [None]


async def test_links_rest_while_the_institution_is_suspended(client: Client, world: World) -> None:
    """O3: and work again afterwards, if there is time left."""
    institution = await world.institution()
    user = await invited(world, institution)
    token = await token_for(user, world)
    await world.suspend(institution)
    assert await named(client, token) == "LinkNotValid"
    await Institution.filter(id=institution.id).update(status="APPROVED", suspended_at=None)
    assert await named(client, token) == "PasswordSet"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_text_is_refused_clearly(client: Client, world: World, text: str) -> None:
    """A5: in every field of both orders."""
    good = {"token": await token_for(await invited(world), world), "password": NEW, "passwordAgain": NEW}
    orders = [("setPassword", good | {field: text}) for field in good]
    for mutation, given in [*orders, ("requestVerifierPasswordReset", {"email": text})]:
        name = mutation[0].upper() + mutation[1:]
        query = f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename }} }}"
        answer = (await client.send({"query": query, "variables": {"input": given}})).json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
        told = {"LinkNotValid", "InvalidInput", "PasswordResetRequested"}
        assert codes or answer["data"][mutation]["__typename"] in told


async def test_each_broken_rule_of_the_password_is_told_and_the_link_stays(client: Client, world: World) -> None:
    """A2: names of the user and of the institution included."""
    institution = await world.institution("Minato 22 University", department="Law 33 School")
    user = await invited(world, institution, name="Rin 44 Sato", email="rin44@office.example")
    token = await token_for(user, world)
    tried = {
        "short1": 2,  # length, digits
        "minato 22 university": 1,
        "Law33School": 1,
        "Rin 44 Sato": 1,
        user.email.upper(): 1,
    }
    for password, faults in tried.items():
        answer = await set_password(client, token, password)
        assert [problem["path"] for problem in answer["problems"]] == ["password"] * faults, (password, answer)
        assert (await VerifierUser.get(id=user.id)).status is VerifierStatus.INVITED
    differs = await set_password(client, token, NEW, "another 77")
    assert [problem["path"] for problem in differs["problems"]] == ["passwordAgain"]


# ---- a forgotten one


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "a new password for your account"), ("ja", "試験結果確認サービスの")],
)
async def test_mailed_link_sets_another_password_and_ends_every_session(
    client: Client, world: World, settings: Settings, language: str, words: str
) -> None:
    """A5."""
    user = await world.verifier(language=language)
    token = await world.token(user)
    asked = await client.order("requestVerifierPasswordReset", "", email=f" {user.email.upper()} ")
    assert asked["__typename"] == "PasswordResetRequested"
    [mail] = await mails_in(settings.var / "mail", 1)
    assert mail["To"] == user.email
    assert words in text_of(mail)
    link, _, secret = link_in(mail).partition("#")
    assert link == "http://testserver/set-password"
    assert await named(client, secret) == "PasswordSet"
    assert [await log_in(client, user.email, one) for one in (PASSWORD, NEW)] == ["WrongLogin", "LoggedIn"]
    assert (await client.as_(token).ask("{ viewer { kind } }"))["viewer"]["kind"] == "ANONYMOUS"


async def test_link_for_a_forgotten_password_works_for_sixty_minutes(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """A5: both sides of the edge."""
    users = [await world.verifier() for _ in range(2)]
    tokens = [await reset_token_for(client, user, world) for user in users]
    clock.forward(minutes=60, microseconds=-1)
    assert await named(client, tokens[0]) == "PasswordSet"
    clock.forward(microseconds=1)
    assert await named(client, tokens[1]) == "LinkNotValid"


async def test_link_for_a_forgotten_password_ends_the_lock(client: Client, world: World) -> None:
    """A4, A5."""
    user = await world.verifier()
    tried = [await log_in(client, user.email, "wrong") for _ in range(4)]
    assert tried == ["WrongLogin"] * 3 + ["LoginLocked"]
    assert await named(client, await reset_token_for(client, user, world)) == "PasswordSet"
    assert await log_in(client, user.email, NEW) == "LoggedIn"


async def test_answer_and_work_are_the_same_whether_or_not_there_is_such_a_user(
    client: Client, world: World, statements: Statements
) -> None:
    """A5: one job each, of the same size; who has no log-in gets no letter."""
    institution, shut = await world.institution(), await world.institution()
    users = [
        await world.verifier(institution),
        await invited(world, institution),
        await world.verifier(institution, is_primary=False, status=VerifierStatus.DEACTIVATED),
        await world.verifier(institution, is_primary=False, status=VerifierStatus.REMOVED, removed_at=world.clock()),
        await world.verifier(shut),
    ]
    await world.suspend(shut)
    answers, sent = [], []
    for email in [*(user.email for user in users), "nobody@office.example", "no address"]:
        with statements.counted():
            answers.append(await client.order("requestVerifierPasswordReset", "", email=email))
        sent.append(len(statements))
    assert answers == [answers[0]] * 7
    assert sent == [sent[0]] * 7
    jobs = await database.rows("SELECT payload FROM pgqueuer WHERE entrypoint = :name", name=password_links.FORGOTTEN)
    assert len({len(job["payload"]) for job in jobs}) == 1
    await written(world)
    assert [letter.address for letter in await Letter.all()] == [users[0].email]


async def test_job_that_runs_twice_writes_one_letter(client: Client, world: World) -> None:
    """N4, A5: and its link stays the one that works."""
    user = await world.verifier()
    token = await reset_token_for(client, user, world)
    await written(world)
    assert (await Letter.all().count(), await VerifierLink.all().count()) == (1, 1)
    assert await named(client, token) == "PasswordSet"


async def test_no_address_is_flooded_and_no_client_asks_without_end(
    client: Client, world: World, clock: ControlledClock
) -> None:
    """A5: three mails an hour for one address; thirty questions an hour from one client."""
    user = await world.verifier()
    for _ in range(30):
        answer = await client.order("requestVerifierPasswordReset", "", email=user.email)
        assert answer["__typename"] == "PasswordResetRequested"
    answer = await client.order("requestVerifierPasswordReset", "", email=user.email)
    assert answer["__typename"] == "TooManyTries"
    known = await database.value(
        "SELECT count(*) FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE :id", id=f"%{user.id}%"
    )
    assert known == 3
    clock.forward(hours=1)
    answer = await client.order("requestVerifierPasswordReset", "", email=user.email)
    assert answer["__typename"] == "PasswordResetRequested"


async def test_password_that_is_changed_ends_open_links(client: Client, world: World) -> None:
    """A9: whoever knew the old one may have asked for a link."""
    user = await world.verifier()
    token = await reset_token_for(client, user, world)
    verifier = client.as_(await world.token(user))
    given = {"oldPassword": PASSWORD, "password": f"{NEW} 9", "passwordAgain": f"{NEW} 9"}
    assert (await verifier.order("changePassword", "", **given))["__typename"] == "PasswordChanged"
    assert await named(client, token) == "LinkNotValid"


async def test_reset_ends_sessions_and_tells_the_owner_in_one_go(client: Client, world: World) -> None:
    """A5, N1."""
    user = await world.verifier()
    await asyncio.gather(*(world.token(user) for _ in range(3)))
    assert await named(client, await reset_token_for(client, user, world)) == "PasswordSet"
    assert await Session.filter(verifier_id=user.id, ended_at=None).count() == 0
    assert await Letter.filter(kind="password_changed", verifier_id=user.id).count() == 1


async def test_old_links_are_purged(client: Client, world: World, clock: ControlledClock) -> None:
    """G2: what nobody needs is not kept; a link that may still work is."""
    user = await invited(world)
    await token_for(user, world)
    await purges.purge(clock() + timedelta(days=7))
    assert await VerifierLink.all().count() == 1
    await purges.purge(clock() + timedelta(days=31))
    assert await VerifierLink.all().count() == 0
