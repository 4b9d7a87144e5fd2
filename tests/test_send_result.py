"""Sending a result to an institution (S3-S5, S8)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.candidate import Candidate
from models.consent import CONSENT_VERSION
from models.institution import Institution, InstitutionStatus
from models.journal import EventKind, JournalEvent
from models.result import Outcome, Result
from models.share import Share
from schema.ids import global_id
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock, client_of, running
from tests.world import World, gid

SENT = """... on ResultSent { wasAlreadySent share {
    id status sentAt openedAt result { id } candidate { id } institution { id }
    consent { text version language institutionName givenAt } } }
  ... on ResultNotSendable { status } ... on ConsentOutdated { currentVersion }"""
NO_AWARD = dict.fromkeys(("headline", "cefr", "overall_score"))


class Sender:
    """A candidate with one result, and an institution to send it to."""

    def __init__(self, client: Client, candidate: Candidate, result: Result, institution: Institution) -> None:
        self.client = client
        self.candidate = candidate
        self.result = result
        self.institution = institution

    async def send(self, **changed: Any) -> Any:
        """The payload of sending the result, or of sending with some of the input changed."""
        wanted = {
            "resultId": gid(self.result),
            "institutionId": gid(self.institution),
            "consentVersion": CONSENT_VERSION,
        }
        return await self.client.order("sendResult", SENT, **wanted | changed)


@pytest.fixture
async def sender(client: Client, world: World) -> Sender:
    """A candidate who is logged in, with C1 Advanced 168, and Aoba Gakuin University."""
    return await sender_with(client, world)


async def sender_with(client: Client, world: World) -> Sender:
    """The same over a client of one's own."""
    candidate = await world.candidate()
    result = await world.result(await world.entry(candidate))
    institution = await world.institution("Aoba Gakuin University", department="Faculty of Letters")
    return Sender(client.as_(await world.token(candidate)), candidate, result, institution)


async def nothing_was_sent() -> bool:
    """Whether there is neither a share nor an event."""
    return await Share.all().count() == 0 and await JournalEvent.all().count() == 0


async def test_sending_a_result_makes_an_unread_share(sender: Sender, clock: ControlledClock) -> None:
    """S3, S5."""
    payload = await sender.send()
    assert payload["wasAlreadySent"] is False
    share = payload["share"]
    assert (share["status"], share["sentAt"], share["openedAt"]) == ("UNREAD", clock().isoformat(), None)
    assert [share[edge]["id"] for edge in ("result", "candidate", "institution")] == [
        gid(sender.result),
        gid(sender.candidate),
        gid(sender.institution),
    ]


async def test_sending_writes_one_event_for_the_institution(sender: Sender, clock: ControlledClock) -> None:
    """S5, N6."""
    await sender.send()
    event, share = await JournalEvent.get(), await Share.get()
    assert (event.kind, event.institution_id, event.share_id) == (
        EventKind.SHARE_SENT,
        sender.institution.id,
        share.id,
    )
    assert (event.result_id, event.happened_at) == (sender.result.id, clock())


# ---- consent


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "I agree that my result, with my name, date of birth, skill scores and test-day photo (where there is "
               "one), is sent to {name}, which may keep it and check that it is genuine."),
        ("ja", "私の試験結果を、氏名、生年月日、技能別スコアおよび試験当日の写真（ある場合）とともに{name}に送信し、"
               "同機関が保管して真正であることを確認することに同意します。"),
    ],
)  # fmt: skip
async def test_a_share_keeps_the_consent_as_shown_even_when_the_institution_is_renamed(
    language: str, sentence: str, sender: Sender, clock: ControlledClock
) -> None:
    """S3: text, version, language, time, and the name as shown."""
    payload = await sender.send(consentLanguage=language)
    given_at = clock().isoformat()
    await Institution.filter(id=sender.institution.id).update(name="Aoba University", department=None)
    clock.forward(minutes=10)
    read = "query ($id: ID!) { share(id: $id) { consent { text version language institutionName givenAt }"
    share = (await sender.client.ask(read + " institution { shownAs } } }", id=payload["share"]["id"]))["share"]
    name = "Aoba Gakuin University, Faculty of Letters"
    assert share["consent"] == {
        "text": sentence.format(name=name),
        "version": CONSENT_VERSION,
        "language": language,
        "institutionName": name,
        "givenAt": given_at,
    }
    assert share["institution"]["shownAs"] == "Aoba University"
    again = await sender.send(consentLanguage="ja" if language == "en" else "en")
    assert again["share"]["consent"] == share["consent"]


async def test_the_consent_that_is_kept_is_the_one_that_was_shown(sender: Sender) -> None:
    """S3: what `institution.consent` shows before is what the share holds afterwards."""
    ask = """query ($id: ID!) { node(id: $id) { ... on Institution { consent(language: "ja") {
             text version language } } } }"""
    shown = (await sender.client.ask(ask, id=gid(sender.institution)))["node"]["consent"]
    sent = await sender.send(consentVersion=shown["version"], consentLanguage=shown["language"])
    assert shown == {key: sent["share"]["consent"][key] for key in shown}


@pytest.mark.parametrize("version", ["2026-11", "", f"{CONSENT_VERSION} "])
async def test_consent_to_another_sentence_is_refused_and_the_current_version_told(
    version: str, sender: Sender
) -> None:
    """S3."""
    refused = await sender.send(consentVersion=version)
    assert (refused["__typename"], refused["currentVersion"]) == ("ConsentOutdated", CONSENT_VERSION)
    assert await nothing_was_sent()


async def test_there_is_no_consent_in_a_third_language(sender: Sender) -> None:
    """S3."""
    wanted = {
        "resultId": gid(sender.result),
        "institutionId": gid(sender.institution),
        "consentVersion": CONSENT_VERSION,
    }
    query = "mutation ($input: SendResultInput!) { sendResult(input: $input) { __typename } }"
    errors = await sender.client.errors(query, input=wanted | {"consentLanguage": "fr"})
    assert [one["extensions"]["code"] for one in errors] == ["BAD_USER_INPUT"]
    assert await nothing_was_sent()


# ---- once


async def test_sending_twice_returns_the_first_share(sender: Sender, clock: ControlledClock) -> None:
    """S4."""
    first = await sender.send()
    clock.forward(minutes=1)
    second = await sender.send()
    assert (first["wasAlreadySent"], second["wasAlreadySent"]) == (False, True)
    assert first["share"] == second["share"]
    assert await JournalEvent.all().count() == 1


async def test_two_hundred_double_clicks_make_one_share_and_one_event(
    settings: Settings, clock: ControlledClock, clean: None, world: World
) -> None:
    """S4: all of them get it, and exactly one is told that it is new."""
    patient = replace(settings, operations_per_viewer=200)
    async with running(patient, clock) as app, client_of(app) as client:
        sender = await sender_with(client, world)
        payloads = await asyncio.gather(*(sender.send() for _ in range(200)))
        await check_sent_once(payloads)


async def check_sent_once(payloads: list[Any]) -> None:
    """However often it was sent, there is one share and one event, and one answer says that it is new."""
    assert await Share.all().count() == 1
    assert await JournalEvent.all().count() == 1
    assert sorted(payload["wasAlreadySent"] for payload in payloads) == [False] + [True] * (len(payloads) - 1)
    assert all(payload["share"] == payloads[0]["share"] for payload in payloads)


async def test_another_institution_or_another_result_is_another_share(sender: Sender, world: World) -> None:
    """S4: a department is an institution of its own (S2)."""
    second = await world.result(await world.entry(sender.candidate))
    main = await world.institution("Aoba Gakuin University")
    payloads = [
        await sender.send(),
        await sender.send(resultId=gid(second)),
        await sender.send(institutionId=gid(main)),
    ]
    assert [payload["wasAlreadySent"] for payload in payloads] == [False, False, False]
    assert len({payload["share"]["id"] for payload in payloads}) == 3


async def test_what_was_read_is_not_unread_again_by_sending_again(sender: Sender, clock: ControlledClock) -> None:
    """S4, S6."""
    await sender.send()
    await Share.all().update(is_read=True, opened_at=clock())
    payload = await sender.send()
    assert (payload["wasAlreadySent"], payload["share"]["status"]) == (True, "READ")


async def test_after_withdrawing_the_result_can_be_sent_anew(sender: Sender, clock: ControlledClock) -> None:
    """S4, S10."""
    first = await sender.send()
    await Share.all().update(withdrawn_at=clock())
    second = await sender.send()
    assert second["wasAlreadySent"] is False
    assert second["share"]["status"] == "UNREAD"
    assert first["share"]["id"] != second["share"]["id"]


# ---- which results


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"outcome": Outcome.PENDING, **NO_AWARD}, "PENDING"),
        ({"outcome": Outcome.WITHHELD, **NO_AWARD}, "WITHHELD"),
    ],
)
async def test_a_result_that_is_not_decided_or_withheld_cannot_be_sent(
    facts: dict[str, Any], status: str, sender: Sender
) -> None:
    """S8."""
    await Result.filter(id=sender.result.id).update(**facts)
    refused = await sender.send()
    assert (refused["__typename"], refused["status"]) == ("ResultNotSendable", status)
    assert await nothing_was_sent()


@pytest.mark.parametrize(("moment", "status"), [("revoked_at", "REVOKED"), ("withheld_at", "WITHHELD")])
async def test_what_was_withheld_or_revoked_is_not_sent_by_a_request_that_began_before(
    sender: Sender, clock: ControlledClock, moment: str, status: str
) -> None:
    """S8: a request may have waited for the very order that revokes the result."""
    for later in (timedelta(0), timedelta(seconds=1)):
        await Result.filter(id=sender.result.id).update(**{moment: clock() + later})
        refused = await sender.send()
        assert (refused["__typename"], refused["status"]) == ("ResultNotSendable", status)
    assert await nothing_was_sent()
    await Result.filter(id=sender.result.id).update(**{moment: None})
    assert (await sender.send())["__typename"] == "ResultSent"


async def test_a_result_can_be_sent_from_the_moment_of_its_release(sender: Sender, clock: ControlledClock) -> None:
    """S8, R3: before it, the answer is that there is no such result."""
    await Result.filter(id=sender.result.id).update(released_at=clock() + timedelta(seconds=1))
    assert (await sender.send())["__typename"] == "ResultNotFound"
    assert await nothing_was_sent()
    clock.forward(seconds=1)
    assert (await sender.send())["__typename"] == "ResultSent"


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.ABSENT_FROM_PART, Outcome.ABSENT_FROM_ALL])
async def test_a_released_result_without_a_grade_can_be_sent(outcome: Outcome, sender: Sender) -> None:
    """S8: what it is worth is for its candidate to judge."""
    award = {"headline": "Fail", "cefr": None} if outcome is Outcome.FAIL else NO_AWARD
    await Result.filter(id=sender.result.id).update(outcome=outcome, **award)
    assert (await sender.send())["__typename"] == "ResultSent"


# ---- whose, and where to


async def test_only_ones_own_results_can_be_sent(sender: Sender, world: World) -> None:
    """S8: somebody else's answers as one that does not exist."""
    refused = await sender.send(resultId=gid(await world.result()))
    unknown = await sender.send(resultId=global_id("Result", uuid4()))
    assert refused == unknown
    assert refused["__typename"] == "ResultNotFound"
    assert await nothing_was_sent()


async def test_results_are_sent_to_approved_institutions_only(
    sender: Sender, world: World, clock: ControlledClock
) -> None:
    """S1, O3: every other state answers as an institution that does not exist."""
    unknown = await sender.send(institutionId=global_id("Institution", uuid4()))
    assert unknown["__typename"] == "InstitutionNotFound"
    kept = await world.institution()
    for status in InstitutionStatus:
        facts = {
            "suspended_at": clock() if status is InstitutionStatus.SUSPENDED else None,
            "merged_into_id": kept.id if status is InstitutionStatus.MERGED else None,
        }
        await Institution.filter(id=sender.institution.id).update(status=status, **facts)
        payload = await sender.send()
        if status is InstitutionStatus.APPROVED:
            assert payload["__typename"] == "ResultSent"
            await Share.all().delete()
            await JournalEvent.all().delete()
        else:
            assert payload == unknown, status
            assert await nothing_was_sent()


async def test_a_suspended_institution_receives_nothing_more_from_those_who_sent_before(
    sender: Sender, world: World
) -> None:
    """O3: they go on seeing the institution that they have sent to."""
    await sender.send()
    await world.suspend(sender.institution)
    assert (await sender.send())["__typename"] == "InstitutionNotFound"
    another = await world.result(await world.entry(sender.candidate))
    assert (await sender.send(resultId=gid(another)))["__typename"] == "InstitutionNotFound"
    assert await Share.all().count() == 1


MALFORMED = ["", "x", "Result", "😀", "UmVzdWx0Og==", "UmVzdWx0Oic7LS0=", "0" * 1000]


async def test_ids_that_this_service_did_not_make_name_nothing(sender: Sender) -> None:
    """S8."""
    for id in [*MALFORMED, gid(sender.institution), gid(sender.candidate)]:
        assert (await sender.send(resultId=id))["__typename"] == "ResultNotFound", id
    for id in [*MALFORMED, gid(sender.result), gid(sender.candidate)]:
        assert (await sender.send(institutionId=id))["__typename"] == "InstitutionNotFound", id
    assert await nothing_was_sent()


async def test_only_candidates_send(sender: Sender, world: World) -> None:
    """S8."""
    for who in (await world.verifier(sender.institution), await world.staff()):
        sender.client = sender.client.as_(await world.token(who))
        assert (await sender.send())["__typename"] == "NotAllowed"
    for token in (None, "x", "0" * 43):
        sender.client = sender.client.as_(token)
        assert (await sender.send())["__typename"] == "NotLoggedIn"
    assert await nothing_was_sent()


async def test_a_session_that_has_ended_sends_nothing(sender: Sender, clock: ControlledClock) -> None:
    """A10, S8."""
    clock.forward(minutes=31)
    assert (await sender.send())["__typename"] == "NotLoggedIn"
    assert await nothing_was_sent()
