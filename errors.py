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
    message = "There is no such share here, or it is here no more."


class ShareExpired(Refusal):
    """A share whose day has come cannot be withdrawn any more (S9, S10). `expired_at` is a moment in UTC."""

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(f"This share expired on {expired_at:%Y-%m-%d %H:%M:%S} UTC: it is shown there no more.")
        self.expired_at = expired_at


class EntryNotFound(Refusal):
    message = "There is no such entry among yours."


class EntryClaimed(Refusal):
    message = (
        "The candidate has registered with this entry already: a new Secret Number would not help. "
        "To log in again they reset their password, with the ID Number alone."
    )


class AlreadyReleased(Refusal):
    """The moment of a session has come: what candidates may have seen is not hidden again (R3)."""

    def __init__(self, released_at: datetime) -> None:
        super().__init__(
            f"The results of this session were released on {released_at:%Y-%m-%d %H:%M:%S} UTC. "
            "What is wrong with one of them is corrected there: amend, withhold or revoke it."
        )
        self.released_at = released_at


class ResultChangedMeanwhile(Refusal):
    """Another version stands than the one that was expected (R11)."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The result has changed meanwhile: version {version} stands now. Look at it and decide again."
        )
        self.version = version


class StateForbids(Refusal):
    """A result is in a state that does not allow the change (R11)."""

    def __init__(self, status: str, hint: str = "") -> None:
        super().__init__(f"This cannot be done with a result that is {status.lower()}. {hint}".strip())
        self.status = status


class Unavailable(Exception):
    """The database cannot be reached at this moment. Lost in a commit, nobody knows whether it was made."""


class CursorNotValid(Exception):
    """The `after` of a list or a stream was not made by this service."""


class NotPrintable(Exception):
    """A document cannot be made: no font of ours has these signs, and a box in place of a name is worse than none."""

    def __init__(self, signs: str) -> None:
        codes = " ".join(f"U+{ord(sign):04X}" for sign in signs)
        super().__init__(f"None of our fonts can print {signs!r} ({codes}).")
        self.signs = signs
        self.codes = codes


class SlowSubscriber(Exception):
    """A stream was not read fast enough; `cursor` is where to take it up again."""

    def __init__(self, cursor: str) -> None:
        super().__init__("This stream was not read fast enough and was ended. Subscribe again with `after: cursor`.")
        self.cursor = cursor


class StreamEnded(Exception):
    """The session behind a stream has ended (log-out, removal, suspension or expiry)."""

    def __init__(self) -> None:
        super().__init__("The session has ended. Log in again.")
