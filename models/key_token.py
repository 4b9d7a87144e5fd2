"""How keys of the API are written (P1): so that programs find one that was left somewhere, and a slip is seen at once.

    sk_seiseki_ | 6 signs that are shown again | 43 signs, the secret | 6 signs, a checksum of all before

The secret is more than 256 random bits. Elsewhere than in production a key begins with `sk_seisekidev_`, so that one of
a trial is refused in production, and the other way round, before anybody looks for it.
"""

import re
import secrets
import string
import zlib

SIGNS = string.digits + string.ascii_uppercase + string.ascii_lowercase
PRODUCTION, ELSEWHERE = "sk_seiseki_", "sk_seisekidev_"
SHOWN, SECRET, CHECKSUM = 6, 43, 6
FORM = re.compile(rf"(sk_seiseki(?:dev)?_)([0-9A-Za-z]{{{SHOWN + SECRET}}})([0-9A-Za-z]{{{CHECKSUM}}})")
BEGINS = "sk_seiseki"


def mark(is_production: bool) -> str:
    """What every key of such a deployment begins with."""
    return PRODUCTION if is_production else ELSEWHERE


def new(is_production: bool) -> str:
    """A key that nobody has."""
    said = mark(is_production) + "".join(secrets.choice(SIGNS) for _ in range(SHOWN + SECRET))
    return said + checksum(said)


def shown(key: str) -> str:
    """The part of a key that may be shown, by which its owner tells it from others."""
    return key[: -(SECRET + CHECKSUM)]


def is_meant(token: str) -> bool:
    """Whether this is written as a key, a wrong one perhaps; no session's token is."""
    return token.startswith(BEGINS)


def is_whole(token: str, is_production: bool) -> bool:
    """Whether this can be a key of such a deployment; nothing is asked of the database for any other."""
    found = FORM.fullmatch(token)
    return found is not None and found[1] == mark(is_production) and found[3] == checksum(found[1] + found[2])


def checksum(said: str) -> str:
    """CRC-32 in the signs of keys: it finds slips, and proves nothing."""
    number, signs = zlib.crc32(said.encode()), ""
    for _ in range(CHECKSUM):
        number, place = divmod(number, len(SIGNS))
        signs = SIGNS[place] + signs
    return signs
