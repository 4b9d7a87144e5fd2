"""One-time passwords of staff (RFC 6238). The secret is sealed from the service's key, so it is stored nowhere."""

from uuid import UUID

from tortoise import fields
from tortoise.models import Model


class StaffTotp(Model):
    """That a member of staff has an authenticator. `last_step` is the last time step used: each code counts once."""

    staff_id: UUID = fields.UUIDField(primary_key=True)
    secret_version = fields.IntField(default=1)
    confirmed_at = fields.DatetimeField(null=True)
    last_step = fields.BigIntField(default=0)

    class Meta:
        table = "staff_totp"
