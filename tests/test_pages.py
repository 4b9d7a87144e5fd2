"""The pages that mailed links lead to."""

import re

import pytest
from graphql import parse, validate

from documents.wording import SKILLS
from mailers.samples import SAMPLES, SITE, sample
from models.candidate import Candidate
from models.session import EmailChange, email_change_token
from schema.build import schema
from tests.client import Client
from tests.conftest import START
from tests.scripts import STATIC, script, words_of
from tests.world import World

SCRIPTS = sorted(path.stem for path in STATIC.glob("*.js"))
PAGES = [name for name in SCRIPTS if name != "asking"]
WAYS_TO_HTML = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setTimeout", "href", "src",
    "DOMParser", "createContextualFragment", "localStorage", "document.cookie",
)  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/reset-password", "/set-password", "/confirm-email", "/apply", "/check", "/find", "/templates", "/organisation"],
)
async def test_mailed_link_leads_to_a_page(client: Client, path: str) -> None:
    """A5, A9; nothing on it may be loaded from elsewhere, and nothing inline may run."""
    page = await client.http.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await client.http.get(address)).status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text)


async def test_parts_of_two_releases_never_meet_on_a_page(client: Client) -> None:
    """A script that browsers kept might ask the shared one of today for what it has no more."""
    part = await client.http.get("/pages/asking.js")
    assert (part.status_code, part.headers["cache-control"]) == (200, "no-cache")
    again = await client.http.get("/pages/asking.js", headers={"If-None-Match": part.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


async def test_opening_the_link_to_confirm_an_address_changes_nothing(client: Client, world: World) -> None:
    """A9: programs that look for harm in mails open every link, with the token if they can."""
    candidate = await world.candidate()
    change = await EmailChange.create(candidate_id=candidate.id, new_email="new@mail.example", asked_at=START)
    token = email_change_token(change.id)
    for address in (f"/confirm-email#{token}", f"/confirm-email?token={token}"):
        assert (await client.http.get(address)).status_code == 200
    assert (await client.http.post("/confirm-email", content=token)).status_code == 405
    assert (await EmailChange.get()).used_at is None
    assert (await Candidate.get()).email == candidate.email


@pytest.mark.parametrize("name", SCRIPTS)
def test_operations_of_the_pages_are_in_the_schema(name: str) -> None:
    documents = re.findall(r"= `(.+?)`;", script(name), re.DOTALL)
    assert documents
    for document in documents:
        assert validate(schema._schema, parse(document)) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_pages_put_in_what_they_show_as_text(name: str) -> None:
    """Names and reasons come from people: none may become HTML, an address or a script."""
    written = script(name)
    assert [way for way in WAYS_TO_HTML if way in written] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_part_that_a_script_looks_for_is_on_its_page(name: str) -> None:
    written = script(name) + (script("asking") if "withSession(" in script(name) else 'at("told")')
    assert set(re.findall(r'\bat\("([\w-]+)"\)', written)) <= ids_of(page(name))


@pytest.mark.parametrize("name", PAGES)
def test_what_a_script_takes_from_the_shared_one_is_there_and_used(name: str) -> None:
    """A name that the shared script has not stops the whole page."""
    shared = re.findall(r"^export (?:async )?(?:function|const|let) (\w+)", script("asking"), re.MULTILINE)
    [names] = re.findall(r'import \{([^}]+)\} from "./asking.js";', script(name))
    rest = script(name).replace(names, "")
    taken = re.findall(r"\w+", names)
    assert [one for one in taken if one not in shared or not re.search(rf"\b{one}\b", rest)] == []
    assert [one for one in shared if re.search(rf"(?<![.\w]){one}\(", rest) and one not in taken] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_words_of_the_pages_are_there_in_each_language(name: str) -> None:
    english, japanese = words_of(name, "en"), words_of(name, "ja")
    assert list(english) == list(japanese) != []


def test_pages_call_the_skills_as_statements_do() -> None:
    """What is shown is compared with the paper."""
    for language in ("en", "ja"):
        words = words_of("asking", language)
        assert {skill: words.get(skill) for skill in SKILLS} == {
            skill: said[language] for skill, said in SKILLS.items()
        }


@pytest.mark.parametrize("name", PAGES)
def test_pages_can_be_heard_and_typed(name: str) -> None:
    """Every field has a label, what happens is told as it does, and all is there in both languages."""
    written = page(name)
    assert re.findall(r'<label for="(\w+)"', written) == re.findall(r'<(?:input|select) id="(\w+)"', written)
    assert set(re.findall(r'aria-(?:describedby|labelledby)="(\w+)"', written)) <= ids_of(written)
    assert '<div id="told" role="status" aria-live="polite"' in written
    texts, noscript, _ = written.partition("<noscript>")
    assert noscript
    assert (
        len(re.findall(r'<span lang="en">[^<]+</span>\s*<span lang="ja">[^<]+</span>', texts))
        == texts.count("<span") / 2
    )


def page(name: str) -> str:
    """The text of one page."""
    return (STATIC / f"{name}.html").read_text("utf-8")


def ids_of(written: str) -> set[str]:
    """The names of a page's parts."""
    return set(re.findall(r'\bid="([\w-]+)"', written))


@pytest.mark.parametrize("name", SAMPLES)
async def test_every_link_of_a_mail_leads_to_a_page_of_ours(client: Client, name: str) -> None:
    """Its own page or one that says that the link is not complete, but never nothing."""
    for link in re.findall(rf"{SITE}(\S+)", sample(name, "en").text):
        page = await client.http.get(link)
        assert page.headers["content-type"].startswith("text/html"), link
