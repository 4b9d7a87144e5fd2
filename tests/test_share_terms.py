"""What a candidate attaches to a share and allows with it; and that a share ends on its day (S3, S4, S6, S9)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from engine import database
from models.consent import CONSENT_VERSION, consent_sentence
from models.institution import Institution
from models.journal import EventKind, JournalEvent
from models.result import Result
from models.share import Part, Share
from models.terms import LONGEST_LIFE, LONGEST_PURPOSE, LONGEST_REFERENCE, Terms
from models.viewer import Kind
from resolvers import shares
from tests.client import Client
from tests.conftest import ControlledClock
from tests.locks import holding, queued
from tests.world import World, gid

SENT = """... on ResultSent { wasAlreadySent termsDiffer share { id status purpose reference expiresAt withdrawnAt
    includes { skills photo downloads } consent { text version } result { skillScores { score } } } }
  ... on InvalidInput { problems { path message } }"""
AS_INSTITUTION = """query ($id: ID!) { share(id: $id) { purpose reference expiresAt
    includes { skills photo downloads } result { headline overallScore skillScores { score } } } }"""


@dataclass
class Desk:
    """A candidate with one result, and the office that it is for."""

    candidate: Client
    verifier: Client
    result: Result
    institution: Institution

    async def send(self, **terms: Any) -> Any:
        """The payload of sending the result on these terms."""
        wanted = {"resultId": gid(self.result), "institutionId": gid(self.institution)}
        return await self.candidate.order("sendResult", SENT, **wanted, consentVersion=CONSENT_VERSION, **terms)

    async def problems(self, **terms: Any) -> dict[str, str]:
        """What is wrong with these terms, by path."""
        refused = await self.send(**terms)
        assert refused["__typename"] == "InvalidInput", refused
        return {one["path"]: one["message"] for one in refused["problems"]}


@pytest.fixture
async def desk(client: Client, world: World) -> Desk:
    """C1 Advanced 168 with five skill scores, and Aoba Gakuin University."""
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate))
    institution = await world.institution("Aoba Gakuin University")
    verifier = client.as_(await world.token(await world.verifier(institution)))
    return Desk(client.as_(await world.token(candidate)), verifier, result, institution)


async def kinds() -> list[str]:
    """What happened so far, in order."""
    return [event.kind.value for event in await JournalEvent.all().order_by("id")]


# ---- what is kept


async def test_a_share_carries_its_terms_to_both_sides(desk: Desk, clock: ControlledClock) -> None:
    """S9."""
    until = (clock() + timedelta(days=90)).isoformat()
    terms = {"purpose": "Master's in Marine Biology", "reference": "A-2027/0042", "expiresAt": until}
    sent = await desk.send(**terms, includeSkills=False, includePhoto=False, allowDownloads=False)
    includes = {"skills": False, "photo": False, "downloads": False}
    assert {key: sent["share"][key] for key in terms} == terms
    assert sent["share"]["includes"] == includes
    assert len(sent["share"]["result"]["skillScores"]) == 5  # the candidate's own are never hidden from them
    seen = (await desk.verifier.ask(AS_INSTITUTION, id=sent["share"]["id"]))["share"]
    assert {key: seen[key] for key in terms} == terms
    assert seen["includes"] == includes
    assert seen["result"] == {"headline": "Council of Europe Level B2", "overallScore": 168, "skillScores": None}


async def test_a_share_without_terms_includes_and_allows_everything(desk: Desk) -> None:
    """S9."""
    sent = await desk.send()
    assert sent["share"]["includes"] == {"skills": True, "photo": True, "downloads": True}
    assert [sent["share"][key] for key in ("purpose", "reference", "expiresAt", "withdrawnAt")] == [None] * 4
    seen = (await desk.verifier.ask(AS_INSTITUTION, id=sent["share"]["id"]))["share"]
    assert len(seen["result"]["skillScores"]) == 5


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  Bewerbung  ", "Bewerbung"),
        ("Cafe\u0301", "Café"),
        ("が", "が"),
        ("留学のため 🎓", "留学のため 🎓"),
        ("مهاجرت می\u200cکنم", "مهاجرت می\u200cکنم"),
        ("", None),
        (" \u3000 ", None),
        (None, None),
    ],
)
async def test_texts_are_kept_in_one_form_without_blanks_around_them(
    written: str | None, kept: str | None, desk: Desk
) -> None:
    """S9: NFC; joiners that a script needs stay."""
    sent = await desk.send(purpose=written, reference=written)
    assert (sent["share"]["purpose"], sent["share"]["reference"]) == (kept, kept)


# ---- what is refused


@pytest.mark.parametrize(("path", "longest"), [("purpose", LONGEST_PURPOSE), ("reference", LONGEST_REFERENCE)])
async def test_a_text_has_a_longest_length_in_signs(path: str, longest: int, desk: Desk) -> None:
    """S9: both sides of it; counted as kept."""
    assert await desk.problems(**{path: "語" * (longest + 1)}) == {
        path: f"`{path}` may have at most {longest} characters."
    }
    assert not await Share.exists()
    decomposed = "e\u0301" * longest
    assert (await desk.send(**{path: f" {decomposed} "}))["share"][path] == "é" * longest


@pytest.mark.parametrize(
    "sign", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ud800"]
)
async def test_a_text_is_one_line_without_control_characters(sign: str, desk: Desk) -> None:
    """S9: nor with signs that turn the text behind them around."""
    told = await desk.candidate.post(
        "mutation ($input: SendResultInput!) "
        "{ sendResult(input: $input) { ... on InvalidInput { problems { path } } } }",
        input={
            "resultId": gid(desk.result), "institutionId": gid(desk.institution), "consentVersion": CONSENT_VERSION,
            "purpose": f"a{sign}b", "reference": f"b{sign}c",
        },
    )  # fmt: skip
    body = told.json()
    problems = [one["path"] for one in body["data"]["sendResult"]["problems"]] if body.get("data") else body["errors"]
    if sign == "\ud800":  # half a pair is no JSON text at all
        assert [one["extensions"]["code"] for one in problems] == ["BAD_REQUEST"]
    else:
        assert problems == ["purpose", "reference"]
    assert not await Share.exists()


async def test_the_day_lies_in_the_future_and_at_most_five_years_ahead(desk: Desk, clock: ControlledClock) -> None:
    """S9: both sides of both edges."""
    for moment, fault in (
        (clock(), "`expiresAt` must lie in the future."),
        (clock() + timedelta(microseconds=999_999), "`expiresAt` must lie in the future."),
        (clock() + LONGEST_LIFE + timedelta(seconds=1), "`expiresAt` may lie at most 5 years ahead."),
    ):
        assert await desk.problems(expiresAt=moment.isoformat()) == {"expiresAt": fault}
    for moment in (clock() + timedelta(seconds=1), clock() + LONGEST_LIFE):
        sent = await desk.send(expiresAt=moment.isoformat())
        assert sent["share"]["expiresAt"] == moment.isoformat()
        await Share.all().delete()


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2027-03-31T12:00:00"])
async def test_a_day_that_no_clock_can_reckon_with_is_refused_by_name(moment: str, desk: Desk) -> None:
    """S9: a moment without its time zone is no moment."""
    assert set(await desk.problems(expiresAt=moment)) == {"expiresAt"}
    shown = await desk.candidate.errors(
        "query ($id: ID!, $at: DateTime) { node(id: $id) { ... on Institution { consent(expiresAt: $at) { text } } } }",
        id=gid(desk.institution),
        at=moment,
    )
    assert [one["extensions"]["code"] for one in shown] == ["BAD_USER_INPUT"]


async def test_every_fault_is_told_at_once(desk: Desk, clock: ControlledClock) -> None:
    """S9."""
    wrong = {"purpose": "x" * 999, "reference": "a\nb", "expiresAt": (clock() - timedelta(days=1)).isoformat()}
    assert list(await desk.problems(**wrong)) == ["purpose", "reference", "expiresAt"]


# ---- consent

EVERY_CHOICE = list(product((True, False), repeat=3))


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_the_sentence_that_is_shown_and_kept_names_what_was_agreed(
    language: str, desk: Desk, clock: ControlledClock
) -> None:
    """S3, S9: every choice has a sentence of its own, in both languages."""
    show = """query ($id: ID!, $language: String!, $s: Boolean!, $p: Boolean!, $d: Boolean!, $at: DateTime) {
        node(id: $id) { ... on Institution { consent(language: $language, includeSkills: $s, includePhoto: $p,
            allowDownloads: $d, expiresAt: $at) { text version } } } }"""
    sentences = set()
    for skills, photo, downloads in EVERY_CHOICE:
        for until in (None, (clock() + timedelta(days=30)).isoformat()):
            chosen = {"s": skills, "p": photo, "d": downloads, "at": until}
            shown = await desk.candidate.ask(show, id=gid(desk.institution), language=language, **chosen)
            kept = await desk.send(
                consentLanguage=language,
                includeSkills=skills,
                includePhoto=photo,
                allowDownloads=downloads,
                expiresAt=until,
            )
            assert kept["share"]["consent"] == shown["node"]["consent"]
            sentences.add(kept["share"]["consent"]["text"])
            await Share.all().delete()
    assert len(sentences) == 2 * len(EVERY_CHOICE)


def test_the_sentence_says_in_words_what_is_left_out_and_until_when(clock: ControlledClock) -> None:
    """S3, S9."""
    terms = Terms(expires_at=clock(), includes_skills=False, includes_photo=False, allows_downloads=False)
    assert consent_sentence("Aoba", "en", terms) == (
        "I agree that my result, with my name and date of birth, but without my skill scores and my test-day photo, "
        "is sent to Aoba, which may see it and check that it is genuine, but not download it. "
        "From 2026-11-22 09:00:00 UTC on it is shown there no more."
    )
    assert consent_sentence("青葉", "ja", terms) == (
        "私の試験結果を、氏名および生年月日とともに（技能別スコアおよび試験当日の写真は含めずに）青葉に送信し、"
        "同機関が閲覧して真正であることを確認する（ダウンロードは除く）ことに同意します。"
        "2026-11-22 09:00:00 UTC以降は同機関に表示されません。"
    )


# ---- sent again

DIFFERENT = [
    {"purpose": "Something else"},
    {"reference": "B-1"},
    {"expiresAt": "2026-12-24T00:00:00Z"},
    {"includeSkills": False},
    {"includePhoto": False},
    {"allowDownloads": False},
]


@pytest.mark.parametrize("changed", DIFFERENT)
async def test_sent_again_on_other_terms_the_first_share_stands_and_it_is_said(
    changed: dict[str, Any], desk: Desk
) -> None:
    """S4, S9."""
    first = await desk.send(purpose="Admission", reference="A-1", expiresAt="2026-12-23T00:00:00Z")
    same = await desk.send(purpose=" Admission", reference="A-1", expiresAt="2026-12-23T01:00:00+01:00")
    again = await desk.send(
        **{"purpose": "Admission", "reference": "A-1", "expiresAt": "2026-12-23T00:00:00Z"} | changed
    )
    assert (first["wasAlreadySent"], same["wasAlreadySent"], again["wasAlreadySent"]) == (False, True, True)
    assert (first["termsDiffer"], same["termsDiffer"], again["termsDiffer"]) == (False, False, True)
    assert first["share"] == same["share"] == again["share"]
    assert await kinds() == ["SHARE_SENT"]


# ---- its day


async def test_after_its_day_a_share_is_told_to_have_expired_and_the_result_can_be_sent_anew(
    desk: Desk, clock: ControlledClock
) -> None:
    """S4, S9: to the second; the terms of the new one count."""
    first = await desk.send(expiresAt=(clock() + timedelta(minutes=20)).isoformat(), includeSkills=False)
    clock.forward(minutes=19, seconds=59)
    assert (await desk.send())["wasAlreadySent"] is True
    clock.forward(seconds=1)
    second = await desk.send()
    assert (second["wasAlreadySent"], second["termsDiffer"]) == (False, False)
    assert second["share"]["id"] != first["share"]["id"]
    assert await kinds() == ["SHARE_SENT", "SHARE_EXPIRED", "SHARE_SENT"]
    assert await shares.tell_expired(clock()) == 0
    assert await desk.verifier.ask(AS_INSTITUTION, id=first["share"]["id"]) == {"share": None}
    seen = (await desk.verifier.ask(AS_INSTITUTION, id=second["share"]["id"]))["share"]
    assert len(seen["result"]["skillScores"]) == 5


async def test_shared_with_shows_what_became_of_every_share_and_when(desk: Desk, clock: ControlledClock) -> None:
    """S6: newest first."""
    until = (clock() + timedelta(minutes=10)).isoformat()
    first = (await desk.send(expiresAt=until))["share"]["id"]
    clock.forward(minutes=10)
    second = (await desk.send())["share"]["id"]
    await desk.verifier.order("openShare", "... on ShareOpened { share { id } }", shareId=second)
    opened_at = clock().isoformat()
    clock.forward(minutes=1)
    await desk.candidate.order("withdrawShare", "", shareId=second)
    withdrawn_at = clock().isoformat()
    clock.forward(minutes=1)
    await desk.send()
    told = await desk.candidate.ask(
        "query ($id: ID!) { result(id: $id) { shares { edges { node { "
        "id status openedAt withdrawnAt expiresAt } } } } }",
        id=gid(desk.result),
    )
    nodes = [edge["node"] for edge in told["result"]["shares"]["edges"]]
    assert [tuple(node.values())[1:] for node in nodes] == [
        ("UNREAD", None, None, None),
        ("WITHDRAWN", opened_at, withdrawn_at, None),
        ("EXPIRED", None, None, until),
    ]
    assert [node["id"] for node in nodes[1:]] == [second, first]


async def expiring(world: World, count: int, minutes: int = 10) -> Institution:
    """An institution with so many shares that expire in so many minutes."""
    institution = await world.institution()
    for _ in range(count):
        await world.share(await world.result(skills={}), institution)
    expires_at = world.clock() + timedelta(minutes=minutes)
    await Share.filter(institution_id=institution.id).update(expires_at=expires_at)
    return institution


async def test_an_expired_share_is_told_of_once_and_not_before_its_moment(
    open_database: None, world: World, clock: ControlledClock
) -> None:
    """S9: both sides of it; several workers at once tell each once."""
    institution = await expiring(world, 12)
    clock.forward(minutes=9, seconds=59)
    assert await shares.tell_expired(clock()) == 0
    clock.forward(seconds=1)
    assert sum(await asyncio.gather(*(shares.tell_expired(clock()) for _ in range(6)))) == 12
    assert await shares.tell_expired(clock() + timedelta(days=1)) == 0
    told = await JournalEvent.filter(kind=EventKind.SHARE_EXPIRED, institution_id=institution.id)
    assert len({event.share_id for event in told}) == len(told) == 12
    assert {event.happened_at for event in told} == {clock()}


async def test_however_many_expire_at_one_moment_all_are_told_of(
    open_database: None, world: World, clock: ControlledClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S9: in portions, so that no transaction grows long."""
    monkeypatch.setattr(shares, "EXPIRED_AT_ONCE", 3)
    await expiring(world, 7)
    assert await shares.tell_expired(clock() + timedelta(minutes=10)) == 7


async def test_what_was_withdrawn_is_not_told_to_have_expired(
    open_database: None, world: World, clock: ControlledClock
) -> None:
    """S9, S10."""
    await expiring(world, 2)
    await Share.filter(id=(await Share.all())[0].id).update(withdrawn_at=clock())
    assert await shares.tell_expired(clock() + timedelta(minutes=10)) == 1


async def test_a_share_that_was_told_to_have_expired_is_over_for_a_clock_that_lags(
    desk: Desk, clock: ControlledClock
) -> None:
    """S9: machines' clocks differ a little; what happens in the journal is what is seen."""
    share = (await desk.send(expiresAt=(clock() + timedelta(seconds=2)).isoformat()))["share"]
    assert await shares.tell_expired(clock() + timedelta(seconds=2)) == 1
    assert await desk.verifier.ask(AS_INSTITUTION, id=share["id"]) == {"share": None}
    opened = await desk.verifier.order("openShare", "", shareId=share["id"])
    assert opened["__typename"] == "ShareNotFound"
    status = await desk.candidate.ask("query ($id: ID!) { share(id: $id) { status } }", id=share["id"])
    assert status["share"]["status"] == "EXPIRED"


async def test_many_who_send_an_expired_share_anew_at_once_make_one_and_tell_of_one(
    desk: Desk, world: World, clock: ControlledClock
) -> None:
    """S4, S9: with workers that tell of it at the same time."""
    await desk.send(expiresAt=(clock() + timedelta(minutes=1)).isoformat())
    clock.forward(minutes=1)
    payloads = await asyncio.gather(*(desk.send() for _ in range(8)), *(shares.tell_expired(clock()) for _ in range(4)))
    sent = [payload for payload in payloads if not isinstance(payload, int)]
    assert sorted(payload["wasAlreadySent"] for payload in sent) == [False] + [True] * 7
    assert len({payload["share"]["id"] for payload in sent}) == 1
    assert sorted(await kinds()) == ["SHARE_EXPIRED", "SHARE_SENT", "SHARE_SENT"]
    assert await Share.filter(expiry_told_at=None).count() == 1


async def test_who_finds_a_share_expired_that_a_worker_is_telling_of_tells_nothing(
    desk: Desk, clock: ControlledClock, database_url: str
) -> None:
    """S4, S9: the worker has marked it, and commits when the sender wants to mark it too."""
    await desk.send(expiresAt=(clock() + timedelta(minutes=1)).isoformat())
    clock.forward(minutes=1)
    share = await Share.get()

    async def tell() -> int:
        async with database.transaction():
            return await shares._tell_expired("share.id = :id", clock(), id=share.id)

    async with holding(database_url, "UPDATE share SET expiry_told_at = expires_at", commits=True):
        telling = asyncio.ensure_future(tell())
        await queued(1)
    assert await telling == 0
    assert (await desk.send())["wasAlreadySent"] is False
    assert await kinds() == ["SHARE_SENT", "SHARE_SENT"]  # the worker's event is the worker's to write


# ---- for those who make files and show photos


@pytest.mark.parametrize("part", Part)
async def test_a_part_is_allowed_as_far_as_the_live_share_goes(
    part: Part, open_database: None, world: World, clock: ControlledClock
) -> None:
    """S9: candidates and staff always, verifiers by the live share, nobody else."""
    institution, result = await world.institution(), await world.result()
    user, owner = await world.verifier(institution), await (await result.entry).candidate
    verifier = world.viewer(Kind.VERIFIER, user.id, institution_id=institution.id)
    always = [world.viewer(Kind.CANDIDATE, owner.id), world.viewer(Kind.STAFF, user.id)]

    async def allowed(viewer: Any) -> bool:
        return await Share.allows(viewer, part).get_or_none(result.id) is not None

    assert not await allowed(verifier)
    share_id = await world.share(result, institution)
    assert await allowed(verifier)
    assert not await allowed(world.viewer(Kind.VERIFIER, user.id, institution_id=(await world.institution()).id))
    await database.rows(f"UPDATE share SET {part.value} = false WHERE id = :id", id=share_id)
    assert not await allowed(verifier)
    assert [await allowed(viewer) for viewer in always] == [True, True]
    assert not await allowed(world.viewer(Kind.ANONYMOUS))
    await Share.filter(id=share_id).update(withdrawn_at=clock())
    await world.share(result, institution)
    assert await allowed(verifier)
    await Share.filter(withdrawn_at=None).update(expires_at=clock())
    assert not await allowed(verifier)
