"""One account, many exams: a candidate claims further entries (A11), and all its ID Numbers lock as one (A4)."""

import asyncio
from datetime import date
from typing import Any

import pytest
from starlette.applications import Starlette

from engine import database
from models.candidate import Candidate
from models.entry import Entry
from models.letter import Letter
from resolvers import candidates, claims
from resolvers.sessions import forget_wrong_passwords
from tests.client import Client
from tests.conftest import ControlledClock
from tests.rows import candidate_row, enter
from tests.test_register import form
from tests.world import PASSWORD, SECRET, World, gid

BORN = date(2001, 2, 3)
WRONG = "wrong guess 99"
ADDED = """... on EntryAdded { wasAlreadyClaimed entry { idNumber claimedAt } }
           ... on RegistrationLocked { lockedUntil }"""


class Account:
    """A registered candidate with one entry, and a further entry that waits for them."""

    def __init__(self, world: World, client: Client, first: Entry, further: Entry, candidate: Candidate) -> None:
        self.world, self.client = world, client
        self.first, self.further, self.candidate = first, further, candidate

    async def claim(self, secret: str = SECRET, number: str | None = None) -> Any:
        input = {"idNumber": number or self.further.id_number, "secretNumber": secret}
        return await self.client.order("claimEntry", ADDED, **input)


async def an_account(world: World, client: Client, **further: Any) -> Account:
    candidate = await world.candidate(family_name="Tanaka")
    first = await world.entry(candidate)
    facts: dict[str, Any] = {"family_name": "TANAKA", "date_of_birth": BORN} | further
    other = await world.candidate(registered=False, **facts)
    entry = await world.entry(other, exam_date=date(2026, 10, 3))
    return Account(world, client.as_(await world.token(candidate)), first, entry, candidate)


@pytest.fixture
async def account(app: Starlette, world: World, client: Client) -> Account:
    return await an_account(world, client)


async def test_a_further_entry_is_claimed_by_its_numbers(account: Account) -> None:
    """A11: its results are the account's, and the account keeps its own spelling of the names."""
    await account.world.result(account.further)
    added = await account.claim()
    assert added["entry"]["idNumber"] == account.further.id_number
    assert added["entry"]["claimedAt"] is not None
    assert added["wasAlreadyClaimed"] is False
    me = (await account.client.ask("{ me { familyName entries { idNumber } results { statementNumber } } }"))["me"]
    assert {entry["idNumber"] for entry in me["entries"]} == {account.first.id_number, account.further.id_number}
    assert len(me["results"]) == 1
    assert me["familyName"] == "Tanaka"


async def test_then_any_of_the_id_numbers_logs_in_and_resets(account: Account) -> None:
    """A11"""
    await account.claim()
    for entry in (account.first, account.further):
        session = await account.client.as_(None).log_in(entry.id_number, PASSWORD)
        assert (await session.ask("{ me { id } }"))["me"]["id"] == gid(account.candidate)
        await account.client.as_(None).order(
            "requestPasswordReset", "... on PasswordResetRequested { message }", idNumber=entry.id_number
        )
    assert await Letter.filter(kind="password_reset", candidate_id=account.candidate.id).count() == 2


async def test_the_candidate_it_was_entered_for_is_merged_into_the_account(account: Account) -> None:
    """A11: with the last entry gone, whose row it was is known."""
    former = account.further.candidate_id
    await account.claim()
    assert (await Candidate.get(id=former)).merged_into_id == account.candidate.id
    assert await Entry.filter(candidate_id=former).count() == 0


async def test_a_candidate_who_has_other_entries_is_not_merged(account: Account) -> None:
    """A11"""
    former = account.further.candidate_id
    await account.world.entry(await Candidate.get(id=former))
    await account.claim()
    assert (await Candidate.get(id=former)).merged_into_id is None


async def test_a_further_entry_of_the_same_candidate_is_claimed_too(account: Account) -> None:
    """A11: a centre may have entered one candidate twice."""
    entry = await account.world.entry(account.candidate, claimed_at=None)
    assert (await account.claim(number=entry.id_number))["wasAlreadyClaimed"] is False
    assert (await Candidate.get(id=account.candidate.id)).merged_into_id is None


async def test_claiming_twice_tells_so_and_changes_nothing(account: Account, clock: ControlledClock) -> None:
    """A11: a lost answer may be asked for again."""
    first = await account.claim()
    clock.forward(minutes=1)
    again = await account.claim()
    assert again["wasAlreadyClaimed"] is True
    assert again["entry"] == first["entry"]


async def test_its_centre_can_send_the_same_row_once_more_after_it_was_claimed(account: Account) -> None:
    """R1, A11: the account spells the name in its own way; a row that says neither is still told."""
    facts = {"examDate": "2026-10-03", "candidateNumber": account.further.candidate_number, "resultsBy": "2026-11-01"}
    row = candidate_row() | facts | {"familyName": "TANAKA", "nativeName": "田中 葵"}
    before = await enter(account.world, [row])
    await account.claim()
    again, in_its_way, in_no_way = [
        await enter(account.world, [row | {"familyName": name}]) for name in ("TANAKA", "Tanaka", "Nakata")
    ]
    assert (before.there, again.there, in_its_way.there, in_no_way.there) == (1, 1, 1, 0)
    assert in_no_way.columns == [(2, "familyName")]


async def test_of_two_claims_at_once_one_is_the_first(account: Account) -> None:
    """A11"""
    both = await asyncio.gather(account.claim(), account.claim())
    assert sorted(one["wasAlreadyClaimed"] for one in both) == [False, True]


async def test_another_date_of_birth_is_refused_without_telling_it(
    app: Starlette, world: World, client: Client
) -> None:
    """A11"""
    account = await an_account(world, client, date_of_birth=date(2001, 2, 4))
    refused = await account.claim()
    assert refused["__typename"] == "DateOfBirthDiffers"
    assert "2001" not in refused["message"]
    assert (await Entry.get(id=account.further.id)).claimed_at is None


async def test_another_date_of_birth_counts_as_a_wrong_try(app: Starlette, world: World, client: Client) -> None:
    """A8: else whoever knows the numbers could try accounts until one fits."""
    account = await an_account(world, client, date_of_birth=date(2001, 2, 4))
    told = [(await account.claim())["__typename"] for _ in range(4)]
    assert told == ["DateOfBirthDiffers"] * 3 + ["RegistrationLocked"]


async def test_wrong_secret_numbers_lock_as_in_registering_and_together_with_it(account: Account) -> None:
    """A8: two doors, one count."""
    for _ in range(2):
        assert (await account.claim("9999"))["__typename"] == "WrongNumbers"
    wrong = form(account.further.id_number, "9999")
    refused = await account.client.as_(None).order("register", "", **wrong)
    assert refused["__typename"] == "RegistrationLocked"
    assert (await account.claim())["__typename"] == "RegistrationLocked"


async def test_a_right_claim_takes_back_the_wrong_tries_in_a_row(account: Account) -> None:
    """A8"""
    await account.claim("9999")
    await account.claim()
    assert await database.value("SELECT max(in_a_row) FROM wrong_tries WHERE kind = 'secret number'") == 0


async def test_an_entry_of_another_account_is_refused_with_words_what_to_do(account: Account) -> None:
    """A11, A6: only after its Secret Number was right."""
    other = await account.world.entry()
    assert (await account.claim("9999", other.id_number))["__typename"] == "WrongNumbers"
    refused = await account.claim(number=other.id_number)
    assert refused["__typename"] == "ClaimedElsewhere"
    assert "Log in there" in refused["message"]
    assert (await Entry.get(id=other.id)).candidate_id == other.candidate_id


async def test_an_entry_that_only_another_account_can_claim_stays_there(account: Account) -> None:
    """A11: entered for somebody who has an account by another entry."""
    other = await account.world.candidate()
    await account.world.entry(other)
    unclaimed = await account.world.entry(other, claimed_at=None)
    assert (await account.claim(number=unclaimed.id_number))["__typename"] == "ClaimedElsewhere"
    assert (await Entry.get(id=unclaimed.id)).candidate_id == other.id


@pytest.mark.parametrize(("number", "secret", "path"), [("AB12", SECRET, "idNumber"), (None, "12a4", "secretNumber")])
async def test_a_bad_form_is_no_try(account: Account, number: str | None, secret: str, path: str) -> None:
    """A8"""
    refused = await account.client.order(
        "claimEntry", "... on InvalidInput { problems { path } }",
        idNumber=number or account.further.id_number, secretNumber=secret,
    )  # fmt: skip
    assert [problem["path"] for problem in refused["problems"]] == [path]
    assert await database.value("SELECT count(*) FROM wrong_tries") == 0


async def test_only_candidates_claim(account: Account) -> None:
    """A11"""
    user = await account.world.token(await account.world.verifier())
    account.client = account.client.as_(user)
    assert (await account.claim())["__typename"] == "NotAllowed"
    account.client = account.client.as_(None)
    assert (await account.claim())["__typename"] == "NotLoggedIn"


async def test_a_claim_stands_in_the_trail(account: Account) -> None:
    """G1"""
    await account.claim()
    entry = await database.row("SELECT act, candidates FROM trail ORDER BY id DESC LIMIT 1")
    assert entry is not None
    assert entry["act"] == "CHANGED"
    assert set(entry["candidates"]) == {account.candidate.id, account.further.candidate_id}


async def test_registering_and_claiming_one_entry_at_once_gives_it_to_one(account: Account) -> None:
    """A6, A11"""
    wanted = form(account.further.id_number)
    registered, claimed = await asyncio.gather(
        account.client.as_(None).order("register", "", **wanted), account.claim()
    )
    outcomes = {registered["__typename"], claimed["__typename"]}
    assert outcomes in ({"LoggedIn", "ClaimedElsewhere"}, {"AlreadyRegistered", "EntryAdded"})


async def test_numbers_issued_anew_while_they_are_compared_do_not_claim(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: the old Secret Number stops working at once."""
    compared = candidates.entry_with_secret

    async def then_reissued(*values: Any) -> Any:
        entry = await compared(*values)
        await database.rows("UPDATE entry SET secret_hash = sha256(secret_hash) WHERE id = :id", id=entry["id"])
        return entry

    monkeypatch.setattr(claims, "entry_with_secret", then_reissued)
    assert (await account.claim())["__typename"] == "WrongNumbers"


# ---- guesses over several ID Numbers


async def wrong_log_in(client: Client, entry: Entry, password: str = WRONG) -> str:
    payload = await client.as_(None).order("logIn", "", idNumber=entry.id_number, password=password)
    return str(payload["__typename"])


async def test_several_numbers_give_no_more_guesses_than_one(account: Account, clock: ControlledClock) -> None:
    """A4: four wrong passwords in all stop every number of the account for 30 minutes, for right ones too."""
    await account.claim()
    guesses = [account.first, account.further, account.first, account.further]
    assert [await wrong_log_in(account.client, entry) for entry in guesses] == ["WrongLogin"] * 4
    for entry in (account.first, account.further):
        assert await wrong_log_in(account.client, entry, PASSWORD) == "WrongLogin"
    clock.forward(minutes=30)
    assert await wrong_log_in(account.client, account.further, PASSWORD) == "LoggedIn"


async def test_a_locked_number_tells_nothing_of_the_others(account: Account) -> None:
    """A4: the other number answers as one does that nobody has."""
    await account.claim()
    for _ in range(4):
        await wrong_log_in(account.client, account.first)
    unknown = await account.world.entry(await account.world.candidate(registered=False))
    answers = [[await wrong_log_in(account.client, entry) for _ in range(4)] for entry in (account.further, unknown)]
    assert answers[0] == answers[1] == ["WrongLogin"] * 3 + ["LoginLocked"]


async def test_the_owner_is_told_of_a_lock_over_several_numbers(account: Account) -> None:
    """N1, A4: nobody else is."""
    await account.claim()
    for entry in (account.first, account.further, account.first, account.further):
        await wrong_log_in(account.client, entry)
    jobs = await database.rows("SELECT payload FROM pgqueuer WHERE entrypoint = 'login locked'")
    assert len(jobs) == 1
    assert str(account.candidate.id).encode() in jobs[0]["payload"]


async def test_what_a_reset_by_mail_forgets_opens_all_numbers(account: Account) -> None:
    """A5"""
    await account.claim()
    for entry in (account.first, account.further, account.first, account.further):
        await wrong_log_in(account.client, entry)
    await forget_wrong_passwords(account.candidate.id)
    assert await wrong_log_in(account.client, account.further, PASSWORD) == "LoggedIn"
