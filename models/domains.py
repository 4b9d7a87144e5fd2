"""Domains of sites and addresses: whose they are, and which ones anybody can have an address at (O4)."""

from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

LISTS = Path(__file__).parent / "lists"


def registrable(host: str) -> str | None:
    """The domain of a host that somebody has registered: `kyoto-u.ac.jp` of `www.kyoto-u.ac.jp`.

    None for an address by numbers, and for a domain under which others register theirs, such as `ac.jp`.
    """
    labels = _ascii(host).rstrip(".").split(".")
    if not all(labels) or labels[-1].isdigit():
        return None
    taken = _suffix_length(labels) + 1
    return ".".join(labels[-taken:]) if len(labels) >= taken else None


def domain_of_site(website: str) -> str | None:
    """The registrable domain of a site's address."""
    try:
        host = urlsplit(website).hostname
    except ValueError:
        return None
    return registrable(host) if host else None


def domain_of_email(email: str) -> str | None:
    """The registrable domain of a mail address."""
    return registrable(email.rpartition("@")[2].strip())


def is_free_mail(email: str) -> bool:
    """Whether anybody can have an address at this domain, or one below it."""
    labels = _ascii(email.rpartition("@")[2].strip()).split(".")
    return any(".".join(labels[place:]) in _free_mail() for place in range(len(labels)))


def _suffix_length(labels: list[str]) -> int:
    """How many labels are a public suffix: the longest rule counts, an exception goes before, any name is one."""
    for place in range(len(labels)):
        name = ".".join(labels[place:])
        if f"!{name}" in _suffixes():
            return len(labels) - place - 1
        if name in _suffixes() or f"*.{'.'.join(labels[place + 1 :])}" in _suffixes():
            return len(labels) - place
    return 1


def _ascii(host: str) -> str:
    """A host as it is asked for in the network: `xn--…` for other scripts; what cannot be is left as it is."""
    try:
        return host.strip().lower().encode("idna").decode()
    except UnicodeError:
        return host.strip().lower()


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(_rule(line) for line in _lines("public_suffixes.txt", "//"))


def _rule(line: str) -> str:
    sign = line[: len(line) - len(line.lstrip("!*."))]
    return sign + _ascii(line[len(sign) :])


@cache
def _free_mail() -> frozenset[str]:
    return frozenset(_lines("free_mail.txt", "#"))


def _lines(name: str, remark: str) -> list[str]:
    lines = (LISTS / name).read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(remark)]
