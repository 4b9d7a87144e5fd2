"""Limits as HTTP tells them: the fields of draft-ietf-httpapi-ratelimit-headers-11, beside what `extensions` tell.

The draft's units are requests and bytes. Ours are points, which a program that only knows the draft must not take for
requests; so they are named, although they are not registered.
"""

from datetime import datetime
from typing import Any

from engine.allowance import WINDOW, AllowanceUsedUp, Left
from transport.gates import TooMany

SECONDS = round(WINDOW.total_seconds())


def headers(left: Left | None, now: datetime) -> dict[str, str]:
    """What is left, of each allowance that the operation counts against; nothing where none does."""
    if left is None:
        return {}
    after = left.seconds(now)
    policies = (f'"{one.name}";q={one.most};qu="points";w={SECONDS}' for one in left.quotas)
    limits = (f'"{one.name}";r={one.remaining};t={after}' for one in left.quotas)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)}


def headers_of_refusal(error: AllowanceUsedUp, now: datetime) -> dict[str, str]:
    """The same, and when to come back."""
    return headers(error.left, now) | {"Retry-After": str(error.left.seconds(now))}


def facts(error: AllowanceUsedUp) -> dict[str, Any]:
    """What the refusal tells beside its sentence."""
    return {
        "of": error.short.name,
        "cost": error.cost,
        "limit": error.short.most,
        "remaining": error.short.remaining,
        "resetsAt": error.left.resets_at.isoformat(),
    }


def headers_of_gate(error: TooMany) -> dict[str, str]:
    """How many of a thing there may be at one time; all of them are there."""
    name = error.things
    return {
        "RateLimit-Policy": f'"{name}";q={error.most};qu="concurrent-requests"',
        "RateLimit": f'"{name}";r=0',
        "Retry-After": "1",
    }
