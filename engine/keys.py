"""Sealing with the service's own key, which is never in the database, and tokens that are stored hashed."""

import base64
import binascii
import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12

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


def sealed_id(purpose: str, id: UUID) -> str:
    """A token that names a row, safe in addresses; it need not be stored, and serves this purpose alone."""
    return base64.urlsafe_b64encode(id.bytes + seal(purpose, str(id))).decode()


def id_in(purpose: str, token: str) -> UUID | None:
    """The id in a token of `sealed_id`; None for anything that we did not make for this purpose."""
    try:
        id = UUID(bytes=base64.urlsafe_b64decode(token.encode("ascii"))[:16])
    except (binascii.Error, ValueError):
        return None
    return id if hmac.compare_digest(sealed_id(purpose, id), token) else None


def box(purpose: str) -> AESGCM:
    """What locks things of this purpose, and opens them; each needs a nonce of its own."""
    return AESGCM(seal("locked", purpose))


def new_nonce() -> bytes:
    """A nonce, by chance."""
    return secrets.token_bytes(NONCE)


def locked(purpose: str, name: str, content: bytes) -> bytes:
    """The content as only a holder of the key can read it, under this name (AES-256-GCM)."""
    nonce = new_nonce()
    return nonce + box(purpose).encrypt(nonce, content, f"{purpose}:{name}".encode())


def unlocked(purpose: str, name: str, content: bytes) -> bytes | None:
    """What was locked under this name; None for anything that we did not lock, or under another one."""
    try:
        return box(purpose).decrypt(content[:NONCE], content[NONCE:], f"{purpose}:{name}".encode())
    except (InvalidTag, ValueError):
        return None


def new_token() -> str:
    """A random token, 256 bits, safe in addresses."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """What is stored of a random token: 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
