"""Electronic signatures on documents: PAdES B-B, made so that the same document is signed with the same bytes.

Nothing of it comes from chance or the clock: the time in it is the document's own, the document's id is a hash, and
the key is RSA (PKCS #1 v1.5) or Ed25519, whose signatures are the same each time.
"""

import asyncio
import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import SignatureObject
from pyhanko.sign.signers.pdf_cms import Signer as CmsSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

FIELD = "Signature"
BESIDE_CERTIFICATES = 2048  # bytes of a signature without its certificates, at most
# A certificate made by ourselves holds for every document that we may have to make again.
FROM, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and its certificate, ready to sign; `chain` leads from the certificate to its root, where there is more."""

    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    def signed(self, pdf: bytes, moment: datetime) -> bytes:
        """The PDF with a signature over all of it, after which nothing may be changed.

        `moment` (UTC) is when it says it was signed; not before its certificate began to hold.
        """
        writer = _Writer(BytesIO(pdf))
        embedder = PdfCMSEmbedder().write_cms(field_name=FIELD, writer=writer)
        next(embedder)
        embedder.send(SigObjSetup(self._place(moment), SigMDPSetup(self._digest, True, None, MDPPerm.NO_CHANGES)))
        digest, written = embedder.send(SigIOSetup(self._digest))
        # a loop of its own: this runs in a thread that has none
        embedder.send(asyncio.run(_Cms(self).async_sign(digest.document_digest, self._digest, use_pades=True)))
        signed: bytes = written.getvalue()
        return signed

    @property
    def _digest(self) -> str:
        return "sha512" if isinstance(self.key, Ed25519PrivateKey) else "sha256"  # Ed25519 knows no other

    def _place(self, moment: datetime) -> SignatureObject:
        certificates = sum(len(_der(one)) for one in (self.certificate, *self.chain))
        return SignatureObject(
            bytes_reserved=2 * (certificates + BESIDE_CERTIFICATES),
            subfilter=SigSeedSubFilter.PADES,
            timestamp=max(moment, self.certificate.not_valid_before_utc).replace(microsecond=0),
        )


def signer_of(key: Path, certificate: Path) -> Signer:
    """The signer of two PEM files, which may be one; raises ValueError with what is wrong with them."""
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        first, *others = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"SIGNING_KEY and SIGNING_CERT must be PEM files, the key without password: {error}") from None
    if not isinstance(private, PrivateKey):
        raise ValueError("SIGNING_KEY must be RSA or Ed25519: others sign the same document differently each time.")
    if private.public_key() != first.public_key():
        raise ValueError("SIGNING_KEY does not belong to the first certificate of SIGNING_CERT.")
    return Signer(private, first, tuple(others))


def own_signer(path: Path, organisation: str) -> Signer:
    """A signer of our own making, kept in one file; for development, because nobody else trusts it."""
    if not path.exists():
        _keep(path, made_pem(organisation, generate_private_key(65537, 3072)))
    return signer_of(path, path)


def made_pem(organisation: str, key: PrivateKey) -> bytes:
    """A key and a certificate that it signed itself, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, organisation[:64])])
    for_signing = x509.KeyUsage(True, True, *[False] * 7)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), FROM, UNTIL)
        .add_extension(for_signing, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256() if isinstance(key, RSAPrivateKey) else None)
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption()) + certificate.public_bytes(pem)


def _keep(path: Path, made: bytes) -> None:
    """Write the file whole or not at all; of two processes that start at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(made)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()


class _Writer(IncrementalPdfFileWriter):
    """Adds to a PDF what the signature needs and nothing else; the library would add chance and the clock."""

    @classmethod
    def _handle_id(cls, prev: Any) -> Any:
        first, _ = prev.trailer["/ID"]
        prev.stream.seek(0)
        return generic.ArrayObject([first, generic.ByteStringObject(hashlib.md5(prev.stream.read()).digest())])  # noqa: S324  # a name

    def _update_meta(self) -> None:
        """The metadata say when the document was made, and PDF/A wants all places to say the same."""


class _Cms(CmsSigner):
    """Signs with a key that was read once: the library's own signer reads and checks it each time."""

    def __init__(self, signer: Signer) -> None:
        registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # its own types are incomplete
        registry.register_multiple(_asn1(one) for one in signer.chain)
        super().__init__(signing_cert=_asn1(signer.certificate), cert_registry=registry)
        self.key = signer.key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(data)
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _asn1(certificate: x509.Certificate) -> Any:
    return asn1_x509.Certificate.load(_der(certificate))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
