"""Sealing with the service's own key, which is never in the database, and tokens that are stored hashed."""

import hashlib
import hmac
import secrets

_key = b""


def use(key: bytes) -> None:
    """Set this process's key; every process on one database must have the same."""
    global _key
    _key = key


def seal(purpose: str, text: str) -> bytes:
    """32 bytes that only a holder of the key can make for this purpose and text."""
    if not _key:
        raise RuntimeError("The service's key is not set.")
    return hmac.digest(_key, f"{purpose}:{text}".encode(), hashlib.sha256)


def new_token() -> str:
    """A random token, 256 bits, safe in addresses."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """What is stored of a random token: 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
