"""The developers' pages: all of the schema is on them, and nothing from elsewhere (P4)."""

import html
import json
import re
from pathlib import Path

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse, validate

from schema.build import schema
from tests.client import Client
from tests.printed import fields_of, implements, named_types, payload_of
from transport.developers.codes import CODES
from transport.developers.examples import FOLDER, YOURS, examples, read
from transport.developers.operations import GROUPS, roots

PAGES = ["/developers", *(f"/developers/{group.slug}" for group in GROUPS), "/developers/types"]


def test_every_operation_has_an_example_and_every_example_its_operation() -> None:
    """A new operation stays off the page, and this fails, until there is a file for it in the folder of examples."""
    assert set(examples()) == set(roots())
    assert {path.suffix for path in FOLDER.iterdir()} == {".graphql"}


def test_every_operation_stands_on_one_page() -> None:
    shown = [one.name for group in GROUPS for one in group.operations]
    assert sorted(shown) == sorted(roots())


@pytest.mark.parametrize("name", examples())
def test_an_example_is_in_the_schema_and_asks_its_operation_for_something(name: str) -> None:
    example = examples()[name]
    document = parse(example.document)
    assert validate(schema._schema, document) == []
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.operation.value == roots()[name][0]
    [asked] = operation.selection_set.selections
    assert isinstance(asked, FieldNode)
    assert asked.name.value == name
    assert re.search(r"\{[^{}]*\b(?!__typename|message)\w+", example.document.partition(name)[2])
    assert example.document.isascii()
    assert not re.search(r"`|\$\{|\\|\"\"\"", example.document)  # would end the text it stands in, in a program


@pytest.mark.parametrize("mutation", fields_of("Mutation"))
def test_an_example_of_a_mutation_tells_its_success_from_every_refusal(mutation: str) -> None:
    example = examples()[mutation]
    [success] = [one.name for one in payload_of(mutation).types if not implements(one, "Refusal")]
    assert example.answers == success
    assert "__typename" in example.document
    assert "... on Refusal { message }" in example.document or len(payload_of(mutation).types) == 1


def test_a_file_that_is_not_written_as_examples_are_is_named() -> None:
    for text in ("{ exams { code } }", "# who: emperor\n{ exams { code } }"):
        with pytest.raises(ValueError, match="The example of exams"):
            read("exams", text)


def test_every_word_that_is_left_to_the_reader_is_explained_and_used() -> None:
    used = {word for one in examples().values() for word in re.findall(r'"(YOUR_\w+)"', json.dumps(one.variables))}
    assert used == set(YOURS)


async def test_every_page_is_whole_without_a_script_and_loads_nothing_from_elsewhere(client: Client) -> None:
    for address in PAGES:
        page = await client.http.get(address)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|<img|<iframe", page.text)
        parts = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
        assert parts == ["/pages/page.css", "/pages/developers.css"]
        assert '<html lang="en">' in page.text
        assert 'name="viewport"' in page.text


async def test_every_link_of_the_pages_leads_somewhere(client: Client) -> None:
    texts = {address: (await client.http.get(address)).text for address in PAGES}
    known = {address: set(re.findall(r'\sid="([^"]+)"', text)) for address, text in texts.items()}
    for address, text in texts.items():
        for target in set(re.findall(r'<a [^>]*href="([^"]+)"', text)):
            page, _, anchor = target.partition("#")
            page = page or address
            if page.startswith("https://"):
                continue  # of somebody else: a link, and nothing that is loaded
            if page in known:
                assert not anchor or anchor in known[page], f"{address}: {target}"
            else:
                assert (await client.http.get(page)).status_code in (200, 307), f"{address}: {target}"


async def test_every_operation_is_told_whole(client: Client) -> None:
    """Its description, what it takes, each refusal, and a program in each language."""
    for group in GROUPS:
        page = html.unescape(re.sub(r"<[^>]+>", "", (await client.http.get(f"/developers/{group.slug}")).text))
        for operation in group.operations:
            assert operation.description.replace("`", "") in page, operation.name
            for type_ in operation.refusals:
                assert (type_.description or "?").replace("`", "") in page, operation.name
            given = operation.input.fields if operation.input else operation.field.args
            for name, one in given.items():
                assert (one.description or "").replace("`", "") in page, f"{operation.name}({name}:)"


async def test_a_page_leads_to_what_its_people_may_ask_for_as_well(client: Client) -> None:
    """A proctor's program needs what a candidate's does: to list sittings, to follow one, to write."""
    for group in GROUPS:
        page = (await client.http.get(f"/developers/{group.slug}")).text
        linked = set(re.findall(r'href="(?:/developers/[a-z]+)?#(\w+)">', page))
        mine = {name for name, one in examples().items() if {who.split()[0] for who in one.who} & group.who}
        assert mine <= linked, group.slug
    page = (await client.http.get("/developers/proctors")).text
    for name in ("sitting", "sittings", "sittingEvents", "sendMessage", "markMessagesRead", "reportConnection"):
        assert f'href="/developers/candidates#{name}"' in page


async def test_every_type_is_told_whole_under_an_anchor_of_its_name(client: Client) -> None:
    page = (await client.http.get("/developers/types")).text
    words = html.unescape(re.sub(r"<[^>]+>", "", page))
    for name, type_ in named_types().items():
        if name in ("Query", "Mutation", "Subscription"):
            continue
        assert f'id="{name}"' in page
        inside = {**getattr(type_, "fields", {}), **getattr(type_, "values", {})}
        for described in (type_, *inside.values()):
            assert (described.description or "?").replace("`", "") in words, name


SAYING_CODES = [*Path("transport").glob("*.py"), *(Path(f"schema/{name}.py") for name in ("extensions", "documents"))]
NO_CODES = {"TCP_USER_TIMEOUT"}


async def test_every_code_of_an_error_is_explained(client: Client) -> None:
    """Whatever our door and its masking write as a code, found in their text."""
    words = {word for path in SAYING_CODES for word in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', path.read_text("utf-8"))}
    assert len(words & set(CODES)) > 10
    assert words - NO_CODES - set(CODES) == set()
    page = (await client.http.get("/developers")).text
    assert [code for code in CODES if f"<code>{code}</code>" not in page] == []


async def test_a_page_is_sent_compressed_and_once_to_whoever_has_it(client: Client) -> None:
    plain = await client.http.get("/developers/types", headers={"Accept-Encoding": "identity"})
    packed = await client.http.get("/developers/types", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) * 4 < int(plain.headers["content-length"])
    assert packed.text == plain.text
    again = await client.http.get("/developers/types", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_page_that_is_not_there_is_not_found(client: Client) -> None:
    for address in ("/developers/nothing", "/developers/", "/developers/types/Share"):
        assert (await client.http.get(address)).status_code in (404, 307)
    assert (await client.http.post("/developers")).status_code == 405
