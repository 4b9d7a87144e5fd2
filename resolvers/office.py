"""In whose name documents are made, where the site is, when it works, and the key that signs: set once per process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from documents.signing import Signer, own_signer, signer_of
from models.working_days import Calendar
from settings import Settings


@dataclass(frozen=True, slots=True)
class Office:
    """The organisation, the site's address, the working days, whether it is in earnest, and the signer: None where
    there are no statements."""

    organisation: str
    site: str
    calendar: Calendar
    is_production: bool
    signer: Callable[[], Signer] | None


_office: Office | None = None


def use(settings: Settings) -> None:
    """Set in whose name this process makes documents; raises ValueError where the key cannot be used."""
    global _office
    calendar = Calendar(settings.timezone, settings.holidays)
    _office = Office(settings.organisation, settings.public_url, calendar, settings.production, _signer(settings))


def office() -> Office:
    """In whose name this process makes documents."""
    if _office is None:
        raise RuntimeError("Nobody has said in whose name documents are made.")
    return _office


def _signer(settings: Settings) -> Callable[[], Signer] | None:
    """A given key is read now, so that a wrong one is told at the start; our own is made when it is first needed."""
    if not settings.statements:
        return None
    if settings.signing_key and settings.signing_cert:
        given = signer_of(settings.signing_key, settings.signing_cert)
        return lambda: given
    if settings.production:
        return None
    return cache(lambda: own_signer(settings.var / "signing.pem", settings.organisation))
