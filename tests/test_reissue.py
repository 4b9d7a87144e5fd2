"""New Confirmations of Entry for those who lost theirs (A7, A8)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from errors import EntryClaimed, EntryNotFound, WrongNumbers
from models.candidate import Candidate
from models.entry import Centre, Entry
from models.viewer import Kind
from resolvers import candidates, entering
from tests.client import Client
from tests.rows import board, centre_staff
from tests.world import PASSWORD, SECRET, World, gid

TOLD = """... on ConfirmationReissued { confirmation { idNumber secretNumber issue entry { idNumber } } }"""
OTHER = "0000"


@pytest.fixture
async def entry(app: Any, world: World) -> Entry:
    """An entry that nobody has claimed."""
    return await world.entry(await world.candidate(registered=False))


def numbers(entry: Entry, secret: str) -> dict[str, Any]:
    """What somebody fills in to register with an entry."""
    return {
        "idNumber": entry.id_number, "secretNumber": secret, "email": "a@mail.example", "emailAgain": "a@mail.example",
        "password": PASSWORD, "passwordAgain": PASSWORD, "acceptsTerms": True,
    }  # fmt: skip


async def tried(client: Client, entry: Entry, secret: str) -> str:
    """What becomes of a try to register."""
    answer = await client.order("register", "", **numbers(entry, secret))
    kind: str = answer["__typename"]
    return kind


async def staff(client: Client, world: World, centre: Centre | None = None) -> Client:
    return client.as_(await world.token(await world.staff(centre)))


async def test_a_new_secret_number_takes_the_place_of_the_old_one_at_once(
    client: Client, world: World, entry: Entry
) -> None:
    """A7: the ID Number stays; the old Secret Number is a wrong one from then on."""
    answer = await (await staff(client, world)).order("reissueConfirmation", TOLD, entryId=gid(entry))
    told = answer["confirmation"]
    assert (told["idNumber"], told["issue"], told["entry"]["idNumber"]) == (entry.id_number, 2, entry.id_number)
    stored = await Entry.get(id=entry.id)
    assert (stored.issue, stored.issued_at) == (2, world.clock())
    assert await tried(client, entry, SECRET) == "WrongNumbers"
    assert await tried(client, entry, told["secretNumber"]) == "LoggedIn"


async def test_a_re_issue_opens_what_ten_wrong_secret_numbers_closed(
    client: Client, world: World, entry: Entry, clock: Any
) -> None:
    """A8."""
    for _ in range(4):
        await asyncio.gather(*(tried(client, entry, OTHER) for _ in range(3)))
        clock.forward(minutes=31)
    assert await tried(client, entry, SECRET) == "RegistrationLocked"
    answer = await (await staff(client, world)).order("reissueConfirmation", TOLD, entryId=gid(entry))
    assert await tried(client, entry, answer["confirmation"]["secretNumber"]) == "LoggedIn"


async def test_an_entry_that_is_claimed_is_not_issued_anew(client: Client, world: World) -> None:
    """A7: its candidate resets the password; nothing is changed."""
    claimed = await world.entry()
    answer = await (await staff(client, world)).order("reissueConfirmation", TOLD, entryId=gid(claimed))
    assert answer["__typename"] == "EntryClaimed"
    assert "reset their password" in answer["message"]
    assert (await Entry.get(id=claimed.id)).secret_hash == claimed.secret_hash


async def test_a_centre_issues_anew_for_its_own_candidates_alone(client: Client, world: World, entry: Entry) -> None:
    """A7: to others the entry is not there."""
    elsewhere = await Centre.create(number="JP902", name="Minato", city="Kobe", country="JP")
    other = await (await staff(client, world, elsewhere)).order("reissueConfirmation", TOLD, entryId=gid(entry))
    assert other["__typename"] == "EntryNotFound"
    own = await (await staff(client, world, await world.centre())).order(
        "reissueConfirmation", TOLD, entryId=gid(entry)
    )
    assert own["confirmation"]["issue"] == 2


async def test_only_staff_issue_anew(client: Client, world: World, entry: Entry) -> None:
    """A7: neither institutions nor the candidate, nor nobody."""
    for owner in (await world.verifier(), await world.candidate()):
        asker = client.as_(await world.token(owner))
        assert (await asker.order("reissueConfirmation", TOLD, entryId=gid(entry)))["__typename"] == "NotAllowed"
    assert (await client.order("reissueConfirmation", TOLD, entryId=gid(entry)))["__typename"] == "NotLoggedIn"
    assert (await Entry.get(id=entry.id)).issue == 1


async def test_what_is_no_entry_is_not_found(app: Any, client: Client, world: World) -> None:
    """A7."""
    for id in (gid(await world.candidate()), "nonsense"):
        answer = await (await staff(client, world)).order("reissueConfirmation", TOLD, entryId=id)
        assert answer["__typename"] == "EntryNotFound"
    with pytest.raises(EntryNotFound):
        await entering.reissue(board(world), uuid4())


async def test_of_two_re_issues_at_once_the_second_stands(world: World, entry: Entry) -> None:
    """A7: each is another issue, and only the last one's Secret Number is right."""
    viewer = centre_staff(world, await world.centre())
    made = sorted(
        await asyncio.gather(*(entering.reissue(viewer, entry.id) for _ in range(4))), key=lambda one: one.issue
    )
    assert [one.issue for one in made] == [2, 3, 4, 5]
    assert await entering.standing({entry.id_number: made[-1].secret_number}) == {entry.id_number}
    assert await entering.standing({entry.id_number: made[-2].secret_number}) == set()


async def test_an_old_secret_number_that_was_compared_before_claims_nothing_after(world: World, entry: Entry) -> None:
    """A7: somebody was registering while the confirmation was issued anew."""
    viewer = world.viewer(Kind.ANONYMOUS)
    form = candidates.Registration(
        entry.id_number, SECRET, "a@mail.example", "a@mail.example", PASSWORD, PASSWORD, accepts_terms=True
    )
    compared = await candidates.entry_with_secret(viewer, entry.id_number, SECRET)
    await entering.reissue(board(world), entry.id)
    with pytest.raises(WrongNumbers):
        await candidates._claim(compared, form, "hash", viewer)
    assert (await Candidate.get(id=entry.candidate_id)).registered_at is None


async def test_of_a_registration_and_a_re_issue_at_once_one_is_refused(world: World, entry: Entry) -> None:
    """A7: never is a Secret Number told that is of no use, nor does the old one work beside it."""
    form = candidates.Registration(
        entry.id_number, SECRET, "a@mail.example", "a@mail.example", PASSWORD, PASSWORD, accepts_terms=True
    )
    done = await asyncio.gather(
        candidates.register(world.viewer(Kind.ANONYMOUS), form),
        entering.reissue(board(world), entry.id),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, Exception)]
    assert len(refused) == 1
    assert isinstance(refused[0], WrongNumbers | EntryClaimed)
