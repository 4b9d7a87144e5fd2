"""The pages as bytes: rendered once for a process, told apart by their digest, sent compressed to whom that suits."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from schema.costs import cost_of
from transport import operations as door
from transport.developers import words
from transport.developers.codes import CODES
from transport.developers.operations import GROUPS
from transport.developers.programs import CREDENTIAL, PROGRAMS
from transport.measure import MUTATION_COST
from transport.requests import LARGEST_BODY

FOLDER = Path(__file__).with_name("templates")
RECEIVERS = Path(__file__).with_name("receivers")
VERIFYING = {"Python": "verify.py.txt", "JavaScript": "verify.js.txt"}  # how a webhook's receiver knows a message


@dataclass(frozen=True, slots=True)
class Page:
    """A page that never changes while the process lives."""

    plain: bytes
    compressed: bytes
    digest: str

    @classmethod
    def of(cls, text: str) -> "Page":
        """A page of this text."""
        plain = text.encode()
        return cls(plain, gzip.compress(plain, mtime=0), hashlib.sha256(plain).hexdigest())

    def answer(self, request: Request, media_type: str, headers: dict[str, str]) -> Response:
        """The page, or that the reader's is still the one."""
        tag = f'W/"{self.digest[:32]}"'
        kept = headers | {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=kept)
        if "gzip" not in request.headers.get("accept-encoding", "").lower():
            return Response(self.plain, headers=kept, media_type=media_type)
        return Response(self.compressed, headers=kept | {"Content-Encoding": "gzip"}, media_type=media_type)


@cache
def pages(address: str) -> dict[str, Page]:
    """Every page by the last part of its address, as the service at this address shows it; the first is ``."""
    environment = _environment(address)
    shown = {"": environment.get_template("guide.html").render(page="")}
    for group in GROUPS:
        shown[group.slug] = environment.get_template("operations.html").render(page=group.slug, group=group)
    shown["types"] = environment.get_template("types.html").render(page="types", types=words.types())
    return {name: Page.of(text) for name, text in shown.items()}


def _environment(address: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "told": words.told,
        "typed": words.typed,
        "default_of": words.default,
        "linked": words.linked,
    }
    environment.filters |= {"kind": words.kind_of, "weight": cost_of}
    environment.globals |= {
        "address": address,
        "groups": GROUPS,
        "programs": PROGRAMS,
        "credential": CREDENTIAL,
        "codes": CODES,
        "known": {one.name: f"/developers/{group.slug}#{one.name}" for group in GROUPS for one in group.operations},
        "most": door.MOST,
        "mutation_cost": MUTATION_COST,
        "largest_body": LARGEST_BODY,
        "verifying": {name: (RECEIVERS / file).read_text("utf-8").strip() for name, file in VERIFYING.items()},
    }
    return environment
