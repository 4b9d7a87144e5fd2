"""One-time passwords of staff (RFC 6238). The secret is sealed from the service's key, so it is stored nowhere."""

import base64
import hmac
import unicodedata
from datetime import datetime
from uuid import UUID

import pyotp
from tortoise import fields
from tortoise.models import Model

from engine import keys

ISSUER = "Seiseki"
STEP_SECONDS = 30
SECRET_BYTES = 20  # as many as SHA-1 gives, which is what authenticators know
DRIFT = (-1, 0, 1)  # steps by which a clock may be off


class StaffTotp(Model):
    """That a member of staff has an authenticator. `last_step` is the last time step used: each code counts once."""

    staff_id: UUID = fields.UUIDField(primary_key=True)
    secret_version = fields.IntField(default=1)
    confirmed_at = fields.DatetimeField(null=True)
    last_step = fields.BigIntField(default=0)

    class Meta:
        table = "staff_totp"


def _totp(staff_id: UUID, version: int) -> pyotp.TOTP:
    secret = keys.seal("totp", f"{staff_id}:{version}")[:SECRET_BYTES]
    return pyotp.TOTP(base64.b32encode(secret).decode(), interval=STEP_SECONDS)


def otpauth(staff_id: UUID, version: int, email: str) -> str:
    """The address that an authenticator is set up with; whoever has it can make every code."""
    return _totp(staff_id, version).provisioning_uri(name=email, issuer_name=ISSUER)


def code_at(staff_id: UUID, version: int, now: datetime) -> str:
    """The code of this moment."""
    return _totp(staff_id, version).at(now)


def step_of(staff_id: UUID, version: int, code: str, now: datetime, last_step: int) -> int | None:
    """The time step that a code belongs to, one early or late at most and none that was used; None for a wrong code."""
    totp = _totp(staff_id, version)
    typed = "".join(unicodedata.normalize("NFKC", code[:20]).split()).encode("utf-8", "surrogatepass")
    step = int(now.timestamp()) // STEP_SECONDS
    right = [one for one in (step + drift for drift in DRIFT) if hmac.compare_digest(_code(totp, one), typed)]
    return next((one for one in right if one > last_step), None)


def _code(totp: pyotp.TOTP, step: int) -> bytes:
    return totp.generate_otp(step).encode()
