"""What candidates and verifiers read is in their language, English or Japanese (A12)."""

import ast
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from starlette.applications import Starlette

import errors
from engine.languages import LOCALES, catalogue, chosen, told
from errors import InvalidInput, Problem, Refusal, Sentence
from models.institution import InstitutionStatus
from models.passwords import breached, password_problems
from models.sittings.proctoring import AppealOutcome
from models.sittings.states import SittingState
from models.verifier import VerifierStatus
from tests.client import Client
from tests.conftest import ControlledClock
from tests.world import PASSWORD, World, gid

ROOT = Path(__file__).parent.parent
# What `AlreadyDecided` tells of.
DECISIONS = ("APPROVED", "REFUSED", "ACCEPTED", *(outcome.value for outcome in AppealOutcome))
ROOMS = ("models", "resolvers", "schema")
# What only staff fill in or are told: they work in English.
FOR_STAFF = {"centres", "staff", "parked_mail", "corrections", "releases", "entering", "loading", "rows", "photos"}
FOR_STAFF |= {"official_scores", "recordings"}
FOR_STAFF |= {"photo", "correction", "release", "columns", "one_time_codes", "exam_session"}
OTHERS = [ROOT / "errors.py", ROOT / "engine" / "allowance.py"]  # that say something to clients
JAPANESE = {"Accept-Language": "ja"}


def is_japanese(text: str) -> bool:
    return any("぀" <= sign <= "ヿ" for sign in text)


# ---- the catalogue


def constants(call: ast.Call, places: tuple[int, ...]) -> Iterator[str]:
    for place in places:
        if place < len(call.args) and isinstance(call.args[place], ast.Constant):
            text = call.args[place].value  # type: ignore[attr-defined]  # it is a constant
            if isinstance(text, str):
                yield text


def name_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        return f"{owner.id}.{call.func.attr}" if isinstance(owner, ast.Name) else call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


# Where sentences for clients stand, by the call that holds them, and at which place.
HOLDERS = {"Problem": (1,), "Sentence.of": (0,), "told": (0,)}


def sentences(tree: ast.AST) -> set[str]:
    """Every constant sentence that a module says, and every rule of passwords (`(kept, message)`)."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {text for call in calls for text in constants(call, HOLDERS.get(name_of(call), ()))}


def modules() -> list[Path]:
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.stem not in FOR_STAFF]


def said_anywhere() -> set[str]:
    return {text for path in modules() for text in sentences(ast.parse(path.read_text("utf-8")))}


def facts_of(kind: type[Refusal]) -> list[Any]:
    """Values to make a refusal of: one for each fact that it needs, and None where it may be left out."""
    now = datetime(2026, 11, 22, 9, tzinfo=UTC)
    known: dict[str, list[Any]] = {
        "NotLoggedIn": [], "InvalidInput": [[[Problem("email", "The two e-mail addresses are not the same.")]]],
        "LoginLocked": [[now]], "RegistrationLocked": [[now], [None]], "TooManyTries": [[now]],
        "ResultNotSendable": [[status] for status in ("PENDING", "WITHHELD", "REVOKED", "LOADED", "RELEASED")],
        "AlreadyDecided": [[decision, now] for decision in DECISIONS],
        "AlreadyInvited": [[now]],
        "ConsentOutdated": [["2026-11-22"]], "ShareExpired": [[now]], "AlreadyReleased": [[now]],
        "ResultChangedMeanwhile": [[2]], "TemplateChangedMeanwhile": [[2]], "PrimaryStillAsked": [[now.date()]],
        "NothingToDownload": [[1, 2]], "DownloadsStillRunning": [[3]],
        "UserStateForbids": [[status.value] for status in VerifierStatus if status is not VerifierStatus.REMOVED],
        "SittingStateForbids": [[state.value] for state in SittingState],
        "StepNotNext": [["RULES"]], "NameDiffers": [[[("a", "b", False)]]], "AlreadyBooked": [[now]],
        "InstitutionStateForbids": [[status.value] for status in InstitutionStatus],
    }  # fmt: skip
    return known.get(kind.__name__) or [[]]


def refusals() -> list[Refusal]:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Refusal)]
    return [kind(*facts) for kind in kinds if kind.__name__ not in ("StateForbids",) for facts in facts_of(kind)]


@pytest.mark.parametrize("refusal", refusals(), ids=lambda one: type(one).__name__)
def test_every_refusal_is_said_in_japanese(refusal: Refusal) -> None:
    """A12: with its facts, whose moments are Japan's."""
    japanese = told(refusal.args[0], "ja")
    assert is_japanese(japanese), str(refusal)
    assert "{" not in japanese
    if "UTC" in str(refusal):
        assert "2026年11月22日 18:00:00（日本時間）" in japanese


@pytest.mark.parametrize("sentence", sorted(said_anywhere()))
def test_every_sentence_for_candidates_and_verifiers_is_in_the_catalogue(sentence: str) -> None:
    """A12"""
    assert sentence in catalogue("ja")


def test_rules_of_passwords_are_in_the_catalogue() -> None:
    """A2: each broken rule is told by name."""
    tried = ["", "x" * 200, "12345678", "abcdefgh", "\0", "aoi tanaka 12", min(breached())]
    told_of = [one for text in tried for one in password_problems(text, "other", ["Aoi Tanaka 12"])]
    assert {problem.message for problem in told_of if not is_japanese(told(problem.message, "ja"))} == set()
    assert len({problem.message for problem in told_of}) == 8


def places(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_a_translation_has_the_places_of_its_original_and_nothing_is_translated_twice() -> None:
    """A12: a missing fact would be lost, and an unknown one an error."""
    with (LOCALES / "ja" / "LC_MESSAGES" / "messages.po").open("rb") as written:
        entries = [one for one in read_po(written, locale="ja") if one.id]
    assert len(entries) > 40
    assert {one.id for one in entries if places(str(one.id)) != places(str(one.string))} == set()
    assert {one.id for one in entries if one.fuzzy or not one.string} == set()


def test_nothing_is_in_the_catalogue_that_nobody_says() -> None:
    """A12: a sentence that was changed in one place only is found by its old translation."""
    spoken = "\n".join(path.read_text("utf-8") for path in [*modules(), *OTHERS])
    joined = spoken.replace('"\n', "").replace("\n", " ")
    while "  " in joined:
        joined = joined.replace("  ", " ")
    flat = joined.replace('" "', "").replace(' "', "")
    statuses = {"pending", "loaded", "released", "withheld", "revoked", "approved", "refused", "accepted"}
    statuses |= {"invited", "active", "deactivated"}
    statuses |= {decision.lower().replace("_", " ") for decision in DECISIONS}
    statuses |= {state.value.lower().replace("_", " ") for state in SittingState}
    unsaid = {one for one in catalogue("ja") if one not in statuses and one[:40] not in flat and one[-30:] not in flat}
    assert unsaid == set()


def test_a_sentence_without_translation_stays_english() -> None:
    """A12: better than nothing."""
    assert told("Nobody has said this.", "ja") == "Nobody has said this."
    assert told(Sentence.of("Nobody has said {what}.", what="that"), "ja") == "Nobody has said that."


def test_problems_of_a_form_are_joined_as_the_language_does() -> None:
    """A12: no blanks between Japanese sentences."""
    refusal = InvalidInput(
        [Problem("a", "A Secret Number is 4 digits."), Problem("b", "The two passwords are not the same.")]
    )
    assert str(refusal) == "Please correct: A Secret Number is 4 digits. The two passwords are not the same."
    assert told(refusal.args[0], "ja") == (
        "入力内容をご確認ください。シークレットナンバーは数字4桁です。確認用のパスワードが一致しません。"
    )


# ---- which language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"), ("", "en"), ("ja", "ja"), ("JA-jp", "ja"), ("en-GB,en;q=0.9,ja;q=0.8", "en"),
        ("fr,ja;q=0.5,en;q=0.4", "ja"), ("ja;q=0.4, en;q=0.5", "en"), ("ja;q=0", "en"), ("fr", "en"), ("*", "en"),
        ("ja;q=x, en", "en"), ("jav", "en"), ("en;q=0.5,ja;q=0.5", "en"), ("ja;q=nan", "en"), ("," * 100_000, "en"),
        ("fr;q=1, *;q=0.5", "en"), ("ja;level=1", "en"),
    ],
)  # fmt: skip
def test_a_browser_tells_what_it_likes_best(header: str | None, language: str) -> None:
    """A12"""
    assert chosen(header) == language


WRONG_LOG_IN = """mutation { logIn(input: {idNumber: "ABC999999", password: "wrong"}) {
  ... on Refusal { message } } }"""
CHANGE = """mutation { changePassword(input: {oldPassword: "x", password: "short", passwordAgain: "short"}) {
  ... on InvalidInput { message problems { message } } } }"""


async def test_strangers_are_answered_in_the_language_of_their_browser(client: Client) -> None:
    """A12"""
    answers = [
        (await client.send({"query": WRONG_LOG_IN}, **headers)).json()["data"]["logIn"]["message"]
        for headers in ({}, JAPANESE)
    ]
    assert answers[0].startswith("The log-in name or the password is wrong.")
    assert answers[1].startswith("ログイン名またはパスワードが正しくありません。")


async def test_streamed_answers_are_in_the_same_language(client: Client) -> None:
    """A12: one answer told as an event."""
    answer = await client.send({"query": WRONG_LOG_IN}, **JAPANESE, Accept="text/event-stream")
    assert "ログイン名" in answer.text or "\\u30ed\\u30b0" in answer.text


@pytest.mark.parametrize("kind", ["candidate", "verifier"])
async def test_an_accounts_own_language_goes_before_the_browsers(
    app: Starlette, world: World, client: Client, kind: str
) -> None:
    """A12, A9: for problems of a form as well."""
    owner = await (world.candidate(language="ja") if kind == "candidate" else world.verifier(language="ja"))
    answer = await client.as_(await world.token(owner)).send({"query": CHANGE}, **{"Accept-Language": "en"})
    refused = answer.json()["data"]["changePassword"]
    assert refused["problems"][0]["message"] == "パスワードは8文字以上で入力してください。"
    assert refused["message"].startswith("入力内容をご確認ください。")


async def test_a_change_of_language_counts_for_the_next_answer(app: Starlette, world: World, client: Client) -> None:
    """A9, A12"""
    own = client.as_(await world.token(await world.candidate()))
    assert (await own.ask(CHANGE))["changePassword"]["message"].startswith("Please correct")
    await own.order("changeMyDetails", "... on MyDetailsChanged { linkSentTo }", language="ja")
    assert is_japanese((await own.ask(CHANGE))["changePassword"]["message"])


async def test_staff_have_no_language_and_read_their_browsers(app: Starlette, world: World, client: Client) -> None:
    """A12"""
    staff = client.as_(await world.token(await world.staff()))
    assert is_japanese((await staff.send({"query": CHANGE}, **JAPANESE)).json()["data"]["changePassword"]["message"])


async def test_after_logging_in_the_rest_of_the_operation_is_in_the_accounts_language(
    app: Starlette, world: World, client: Client
) -> None:
    """A12"""
    entry = await world.entry(await world.candidate(language="ja"))
    both = f"""mutation {{ logIn(input: {{idNumber: "{entry.id_number}", password: "{PASSWORD}"}}) {{ __typename }}
      {CHANGE[11:-1]} }}"""
    answer = await client.ask(both)
    assert answer["logIn"]["__typename"] == "LoggedIn"
    assert is_japanese(answer["changePassword"]["message"])


async def test_what_has_happened_is_told_in_the_viewers_language(app: Starlette, world: World, client: Client) -> None:
    """A12: not refusals alone."""
    asked = """mutation { requestPasswordReset(input: {idNumber: "ABC123456"}) {
      ... on PasswordResetRequested { message } } }"""
    answer = await client.send({"query": asked}, **JAPANESE)
    assert is_japanese(answer.json()["data"]["requestPasswordReset"]["message"])


async def test_a_lock_is_told_with_its_end_in_japans_time(
    app: Starlette, world: World, client: Client, clock: ControlledClock
) -> None:
    """A4, A12"""
    messages = [
        (await client.send({"query": WRONG_LOG_IN}, **JAPANESE)).json()["data"]["logIn"]["message"] for _ in range(4)
    ]
    assert "2026年11月22日 18:30:00（日本時間）" in messages[3]


async def test_texts_are_in_the_viewers_language_unless_another_is_asked_for(
    app: Starlette, world: World, client: Client
) -> None:
    """A12, R10, S3: notices, hints and consent sentences alike; the consent is kept as it was shown."""
    candidate = await world.candidate(language="ja")
    result = await world.result(await world.entry(candidate))
    institution = await world.institution()
    own = client.as_(await world.token(candidate))
    asked = """query ($r: ID!) { result(id: $r) { notices { text } english: notices(language: "en") { text } }
      institutions(search: "university") { consent { text version language } } }"""
    told_here = await own.ask(asked, r=gid(result))
    assert is_japanese(told_here["result"]["notices"][0]["text"])
    assert not is_japanese(told_here["result"]["english"][0]["text"])
    sentence = told_here["institutions"][0]["consent"]
    assert sentence["language"] == "ja"
    sent = await own.order(
        "sendResult", "... on ResultSent { share { consent { text language } } }",
        resultId=gid(result), institutionId=gid(institution), consentVersion=sentence["version"],
    )  # fmt: skip
    assert sent["share"]["consent"] == {"text": sentence["text"], "language": "ja"}


async def test_a_language_that_we_do_not_speak_is_a_bad_query(client: Client, world: World) -> None:
    """A12"""
    await world.institution("Northern University")
    wrong = await client.as_(await world.token(await world.candidate())).errors(
        '{ institutions(search: "northern") { hint(language: "fr") } }'
    )
    assert wrong[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_names_stay_as_they_are_in_every_language(app: Starlette, world: World, client: Client) -> None:
    """A12: a person's name is never translated."""
    candidate = await world.candidate(language="ja", family_name="Sakurai", native_name="櫻井 葵")
    own = client.as_(await world.token(candidate))
    assert (await own.ask("{ me { name nativeName } }"))["me"] == {"name": "Aoi Sakurai", "nativeName": "櫻井 葵"}
