"""Every example of the developers' pages runs as it is printed, for whom they name and for nobody else (P4)."""

import asyncio
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from engine import database, keys
from engine.clock import system_clock
from models import webhook_messages
from models.scope import Scope
from tests.conftest import copy_of_template, with_name
from tests.node import OLDEST_NODE
from tests.props import fill
from tests.served import Served
from tests.showing import Cast, Filled, in_place
from tests.world import World
from transport.developers.examples import WHO, examples, scopes_of
from transport.developers.operations import GROUPS, OF_GATEWAYS, operations, roots
from transport.developers.programs import CREDENTIAL, PROGRAMS

PROGRAM = re.compile(r'<pre [^>]*data-operation="(\w+)" data-language="(\w+)"><code>(.*?)</code></pre>', re.DOTALL)
RUN_SECONDS = 180
NO_PROXY = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"}
STREAMS = [name for name, one in examples().items() if one.is_stream]

PYTHON_RUNNER = """
import contextlib, io, json, os, sys, traceback
def said(program, token):
    os.environ["SEISEKI_TOKEN"] = token
    with contextlib.redirect_stdout(io.StringIO()) as written:
        try:
            exec(compile(program, "example", "exec"), {"__name__": "__main__"})
        except Exception:
            traceback.print_exc(file=written)
    return written.getvalue()
print(json.dumps({name: said(*one) for name, one in json.load(sys.stdin).items()}))
"""
NODE_RUNNER = """
import { readFileSync } from "node:fs";
const answers = {};
const log = console.log;
for (const [name, [program, token]] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  process.env.SEISEKI_TOKEN = token;
  const said = [];
  console.log = (...words) => said.push(words.join(" "));
  try {
    await import(`data:text/javascript,${encodeURIComponent(program)}`);
  } catch (error) {
    said.push(String(error.stack));
  }
  answers[name] = said.join("\\n");
}
log(JSON.stringify(answers));
"""


@dataclass
class Ran:
    """What is served, the programs of its pages, and what they are filled in with, each by language."""

    served: Served
    programs: dict[str, dict[str, str]]
    filled: dict[str, dict[str, Filled]]
    tokens: dict[str, str]  # of everybody whom examples can name, in one of the worlds; of "anybody" none

    def ready(self, language: str) -> dict[str, tuple[str, str]]:
        """Each program of a language that ends by itself, with the reader's words in it, and its credential."""
        names = [name for name in self.programs[language] if name not in STREAMS]
        names.sort(key=lambda name: name != "logInStaff")  # its code is good for half a minute: it comes first
        return {name: self.one(language, name) for name in names}

    def one(self, language: str, name: str) -> tuple[str, str]:
        """One of them."""
        filled = self.filled[language][name]
        return in_place(self.programs[language][name], filled.now()), filled.token


@pytest.fixture(scope="module")
def ran(server_url: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The service as a process, and for each language a world of its own on its database."""
    name = f"developers_{worker_id}"
    asyncio.run(copy_of_template(server_url, name))
    served = Served(tmp_path_factory.mktemp("served"), with_name(server_url, name))
    served.environment["PUBLIC_URL"] = served.url
    served.start()
    try:
        keys.use(b"k" * 32)
        filled, tokens = asyncio.run(_casts(served))
        served.ready()
        yield Ran(served, _printed(served), filled, tokens)
    finally:
        served.stop()


async def _casts(served: Served) -> tuple[dict[str, dict[str, Filled]], dict[str, str]]:
    assert served.database_url is not None
    world = World(system_clock)
    async with database.opened(served.database_url, pool_size=2, everywhere=False):
        casts = {language: await Cast.of(world) for language in PROGRAMS}
        filled = {
            language: {name: await fill(cast, example) for name, example in examples().items()}
            for language, cast in casts.items()
        }
        askers = {who for example in examples().values() for who in _askers(example.who)}
        return filled, {who: await casts["curl"].token(who) for who in askers}


def _printed(served: Served) -> dict[str, dict[str, str]]:
    """The programs as the pages print them, by language and operation."""
    programs: dict[str, dict[str, str]] = {language: {} for language in PROGRAMS}
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=60) as http:
        for group in GROUPS:
            for name, language, program in PROGRAM.findall(http.get(f"/developers/{group.slug}").text):
                programs[language][name] = html.unescape(program)
    return programs


def test_every_page_prints_a_program_for_each_operation_in_each_language(ran: Ran) -> None:
    assert {language: set(all) for language, all in ran.programs.items()} == {one: set(roots()) for one in PROGRAMS}


@pytest.mark.parametrize("language", PROGRAMS)
def test_every_example_is_answered_as_the_page_says(language: str, ran: Ran, tmp_path: Path) -> None:
    """As printed, with the reader's words and credential; nothing else is imported, installed or set."""
    answers = RUNNERS[language](ran.ready(language), tmp_path)
    assert {name: said for name, said in answers.items() if not _is_as_told(name, said)} == {}
    assert set(answers) == set(roots()) - set(STREAMS)


def _is_as_told(name: str, said: str) -> bool:
    """Whether it is one answer without errors that says something, and of a mutation its success."""
    try:
        answer = json.loads(said)
    except ValueError:
        return False
    found = (answer.get("data") or {}).get(name)
    if "errors" in answer or not _leaves(found):
        return False
    return examples()[name].answers in (None, found.get("__typename") if isinstance(found, dict) else None)


def _leaves(value: Any, name: str = "") -> int:
    """How many facts an answer holds."""
    if isinstance(value, dict):
        return sum(_leaves(one, key) for key, one in value.items())
    if isinstance(value, list):
        return sum(_leaves(one) for one in value)
    return int(value is not None and name != "__typename")


def _by_curl(programs: dict[str, tuple[str, str]], folder: Path) -> dict[str, str]:
    """One shell for all."""
    script = "".join(
        f"export {CREDENTIAL}='{token}'\n{{\n{program}\n}} > {name} 2>&1\n"
        for name, (program, token) in programs.items()
    )
    _run(["sh"], script, folder)
    return {name: (folder / name).read_text("utf-8") for name in programs}


def _by_python(programs: dict[str, tuple[str, str]], folder: Path) -> dict[str, str]:
    """One interpreter for all, without the service's own packages."""
    return dict(json.loads(_run([sys.executable, "-I", "-S", "-c", PYTHON_RUNNER], json.dumps(programs), folder)))


def _by_node(programs: dict[str, tuple[str, str]], folder: Path) -> dict[str, str]:
    """One process for all, each program a module of its own."""
    command = [_node(), "--input-type=module", "-e", NODE_RUNNER]
    return dict(json.loads(_run(command, json.dumps(programs), folder)))


RUNNERS = {"curl": _by_curl, "Python": _by_python, "JavaScript": _by_node}


def _node() -> str:
    node = shutil.which("node")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout if node else ""
    numbers = re.match(r"v(\d+)\.(\d+)\.", told)
    if node is None or numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_NODE:
        pytest.skip("NO EXAMPLE IN JAVASCRIPT WAS TRIED (they need Node 20.14): there is none")
    return node


def _run(command: list[str], given: str, folder: Path) -> str:
    done = subprocess.run(
        command, input=given, cwd=folder, env=NO_PROXY, capture_output=True, encoding="utf-8", timeout=RUN_SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("language", PROGRAMS)
def test_every_example_of_a_stream_tells_what_comes(language: str, ran: Ran, tmp_path: Path) -> None:
    commands = {"curl": ["sh"], "Python": [sys.executable, "-I", "-S", "-"]}
    command = commands.get(language) or [_node(), "--input-type=module", "-"]
    heard = asyncio.run(_heard({name: (command, *ran.one(language, name)) for name in STREAMS}, tmp_path))
    assert {name: said for name, said in heard.items() if not _is_as_told(name, said)} == {}


async def _heard(programs: dict[str, tuple[list[str], str, str]], folder: Path) -> dict[str, str]:
    """The first result that each of them prints; they run at the same time, and would go on for ever."""
    heard = await asyncio.gather(*(_first(*one, folder) for one in programs.values()))
    return dict(zip(programs, heard, strict=True))


async def _first(command: list[str], program: str, token: str, folder: Path) -> str:
    running = await asyncio.create_subprocess_exec(
        *command, stdin=-1, stdout=-1, stderr=-2, cwd=folder, env=NO_PROXY | {CREDENTIAL: token}, process_group=0
    )
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        running.stdin.write(program.encode())
        running.stdin.write_eof()
        async with asyncio.timeout(RUN_SECONDS):
            async for line in running.stdout:
                if b'"data"' in line:
                    return line.decode().removeprefix("data: ")
        return "nothing"
    finally:
        os.killpg(running.pid, 9)
        await running.wait()


def test_the_guide_begins_with_a_request_that_works(ran: Ran, tmp_path: Path) -> None:
    [program] = on_guide(ran, r"<pre [^>]*data-begins><code>(.+?)</code></pre>")
    said = _run(["sh"], f"export {CREDENTIAL}='{ran.tokens['key READ_SHARES']}'\n{program}\n", tmp_path)
    assert json.loads(said)["data"]["inbox"]["totalCount"] > 0


def on_guide(ran: Ran, pattern: str) -> list[str]:
    """What stands on the guide, as readers see it."""
    with httpx2.Client(base_url=ran.served.url, trust_env=False, timeout=60) as http:
        return [html.unescape(one) for one in re.findall(pattern, http.get("/developers").text, re.DOTALL)]


VERIFIERS = {
    "Python": (
        [sys.executable, "-I", "-S", "-c"],
        "\nimport json, sys\n"
        "print(json.dumps([is_ours(one[0], one[1], one[2].encode()) for one in json.load(sys.stdin)]))",
    ),
    "JavaScript": (
        ["node", "--input-type=module", "-e"],
        '\nimport { readFileSync } from "node:fs";\n'
        'console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map((one) => isOurs(...one))));',
    ),
}


@pytest.mark.parametrize("language", VERIFIERS)
def test_receivers_of_webhooks_know_our_messages_from_others(language: str, ran: Ran, tmp_path: Path) -> None:
    """N7: by either of two secrets, and not once the time, the body or an id is another."""
    [program] = on_guide(ran, rf'<pre [^>]*data-verifies="{language}"><code>(.+?)</code></pre>')
    command, asked = VERIFIERS[language]
    command = [_node() if command[0] == "node" else command[0], *command[1:], program + asked]
    now = system_clock()
    text = webhook_messages.body(webhook_messages.test_payload(UUID(int=1), now))
    secrets = [webhook_messages.secret(UUID(int=1), number) for number in (1, 2)]
    good = {name.lower(): value for name, value in webhook_messages.headers(UUID(int=2), text, secrets, now).items()}
    old = webhook_messages.headers(UUID(int=2), text, secrets, now - timedelta(minutes=6))
    tried = [(secrets[0], good, text), (secrets[1], good, text), (webhook_messages.secret(UUID(int=1), 3), good, text)]
    tried += [(secrets[0], good, text + b" "), (secrets[0], good | {"webhook-id": "another"}, text)]
    tried += [(secrets[0], {name.lower(): value for name, value in old.items()}, text)]
    given = json.dumps([(secret, headers, body.decode()) for secret, headers, body in tried])
    assert json.loads(_run(command, given, tmp_path)) == [True, True, False, False, False, False]


# ---- who may


COVERED = {"officer": {"reader"}, "primary": {"reader", "officer"}, "board": {"centre"}}


def _askers(named: tuple[str, ...]) -> list[str]:
    """Everybody there is: of keys those that are named, and one with all scopes but theirs."""
    rest = set(Scope).difference(*(scopes_of(one) for one in named))
    keys = [f"key {' '.join(sorted(scope.value for scope in rest))}"] if rest else []
    return [*(who for who in WHO if who != "key"), *keys, *(one for one in named if scopes_of(one))]


def _may(who: str, named: tuple[str, ...]) -> bool:
    covered = {"key"} if scopes_of(who) else COVERED.get(who, set())
    return "anybody" in named or who in named or not covered.isdisjoint(named)


def test_who_may_is_as_the_pages_say(ran: Ran) -> None:
    """Whoever is not named gets null or nothing for a query, `NotLoggedIn` or `NotAllowed` for an order; others not."""
    wrong = {}
    with httpx2.Client(base_url=ran.served.url, trust_env=False, timeout=60) as http:
        for operation in operations():
            named = operation.example.who
            if operation.kind == "subscription" or operation.name in OF_GATEWAYS:
                continue
            if operation.kind == "mutation" and "anybody" in named:
                continue  # nobody is refused, and all would be logged out
            for who in _askers(named):
                if operation.kind == "mutation" and who == named[0]:
                    continue  # it is the example itself
                answer = _asked(http, ran, operation.name, ran.tokens[who])
                if _may(who, named) is _is_shut_out(operation.name, answer):
                    wrong[operation.name, who] = str(answer)[:200]
    assert wrong == {}


def _asked(http: httpx2.Client, ran: Ran, name: str, token: str) -> Any:
    example = examples()[name]
    body = {"query": example.document, "variables": example.variables}
    given = in_place(json.dumps(body), ran.filled["curl"][name].now())
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return http.post("/graphql", content=given, headers=headers).json()


def _is_shut_out(name: str, answer: Any) -> bool:
    codes = [one["extensions"]["code"] for one in answer.get("errors", [])]
    found = (answer.get("data") or {}).get(name)
    if codes or found is None or found == []:
        return all(code in ("UNAUTHENTICATED", "FORBIDDEN") for code in codes)
    return isinstance(found, dict) and found.get("__typename") in ("NotLoggedIn", "NotAllowed")
