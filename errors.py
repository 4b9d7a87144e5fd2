"""Every way the service says no, as facts. `schema/refusals.py` gives each one its GraphQL type."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a form: where it is (`email`, `password`) and what to do about it."""

    path: str
    message: str


class Refusal(Exception):
    """An order that was understood and refused; raising it undoes the transaction it was raised in."""

    message = "This was refused."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class NotLoggedIn(Refusal):
    message = "Log in first: there is no session, or it has ended."


class NotAllowed(Refusal):
    message = "Your account may not do this."


class InvalidInput(Refusal):
    """A form with one or more faults, told all at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("Please correct: " + " ".join(problem.message for problem in problems))
        self.problems = problems


class WrongLogin(Refusal):
    message = "The log-in name or the password is wrong. The Secret Number is never a password."


class WrongPassword(Refusal):
    message = "This is not your current password."


class LoginLocked(Refusal):
    """Too many wrong passwords in a row (A4). `locked_until` is a moment in UTC."""

    def __init__(self, locked_until: datetime) -> None:
        super().__init__(f"Too many wrong passwords: log-in is locked until {locked_until:%Y-%m-%d %H:%M:%S} UTC.")
        self.locked_until = locked_until


class WrongNumbers(Refusal):
    message = "This ID Number and Secret Number do not belong together. Check both on the Confirmation of Entry."


class RegistrationLocked(Refusal):
    """Too many wrong Secret Numbers (A8). `locked_until` is a moment in UTC, or None until the centre re-issues."""

    def __init__(self, locked_until: datetime | None) -> None:
        when = f"until {locked_until:%Y-%m-%d %H:%M:%S} UTC" if locked_until else "until your centre issues new numbers"
        super().__init__(f"Too many wrong Secret Numbers: registering with this ID Number is closed {when}.")
        self.locked_until = locked_until


class TooManyTries(Refusal):
    """A limit of rate was reached. `retry_after` is a moment in UTC."""

    def __init__(self, retry_after: datetime) -> None:
        super().__init__(f"Too many tries. Try again after {retry_after:%Y-%m-%d %H:%M:%S} UTC.")
        self.retry_after = retry_after


class AlreadyRegistered(Refusal):
    message = "This ID Number is already registered: log in, or reset the password."


class LinkNotValid(Refusal):
    message = "This link was used before, is too old, or is not complete. Ask for a new one."


class ResultNotFound(Refusal):
    message = "There is no such result among yours."


class ResultNotSendable(Refusal):
    """Only released results that are neither withheld nor revoked can be sent (S8)."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This result cannot be sent: it is {status.lower()}.")
        self.status = status


class InstitutionNotFound(Refusal):
    message = "There is no such institution that can receive results."


class ConsentOutdated(Refusal):
    """The consent sentence has changed since it was shown (S3): show the current one and ask again."""

    def __init__(self, current_version: str) -> None:
        super().__init__(f"The consent sentence has changed. Show version {current_version} and ask again.")
        self.current_version = current_version


class ShareNotFound(Refusal):
    message = "There is no such share at your institution."


class Unavailable(Exception):
    """The database cannot be reached at this moment. Lost in a commit, nobody knows whether it was made."""


class CursorNotValid(Exception):
    """The `after` of a list or a stream was not made by this service."""


class SlowSubscriber(Exception):
    """A stream was not read fast enough; `cursor` is where to take it up again."""

    def __init__(self, cursor: str) -> None:
        super().__init__("This stream was not read fast enough and was ended. Subscribe again with `after: cursor`.")
        self.cursor = cursor


class StreamEnded(Exception):
    """The session behind a stream has ended (log-out, removal, suspension or expiry)."""

    def __init__(self) -> None:
        super().__init__("The session has ended. Log in again.")
