"""Examples as programs: curl, Python with nothing but its standard library, and JavaScript for Node.

Each is printed as it is run; the credential is in the environment, so that it stands in no program.
"""

import json
import re
from collections.abc import Callable

from transport.developers.examples import Example

CREDENTIAL = "SEISEKI_TOKEN"
JSON_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|true|false|null')  # strings too, so that no word within one is taken
PYTHON_WORDS = {"true": "True", "false": "False", "null": "None"}

CURL = """curl -s{unbuffered} {address}/graphql -H 'Content-Type: application/json' \\
{headers}  --data-binary @- <<'JSON'
{body}
JSON"""
PYTHON = '''import {modules}

document = """
{document}
"""
request = urllib.request.Request(
    "{address}/graphql",
    json.dumps({{"query": document, "variables": {variables}}}).encode(),
    {{{headers}}},
)
with urllib.request.urlopen(request) as answer:
{shown}'''
PYTHON_SHOWN = "    print(json.dumps(json.load(answer), indent=2, ensure_ascii=False))"
PYTHON_FOLLOWED = """    for line in answer:
        if line.startswith(b"data: "):
            print(line.removeprefix(b"data: ").decode().strip(), flush=True)"""
JAVASCRIPT = """const query = `
{document}
`;
const answer = await fetch("{address}/graphql", {{
  method: "POST",
  headers: {{ {headers} }},
  body: JSON.stringify({{ query, variables: {variables} }}),
}});
{shown}"""
JAVASCRIPT_SHOWN = "console.log(JSON.stringify(await answer.json(), null, 2));"
JAVASCRIPT_FOLLOWED = """let text = "";
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  const events = (text + piece).split("\\n\\n");
  text = events.pop();
  for (const event of events) {
    const data = event.match(/^data: (.+)$/m);
    if (data) console.log(data[1]);
  }
}"""


def curl(example: Example, address: str) -> str:
    """For a shell."""
    headers = [f'-H "Authorization: Bearer ${CREDENTIAL}"'] * (not example.is_open)
    headers += ["-H 'Accept: text/event-stream'"] * example.is_stream
    return CURL.format(
        address=address,
        unbuffered="N" * example.is_stream,
        headers="".join(f"  {one} \\\n" for one in headers),
        body=_json({"query": " ".join(example.document.split()), "variables": example.variables}),
    )


def python(example: Example, address: str) -> str:
    """For Python 3.9 and later."""
    headers = ['"Content-Type": "application/json"']
    headers += [f'"Authorization": f"Bearer {{os.environ[\'{CREDENTIAL}\']}}"'] * (not example.is_open)
    headers += ['"Accept": "text/event-stream"'] * example.is_stream
    return PYTHON.format(
        address=address,
        modules="json, os, urllib.request" if not example.is_open else "json, urllib.request",
        document=example.document,
        variables=_literal(example),
        headers=", ".join(headers) if len(headers) == 1 else "\n        " + ",\n        ".join(headers) + ",\n    ",
        shown=PYTHON_FOLLOWED if example.is_stream else PYTHON_SHOWN,
    )


def _literal(example: Example) -> str:
    """The variables as Python writes them."""
    if not example.variables:
        return "{}"
    written = JSON_WORDS.sub(lambda found: PYTHON_WORDS.get(found[0], found[0]), _json(example.variables))
    return written.replace("\n", "\n    ")


def javascript(example: Example, address: str) -> str:
    """For Node 18 and later."""
    headers = ['"Content-Type": "application/json"']
    headers += [f"Authorization: `Bearer ${{process.env.{CREDENTIAL}}}`"] * (not example.is_open)
    headers += ['Accept: "text/event-stream"'] * example.is_stream
    return JAVASCRIPT.format(
        address=address,
        document=example.document,
        variables=_json(example.variables).replace("\n", "\n  ") if example.variables else "{}",
        headers=", ".join(headers),
        shown=JAVASCRIPT_FOLLOWED if example.is_stream else JAVASCRIPT_SHOWN,
    )


def _json(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) < 100 else json.dumps(value, indent=2, ensure_ascii=False)


PROGRAMS: dict[str, Callable[[Example, str], str]] = {"curl": curl, "Python": python, "JavaScript": javascript}
