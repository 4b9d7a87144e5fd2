"""Which network addresses are anybody's on the internet, and not this machine's, this network's or this cloud's."""

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries, as of 2026; Python's own `is_global` changes with its patch releases.
NOT_PUBLIC_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32",  # Azure's own services, seen by machines there
        ),
    )
)  # fmt: skip
PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
# Within it: protocols' own, tunnels that end at an IPv4 address of anybody's choice, documentation, and sinks.
NOT_PUBLIC_6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)


def is_public(address: str) -> bool:
    """Whether a resolved address is a public one; whatever cannot be read is none.

    IPv4 within IPv6 (mapped, NAT64, 6to4, Teredo) lies outside of what is public here.
    """
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in NOT_PUBLIC_4)
    return found.scope_id is None and found in PUBLIC_6 and not any(found in network for network in NOT_PUBLIC_6)


def written_address(host: str) -> str | None:
    """The address that a host is, in whatever way it is written (decimal, octal, short); None for a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None


def all_public(addresses: Sequence[str]) -> bool:
    """Whether there is an address, and none that is not public."""
    return bool(addresses) and all(map(is_public, addresses))
