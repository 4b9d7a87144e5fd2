"""From a letter's row to the mail: secrets are made here, from the service's key, and stored nowhere (G3)."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from engine.database import Row
from mailers import letters
from mailers.letters import Envelope, Mail
from models.session import reset_token

Facts = Mapping[str, Any]
Compose = Callable[[Envelope, Facts, str], Mail]


def composed(letter: Row, public_url: str) -> Mail:
    """The letter as a mail."""
    compose = KINDS.get(letter["kind"])
    if compose is None:
        raise LookupError(f"There is no letter of kind {letter['kind']!r}.")
    envelope = Envelope(str(letter["id"]), letter["address"], letter["language"], letter["written_at"])
    return compose(envelope, letter["facts"], public_url)


def _password_reset(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    token = reset_token(UUID(facts["reset_id"]))
    return letters.password_reset(envelope, f"{public_url}/reset-password#{token}")


KINDS: dict[str, Compose] = {"password_reset": _password_reset}
