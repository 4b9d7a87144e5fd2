"""Time zones; countries, and the zone of those that have just one."""

from collections import defaultdict
from functools import cache
from importlib.resources import files
from zoneinfo import available_timezones

UNKNOWN = "UTC"
NO_PLACES = {"localtime", "Factory"}  # where this machine stands, and where nobody has said


@cache
def places() -> frozenset[str]:
    """Every zone that people live by; looked for once, as it takes milliseconds."""
    return frozenset(available_timezones() - NO_PLACES)


@cache
def countries() -> frozenset[str]:
    """Every country there is, ISO 3166 alpha-2."""
    return frozenset(line.split("\t")[0] for line in _lines("iso3166.tab"))


def of_country(country: str) -> str:
    """The IANA name of a country's only zone; UTC where it has several, or is none."""
    zones = _zones().get(country, [])
    return zones[0] if len(zones) == 1 else UNKNOWN


@cache
def _zones() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in _lines("zone.tab"):
        country, _, zone = line.split("\t")[:3]
        found[country].append(zone)
    return dict(found)


def _lines(name: str) -> list[str]:
    text = files("tzdata.zoneinfo").joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
