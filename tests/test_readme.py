"""What the README tells newcomers to send is what the service takes."""

import json
import re
from collections.abc import Iterator

import pytest
from graphql import parse, validate

from tests.printed import printed
from tests.reading import ROOT

SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
BODY = re.compile(r"-d '(\{.*?\})'$|<<'END'\n(.*?)\nEND", re.DOTALL | re.MULTILINE)
WORD = r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")"""
ASKED = re.compile(rf"^ask \S+ {WORD}", re.DOTALL | re.MULTILINE)
FOLLOWED = re.compile(rf"ask \$1 {WORD} -H")
ORDERED = re.compile(rf"order \$[A-Z]+ (\w+)(?: {WORD})?(?: {WORD})?")


def examples() -> Iterator[str]:
    """Every document that an example sends, as the service gets it."""
    for block in SHELL.findall((ROOT / "README.md").read_text("utf-8")):
        for quoted, lines in BODY.findall(block):
            yield json.loads((quoted or lines).replace("\n", ""))["query"]
        for single, double in [*ASKED.findall(block), *FOLLOWED.findall(block)]:
            yield _said(single, double)
        for name, *words in ORDERED.findall(block):
            facts, fields = _said(*words[:2]), _said(*words[2:])
            yield f"""mutation {{ {name}(input: {{sittingId: "x"{facts}}}) {{ __typename
                      ... on Refusal {{ message }} {fields} }} }}"""


def _said(single: str, double: str) -> str:
    """A word of the shell, with a step for the one that a loop goes through."""
    return (single or double.replace('\\"', '"')).replace("$STEP", "ROOM")


DOCUMENTS = list(examples())


def test_all_examples_are_found() -> None:
    """The one that begins each of the README's chapters, and one of each kind."""
    sent = " ".join(DOCUMENTS)
    names = ("logIn(", "me {", "newShares", "logInStaff", "bookSitting", "sittingEvents", "confirmCheckInStep", "ROOM",
             "enterTest", "testPassword")  # fmt: skip
    assert [name for name in names if name not in sent] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_an_example_of_the_readme_can_be_run(document: str) -> None:
    assert [error.message for error in validate(printed(), parse(document))] == []
