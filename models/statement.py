"""The token on a Statement of Results, which opens the check page for its number and version alone (R8, V6)."""

import base64
import binascii
import hmac

from engine import keys

VERSION_BYTES = 2
SEAL_BYTES = 16  # 128 bits: too many to try, few enough for a small QR code


def check_token(number: str, version: int) -> str:
    """24 signs, safe in addresses, that only this version of this statement carries; nothing of it is stored."""
    seal = keys.seal("statement", f"{number}:{version}")[:SEAL_BYTES]
    return base64.urlsafe_b64encode(version.to_bytes(VERSION_BYTES, "big") + seal).decode()


def version_in(number: str, token: str) -> int | None:
    """Which version of this statement a token stands on; None for anything that we did not make for this number."""
    try:
        version = int.from_bytes(base64.urlsafe_b64decode(token.encode("ascii"))[:VERSION_BYTES], "big")
    except (binascii.Error, ValueError):
        return None
    return version if hmac.compare_digest(check_token(number, version), token) else None


def check_address(site: str, number: str, version: int) -> str:
    """Where the QR code leads; what follows the # stays in the browser and in no log (G3)."""
    return f"{site}/check#{number}.{check_token(number, version)}"
