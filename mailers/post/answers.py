"""What became of a mail that was not taken, read from the server's answer."""

import re

import aiosmtplib

LONGEST_REASON = 500
ENHANCED = re.compile(r"5\.(\d{1,3})\.(\d{1,3})\b")
FAULTS = (aiosmtplib.SMTPException, OSError)  # all that aiosmtplib raises for what servers and networks do


class TryLater(Exception):
    """The mail was not taken now; it may be, later."""


class ServerAway(TryLater):
    """The server cannot be reached or takes no mail from us, which says nothing about this one."""


class Lost(TryLater):
    """The connection is of no use any more."""


class Refused(Exception):
    """The mail will never be taken."""


class AddressRefused(Refused):
    """No mail to this address will ever be taken."""


def of_receiver(error: aiosmtplib.SMTPResponseException) -> TryLater | Refused:
    """What a refusal of the receiver's address means."""
    told = reason(error)
    if error.code == 421:  # the server hangs up
        return Lost(told)
    if error.code == 530:  # it wants a log-in, and some say so only here
        return ServerAway(told)
    if not _for_good(error):
        return TryLater(told)
    return AddressRefused(told) if _blames_the_address(error) else Refused(told)


def of_mail(error: aiosmtplib.SMTPResponseException) -> TryLater | Refused:
    """What a refusal of the mail itself means."""
    return Refused(reason(error)) if _for_good(error) else TryLater(reason(error))


def _for_good(error: aiosmtplib.SMTPResponseException) -> bool:
    return 500 <= error.code < 600


def _blames_the_address(error: aiosmtplib.SMTPResponseException) -> bool:
    """Whether it is the address that is wrong, not a full mailbox (5.2.2) or a policy (5.7.x); RFC 3463."""
    enhanced = ENHANCED.match(error.message)
    if enhanced is None:
        return error.code in (550, 551, 553)
    subject, detail = enhanced.groups()
    return subject == "1" and detail not in ("7", "8")  # those two blame the sender's address


def reason(error: BaseException) -> str:
    """The server's own words; addresses in them do not reach the log, nor do signs that are no text."""
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        words = f"{error.code} {error.message}"
    words = re.sub(r"\S+@\S+", "<address>", words[:LONGEST_REASON])
    return "".join(sign if sign.isprintable() else " " for sign in words)
