"""DKIM: a signature over a mail, so that receivers can tell it is ours (RFC 6376, RFC 8463)."""

import base64
import hashlib
import re
from datetime import datetime
from email.utils import parseaddr
from typing import Any

import dkim
from dkim.crypto import (
    DigestTooLargeError,
    RSASSA_PKCS1_v1_5_sign,
    RSASSA_PKCS1_v1_5_verify,
    UnparsableKeyError,
    parse_pem_private_key,
)

from settings import Settings

SIGNED = [
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"content-type",
    b"mime-version",
    b"auto-submitted",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
]
SHORTEST_RSA_BITS = 1024  # receivers take no signature of a shorter one (RFC 8301)
SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----(.+?)-----END", re.DOTALL)
ED25519 = re.compile(rb"\x06\x03\x2b\x65\x70\x04\x22\x04\x20(.{32})", re.DOTALL)  # its name in PKCS#8, then the key
UNUSABLE = (dkim.DKIMException, DigestTooLargeError, UnparsableKeyError, ValueError, TypeError, LookupError)


class Signer:
    """Signs mails of one domain with the key whose public half stands under `selector` in the domain's DNS.

    Raises ValueError for a key that cannot sign.
    """

    def __init__(self, pem: bytes, selector: str, domain: str) -> None:
        self.algorithm, self.key = _key_in(pem.replace(b"\r\n", b"\n"))
        self.selector = selector.encode("ascii")
        self.domain = domain.encode()

    def signed(self, written: bytes, at: datetime) -> bytes:
        """The mail with its signature in front, which says that it was signed at this moment."""
        signing = _Signing(written, signature_algorithm=self.algorithm)
        signing.at = at
        there = {name.lower() for name, _ in signing.headers}
        names = [name for name in SIGNED if name in there]
        header: bytes = signing.sign(
            self.selector,
            self.domain,
            self.key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[*names, b"from"],  # once more, so that nobody adds a second sender
        )
        return header + written


class _Signing(dkim.DKIM):  # type: ignore[misc]  # it has no types
    """dkimpy dates each signature with the present, which would make every try another mail."""

    at: datetime

    def gen_header(self, fields: list[tuple[bytes, bytes]], *options: Any) -> bytes:
        moment = str(int(self.at.timestamp())).encode("ascii")
        dated = [(name, moment if name == b"t" else value) for name, value in fields]
        header: bytes = super().gen_header(dated, *options)
        return header


def signer_of(settings: Settings) -> Signer | None:
    """The signer, where these settings have a key; raises ValueError with the name of the variable at fault."""
    if settings.dkim_key is None and settings.dkim_selector is None:
        return None
    if settings.dkim_key is None:
        raise ValueError("DKIM_KEY must be set where DKIM_SELECTOR is.")
    if not SELECTOR.fullmatch(settings.dkim_selector or ""):
        raise ValueError("DKIM_SELECTOR must be set where DKIM_KEY is, to the name that the public key has in DNS.")
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2]
    try:
        return Signer(settings.dkim_key.read_bytes(), settings.dkim_selector or "", domain)
    except OSError as error:
        raise ValueError(f"DKIM_KEY cannot be read: {error.strerror}.") from error
    except UNUSABLE as error:
        raise ValueError(
            "DKIM_KEY must be the path of a private key in PEM without a passphrase: "
            f"Ed25519, or RSA of {SHORTEST_RSA_BITS} bits or more."
        ) from error


def _key_in(pem: bytes) -> tuple[bytes, bytes]:
    """The algorithm and the key, as dkimpy takes it."""
    private = PEM.search(pem)
    seed = ED25519.search(base64.b64decode(private[1])) if private else None
    if seed is not None:
        return b"ed25519-sha256", base64.b64encode(seed[1])
    parts, probe = parse_pem_private_key(pem), hashlib.sha256()
    if parts["modulus"].bit_length() < SHORTEST_RSA_BITS:
        raise ValueError("The key is too short.")
    if not RSASSA_PKCS1_v1_5_verify(probe, RSASSA_PKCS1_v1_5_sign(probe, parts), parts):
        raise ValueError("The parts of the key do not belong together.")
    return b"rsa-sha256", pem
