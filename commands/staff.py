"""`cli.py staff add|list|reset|code` and `cli.py centres add|list`: the accounts that nobody applies for."""

import argparse
import sys
from datetime import timedelta
from typing import Any

import segno

from engine.clock import ahead, system_clock
from errors import InvalidInput
from models.entry import Centre
from models.verifier import StaffRole
from resolvers import centres, staff
from settings import Settings


def add_to(commands: Any) -> None:
    """The commands and their options."""
    accounts = commands.add_parser("staff", help="accounts of the board's and of centres' staff, and of proctors")
    named = accounts.add_subparsers(dest="staff", required=True)
    adding = named.add_parser("add", help="make an account; its password is shown once")
    adding.add_argument("--name", required=True)
    adding.add_argument("--email", required=True, help="the log-in name")
    adding.add_argument("--role", required=True, choices=[role.value.lower() for role in StaffRole])
    adding.add_argument("--centre", metavar="NUMBER", help="of a centre's staff: which one")
    adding.set_defaults(run=_add)
    named.add_parser("list", help="who there is").set_defaults(run=_list)
    resetting = named.add_parser("reset", help="a new password and authenticator; the old ones and sessions end")
    resetting.add_argument("email")
    resetting.set_defaults(run=_reset)
    code = named.add_parser("code", help="the one-time code of this moment; not in production")
    code.add_argument("email")
    code.add_argument("--ahead", type=int, default=0, metavar="SECONDS", help="as the service was told, if it was")
    code.set_defaults(run=_code)
    _add_centres(commands)


def _add_centres(commands: Any) -> None:
    parser = commands.add_parser("centres", help="the exam centres")
    named = parser.add_subparsers(dest="centres", required=True)
    adding = named.add_parser("add", help="add a centre")
    for name in ("number", "name", "city", "country"):
        adding.add_argument(f"--{name}", required=True, help="2 letters, such as JP" if name == "country" else None)
    adding.set_defaults(run=_add_centre)
    named.add_parser("list", help="which there are").set_defaults(run=_list_centres)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _refused(refusal: InvalidInput) -> int:
    sys.stderr.write(f"{refusal}\n")
    return 2


async def _add(options: argparse.Namespace, _: Settings) -> int:
    try:
        role = StaffRole[options.role.upper()]
        access = await staff.add(options.name, options.email, role, options.centre, system_clock())
    except InvalidInput as refusal:
        return _refused(refusal)
    return _tell(access)


async def _reset(options: argparse.Namespace, _: Settings) -> int:
    try:
        access = await staff.reset(options.email, system_clock())
    except InvalidInput as refusal:
        return _refused(refusal)
    return _tell(access)


def _tell(access: staff.Access) -> int:
    """What is told once and never again."""
    _say(f"log-in:    {access.staff.email}", f"password:  {access.password}")
    if access.otpauth:
        _say("Scan this with an authenticator; each of its codes lets them in once:")
        segno.make(access.otpauth).terminal(out=sys.stdout, compact=True)
        _say(access.otpauth)
    _say("This is shown once. Whoever sees it can log in: pass it on by a safe way.")
    return 0


async def _list(_: argparse.Namespace, __: Settings) -> int:
    for one in await staff.every():
        where = f"centre {one['centre']}" if one["centre"] else str(one["role"]).lower()
        code = "" if one["centre"] else ("authenticator in use" if one["has_used_code"] else "no code used yet")
        _say(f"{one['email']}  {one['name']}  {where}  {code}".rstrip())
    return 0


async def _code(options: argparse.Namespace, settings: Settings) -> int:
    if settings.production:
        sys.stderr.write("Not in production: there the authenticator tells the code.\n")
        return 2
    try:
        code = await staff.code(options.email, ahead(timedelta(seconds=options.ahead))())
    except InvalidInput as refusal:
        return _refused(refusal)
    _say(code or "This account needs no code.")
    return 0


async def _add_centre(options: argparse.Namespace, _: Settings) -> int:
    try:
        await centres.add(Centre(**{name: getattr(options, name) for name in ("number", "name", "city", "country")}))
    except InvalidInput as refusal:
        return _refused(refusal)
    _say(f"Centre {options.number} is there.")
    return 0


async def _list_centres(_: argparse.Namespace, __: Settings) -> int:
    for one in await centres.every():
        _say(f"{one['number']}  {one['name']}, {one['city']}, {one['country']}")
    return 0
