"""Accounts of staff, made and reset on the machine: nobody applies for one (A4)."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import database, hashing
from engine.database import Row
from engine.limits import forget
from errors import InvalidInput, Problem
from models.entry import HOME, Centre
from models.totp import StaffTotp, code_at, otpauth
from models.verifier import StaffRole, StaffUser
from models.viewer import Kind
from resolvers import passwords
from resolvers.candidates import email_problems
from resolvers.sessions import LOGIN_LOCKS

SIGNS = "abcdefghjkmnpqrstuvwxyz"  # that nobody takes for others
GROUPS, SIGNS_OF_GROUP, DIGITS = 4, 4, 4


@dataclass(frozen=True, slots=True)
class Access:
    """What a member of staff logs in with, told once; `otpauth` sets up an authenticator, where one is needed."""

    staff: StaffUser
    password: str
    otpauth: str | None


async def add(name: str, email: str, role: StaffRole, centre_number: str | None, now: datetime) -> Access:
    """A new account, of the board or of a centre. Raises InvalidInput."""
    email = email.strip()
    problems = email_problems(email, email)
    centre = await Centre.get_or_none(number=centre_number) if centre_number and centre_number != HOME else None
    if not name.strip():
        problems.append(Problem("name", "The name is missing."))
    if role is StaffRole.CENTRE and centre is None:
        problems.append(Problem("centre", "Staff of a centre need the number of a centre that there is."))
    if role is not StaffRole.CENTRE and centre_number:
        problems.append(Problem("centre", "Only staff of a centre have one."))
    if await _by_email(email):
        problems.append(Problem("email", "There is an account with this address already."))
    if problems:
        raise InvalidInput(problems)
    password = _new_password()
    password_hash = await hashing.hash_password(password)
    facts: dict[str, Any] = {"name": name.strip(), "email": email, "role": role}
    async with database.transaction():
        staff = await StaffUser.create(
            **facts, centre_id=centre.id if centre else None, password_hash=password_hash, created_at=now
        )
        return Access(staff, password, await equip(staff))


async def equip(staff: StaffUser) -> str | None:
    """Give the board's staff and proctors an authenticator, which a centre's do without; what sets it up."""
    if staff.role is StaffRole.CENTRE:
        return None
    totp, _ = await StaffTotp.get_or_create(staff_id=staff.id)
    return otpauth(staff.id, totp.secret_version, staff.email)


async def reset(email: str, now: datetime) -> Access:
    """A new password and a new authenticator: the old ones, and all sessions, end. Raises InvalidInput."""
    found = _there(await _by_email(email))
    password = _new_password()
    password_hash = await hashing.hash_password(password)
    async with database.transaction():
        staff = await StaffUser.get(id=found["id"])
        staff.password_hash = password_hash
        await staff.save(update_fields=["password_hash"])
        await database.rows(
            "UPDATE staff_totp SET secret_version = secret_version + 1, confirmed_at = NULL WHERE staff_id = :id",
            id=staff.id,
        )
        await passwords.settle(Kind.STAFF, staff.id, now)
        access = Access(staff, password, await equip(staff))
    await forget(LOGIN_LOCKS[Kind.STAFF], staff.email.strip().casefold())
    return access


async def code(email: str, now: datetime) -> str | None:
    """The code of this moment, for who develops the service; None for who needs none. Raises InvalidInput."""
    found = _there(await _by_email(email))
    totp = await StaffTotp.get_or_none(staff_id=found["id"])
    return None if totp is None else code_at(found["id"], totp.secret_version, now)


async def every() -> list[Row]:
    """All accounts, by role and name."""
    return await database.rows(
        """SELECT staff_user.name, staff_user.email, staff_user.role, centre.number AS centre,
                  staff_totp.confirmed_at IS NOT NULL AS has_used_code
           FROM staff_user LEFT JOIN centre ON centre.id = staff_user.centre_id
           LEFT JOIN staff_totp ON staff_totp.staff_id = staff_user.id ORDER BY role, staff_user.name, email"""
    )


async def _by_email(email: str) -> Row | None:
    return await database.row("SELECT id FROM staff_user WHERE lower(email) = lower(:email)", email=email.strip())


def _there(found: Row | None) -> Row:
    """The account; raises InvalidInput when there is none."""
    if found is None:
        raise InvalidInput([Problem("email", "There is no account of staff with this address.")])
    return found


def _new_password() -> str:
    """Such as `kwmd-tqzr-hbxe-fnvy-4917`: some 85 bits, easy to type from paper."""
    groups = ["".join(secrets.choice(SIGNS) for _ in range(SIGNS_OF_GROUP)) for _ in range(GROUPS)]
    return "-".join([*groups, f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"])
