"""One click ends the mails about new shares: of exactly one user, without a session, and never by accident (N5)."""

import io
import re
from collections.abc import Iterator
from uuid import UUID

import pytest

from engine import database, keys
from errors import Unavailable
from models.notify import Notify
from models.session import reset_token
from models.verifier import VerifierStatus, VerifierUser, unsubscribe_token
from resolvers import news
from tests.client import Client
from tests.world import World

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def address(user: VerifierUser) -> str:
    """Where the link of a mail leads."""
    return f"/unsubscribe/{unsubscribe_token(user.id)}"


async def columns(*users: VerifierUser) -> list[dict[str, object]]:
    """Everything that is stored of these users."""
    return [dict(await VerifierUser.filter(id=user.id).get().values()) for user in users]


async def test_one_click_turns_off_the_mails_of_exactly_one_user(client: Client, world: World) -> None:
    """N5, RFC 8058: nothing else of that user, and nothing of anybody else; no cookie is needed or set."""
    institution = await world.institution()
    user = await world.verifier(institution, notify=Notify.DAILY)
    others = [await world.verifier(institution, notify=Notify.DAILY), await world.verifier(notify=Notify.AT_ONCE)]
    before, of_others = (await columns(user))[0], await columns(*others)
    response = await client.http.post(address(user), data=ONE_CLICK)
    assert response.status_code == 200
    assert "set-cookie" not in response.headers
    assert await columns(user) == [before | {"notify": Notify.OFF, "news_due_at": None}]
    assert await columns(*others) == of_others


@pytest.mark.parametrize("notify", [Notify.OFF, Notify.AT_ONCE])
async def test_clicking_again_changes_nothing_more(client: Client, world: World, notify: Notify) -> None:
    """N5: mail programs may send it more than once; and every mail's link is the same."""
    user = await world.verifier(notify=notify)
    answers = [await client.http.post(address(user), data=ONE_CLICK) for _ in range(3)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert (await VerifierUser.get(id=user.id)).notify is Notify.OFF


async def test_link_works_after_the_mails_were_turned_on_again(client: Client, world: World) -> None:
    user = await world.verifier(notify=Notify.WEEKLY)
    await client.http.post(address(user))
    await VerifierUser.filter(id=user.id).update(notify=Notify.DAILY)
    await client.http.post(address(user))
    assert (await VerifierUser.get(id=user.id)).notify is Notify.OFF


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_opening_the_link_changes_nothing(client: Client, world: World, method: str) -> None:
    """N5: programs that look for harm in mails open every link."""
    user = await world.verifier(notify=Notify.DAILY)
    before = await columns(user)
    response = await client.http.request(method, address(user))
    assert response.status_code == 200
    assert await columns(user) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(client: Client, world: World, method: str) -> None:
    user = await world.verifier(notify=Notify.DAILY)
    assert (await client.http.request(method, address(user))).status_code == 405
    assert (await VerifierUser.get(id=user.id)).notify is Notify.DAILY


async def test_link_shows_a_page_with_one_button_that_stops_the_mails(client: Client, world: World) -> None:
    """N5, A12: in English and Japanese; nothing from elsewhere, nothing inline, and it works without any script."""
    user = await world.verifier(notify=Notify.DAILY)
    page = await client.http.get(address(user))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Stop these mails" in page.text
    assert "停止する" in page.text
    assert re.findall(r"<form[^>]*>", page.text) == ['<form method="post">']
    assert page.text.count("<button") == 1
    assert not re.search(r"<script|<input|\son\w+=|\sstyle=", page.text)
    policy = page.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy  # no other site can lay it under somebody's mouse
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await client.http.get(path)).status_code == 200
    done = await client.http.post(address(user), headers={"origin": "http://testserver"})
    assert (done.status_code, done.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "通知メールを停止しました" in done.text


def mangled(user: VerifierUser) -> Iterator[str]:
    """Tokens that are not quite right, or are for something else."""
    token = unsubscribe_token(user.id)
    yield from ("", "x", "%", "%00", "%F0%A0%AE%B7", "a" * 5000, token[:-1], token[1:], token.lower())
    yield from (f"{token}=", f"{token}A", f"{token}/", f" {token}", f"{token}?".replace("?", "%3F"))
    yield token[:30] + ("A" if token[30] != "A" else "B") + token[31:]
    yield str(user.id)
    yield reset_token(user.id)  # made by us, for another purpose
    yield keys.sealed_id("unsubscribe ", user.id)


async def test_mangled_token_leads_to_a_page_that_says_what_to_do(client: Client, world: World) -> None:
    """N5, G3: on opening and on clicking; nothing changes."""
    user = await world.verifier(notify=Notify.DAILY)
    nobody = keys.sealed_id("unsubscribe", UUID(int=0))
    for token in mangled(user):
        for answer in (await client.http.get(f"/unsubscribe/{token}"), await client.http.post(f"/unsubscribe/{token}")):
            assert answer.status_code == 404, token
            assert "Nothing was changed" in answer.text, token
            assert "変更されていません" in answer.text
    assert (await client.http.post(f"/unsubscribe/{nobody}")).status_code == 404
    assert (await VerifierUser.get(id=user.id)).notify is Notify.DAILY


async def test_link_of_a_removed_user_tells_nothing_about_the_account(client: Client, world: World) -> None:
    """N5, U2: it is answered as every other; no mail will come."""
    user = await world.verifier(notify=Notify.DAILY, status=VerifierStatus.REMOVED)
    other = await world.verifier(notify=Notify.DAILY)
    for method in ("GET", "POST"):
        answers = [await client.http.request(method, address(one)) for one in (user, other)]
        assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert (await VerifierUser.get(id=user.id)).notify is Notify.OFF


@pytest.mark.parametrize(("size", "status", "notify"), [(16384, 200, Notify.OFF), (16385, 413, Notify.DAILY)])
async def test_body_has_a_limit(client: Client, world: World, size: int, status: int, notify: Notify) -> None:
    """What it says does not matter; mail programs send 26 bytes."""
    user = await world.verifier(notify=Notify.DAILY)
    assert (await client.http.post(address(user), content=b"x" * size)).status_code == status
    assert (await VerifierUser.get(id=user.id)).notify is notify


async def test_nobody_is_told_that_mails_are_stopped_when_they_are_not(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N5: while the database is away, it says so, and to try again."""
    user = await world.verifier(notify=Notify.DAILY)

    async def away(_: str, **__: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(database, "rows", away)
        answer = await client.http.post(address(user), data=ONE_CLICK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "try again" in answer.text
    assert (await VerifierUser.get(id=user.id)).notify is Notify.DAILY


@pytest.mark.parametrize("logged", ["json", "text"], indirect=True)
async def test_token_is_in_no_log(client: Client, world: World, logged: io.StringIO) -> None:
    """G3: right or mangled, the log has the route alone."""
    user = await world.verifier(notify=Notify.DAILY)
    token = unsubscribe_token(user.id)
    paths = [f"/unsubscribe/{token}", f"//unsubscribe/{token}", f"/Unsubscribe/{token}", f"/unsubscribe%2F{token}"]
    for path in [*paths, f"/unsubscribe/{token}/x", f"/x/unsubscribe/{token}", f"/unsubscribe{token}"]:
        await client.http.get(f"http://testserver{path}")
        await client.http.post(f"http://testserver{path}")
    text = logged.getvalue()
    assert text.count("/unsubscribe/...") >= 4
    assert text.count("milliseconds") == 14
    for part in (token, token[-16:]):
        assert part not in text


async def test_stopping_goes_without_a_viewer(client: Client, world: World) -> None:
    """The token is all that counts: a session of somebody else, sent along, is not asked."""
    user, other = await world.verifier(notify=Notify.DAILY), await world.verifier(notify=Notify.DAILY)
    cookie = {"cookie": f"seiseki={await world.token(other)}", "origin": "https://elsewhere.example"}
    await client.http.post(address(user), data=ONE_CLICK, headers=cookie)
    assert [(await VerifierUser.get(id=one.id)).notify for one in (user, other)] == [Notify.OFF, Notify.DAILY]


def test_token_stands_for_one_user_and_one_purpose() -> None:
    """G3: it is made of the id and the service's key, stored nowhere, and the same in every mail."""
    keys.use(b"k" * 32)
    token = unsubscribe_token(UUID(int=7))
    assert token == unsubscribe_token(UUID(int=7)) != unsubscribe_token(UUID(int=8))
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", token)
    assert news.can_stop(token)
    keys.use(b"q" * 32)
    assert not news.can_stop(token)
    keys.use(b"k" * 32)
