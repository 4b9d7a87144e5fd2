"""The GraphQL type of every refusal, and the one list that maps the one to the other."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

import strawberry

import errors
from engine.languages import told
from schema.context import Info

T = TypeVar("T", bound=type)

TYPES: dict[type[errors.Refusal], type] = {}
LOCKED_UNTIL = "The moment from which it is possible again, UTC."


@strawberry.interface(description="An order that was understood and refused. Nothing was changed.")
class Refusal:
    message: str = strawberry.field(
        description="What is wrong and what to do, fit to be shown: in the language of the viewer's account, "
        "or in the one of `Accept-Language`, English or Japanese."
    )


def refuses(exception: type[errors.Refusal], description: str) -> Callable[[T], T]:
    """Make a class the GraphQL type of a refusal; its fields are read from the exception's attributes."""

    def register(cls: T) -> T:
        TYPES[exception] = strawberry.type(cls, description=description)
        return cls

    return register


class Handler:
    """Turns one kind of refusal into its type, in the fields whose union has it."""

    def __init__(self, exception: type[errors.Refusal], type_: type) -> None:
        self.exception_type = exception
        self.error_type = type_
        fields = type_.__strawberry_definition__.fields  # type: ignore[attr-defined]  # strawberry adds it
        self.facts = [field.python_name for field in fields if field.python_name != "message"]

    def handle(self, exception: errors.Refusal, info: Info, **_: Any) -> Any:
        """The refusal as its GraphQL type, in the viewer's language."""
        language = info.context.viewer.language
        facts = {fact: getattr(exception, fact) for fact in self.facts}
        if isinstance(exception, errors.InvalidInput):
            facts["problems"] = [
                Problem(path=one.path, message=told(one.message, language)) for one in exception.problems
            ]
        return self.error_type(message=told(exception.args[0], language), **facts)


def handlers() -> list[Handler]:
    """One handler per refusal, for the schema."""
    return [Handler(exception, type_) for exception, type_ in TYPES.items()]


@strawberry.type(description="One fault of a form.")
class Problem:
    path: str = strawberry.field(description="The input field at fault, such as `email`.")
    message: str = strawberry.field(description="What is wrong with it, in the language of the refusal.")


@refuses(errors.NotLoggedIn, "There is no session, or it has ended (30 minutes idle, 12 hours at most).")
class NotLoggedIn(Refusal):
    pass


@refuses(errors.NotAllowed, "The session is of a kind that may not do this.")
class NotAllowed(Refusal):
    pass


@refuses(errors.InvalidInput, "A form with faults; all of them are told at once.")
class InvalidInput(Refusal):
    problems: list[Problem] = strawberry.field(description="Every fault.")


@refuses(errors.WrongLogin, "Log-in name or password is wrong; which of them is never told.")
class WrongLogin(Refusal):
    pass


@refuses(errors.WrongPassword, "The current password is wrong; this counts as a wrong try to log in.")
class WrongPassword(Refusal):
    pass


@refuses(errors.LoginLocked, "More than three wrong passwords in a row: locked for 30 minutes, for right ones too.")
class LoginLocked(Refusal):
    locked_until: datetime = strawberry.field(description=LOCKED_UNTIL)


@refuses(errors.WrongNumbers, "ID Number and Secret Number do not belong together; which is wrong is never told.")
class WrongNumbers(Refusal):
    pass


@refuses(errors.RegistrationLocked, "Too many wrong Secret Numbers for this ID Number.")
class RegistrationLocked(Refusal):
    locked_until: datetime | None = strawberry.field(
        description="The moment from which it is possible again, UTC; null: only after the centre issues new numbers."
    )


@refuses(errors.TooManyTries, "A limit of rate for this client, this account or the whole service was reached.")
class TooManyTries(Refusal):
    retry_after: datetime = strawberry.field(description=LOCKED_UNTIL)


@refuses(errors.AlreadyRegistered, "The ID Number is registered already: log in, or reset the password.")
class AlreadyRegistered(Refusal):
    pass


@refuses(errors.AccountClosed, "The entry belongs to an account that was closed; its centre can issue a new number.")
class AccountClosed(Refusal):
    pass


@refuses(errors.ClaimedElsewhere, "The entry belongs to another account.")
class ClaimedElsewhere(Refusal):
    pass


@refuses(errors.DateOfBirthDiffers, "The entry has another date of birth than the account, which one is not told.")
class DateOfBirthDiffers(Refusal):
    pass


@refuses(errors.LinkNotValid, "A mailed link that was used, is too old, or is not complete.")
class LinkNotValid(Refusal):
    pass


@refuses(errors.ResultNotFound, "The viewer has no such result.")
class ResultNotFound(Refusal):
    pass


@refuses(errors.ResultNotSendable, "The result is pending, withheld or revoked.")
class ResultNotSendable(Refusal):
    status: str = strawberry.field(description="Where the result stands: PENDING, WITHHELD or REVOKED.")


@refuses(errors.InstitutionNotFound, "No such institution, or it cannot receive results now.")
class InstitutionNotFound(Refusal):
    pass


@refuses(errors.ApplicationNotFound, "There is no such application for the viewer.")
class ApplicationNotFound(Refusal):
    pass


@refuses(errors.AlreadyDecided, "Somebody has decided it before.")
class AlreadyDecided(Refusal):
    decision: str = strawberry.field(description="What was decided, such as `APPROVED` or `REFUSED`.")
    decided_at: datetime = strawberry.field(description="When, UTC.")


@refuses(errors.AlreadyInvited, "The address was invited within 30 days, by whomever.")
class AlreadyInvited(Refusal):
    invited_at: datetime = strawberry.field(description="When it was invited last, UTC.")


@refuses(errors.InvitationsDeclined, "The institution has declined an invitation to this address.")
class InvitationsDeclined(Refusal):
    pass


@refuses(errors.ConsentOutdated, "The consent sentence was changed since it was shown.")
class ConsentOutdated(Refusal):
    current_version: str = strawberry.field(description="The version to show and to send.")


@refuses(errors.EntryNotFound, "The viewer has no such entry; a centre's staff have those of their centre alone.")
class EntryNotFound(Refusal):
    pass


@refuses(errors.UserNotFound, "The viewer's organisation has no such user.")
class UserNotFound(Refusal):
    pass


@refuses(errors.KeyNotFound, "The viewer's organisation has no such key.")
class KeyNotFound(Refusal):
    pass


@refuses(errors.PrimaryStays, "The Primary User stays until the role is handed over: there is always exactly one.")
class PrimaryStays(Refusal):
    pass


@refuses(errors.UserStateForbids, "The user is in a state that does not allow this.")
class UserStateForbids(Refusal):
    status: str = strawberry.field(description="The state of the user: INVITED, ACTIVE or DEACTIVATED.")


@refuses(errors.InstitutionSuspended, "The institution's account is suspended; told only after the right password.")
class InstitutionSuspended(Refusal):
    pass


@refuses(errors.InstitutionStateForbids, "The institution is in a state that does not allow this.")
class InstitutionStateForbids(Refusal):
    status: str = strawberry.field(description="The state of the institution, such as `APPROVED` or `SUSPENDED`.")


@refuses(errors.JoinRequestNotFound, "The viewer sees no such request.")
class JoinRequestNotFound(Refusal):
    pass


@refuses(errors.PrimaryStillAsked, "The Primary User may still answer: until then staff do not decide.")
class PrimaryStillAsked(Refusal):
    until: date = strawberry.field(description="The last day that the Primary User has, in the board's time zone.")


@refuses(errors.AlreadyReleased, "The moment of the session's release has come: it stays released.")
class AlreadyReleased(Refusal):
    released_at: datetime = strawberry.field(description="When its results were released, UTC.")


@refuses(errors.ResultChangedMeanwhile, "Another version stands than the one that was expected.")
class ResultChangedMeanwhile(Refusal):
    version: int = strawberry.field(description="The version that stands now.")


@refuses(errors.StateForbids, "The result is in a state that does not allow this.")
class StateForbids(Refusal):
    status: str = strawberry.field(
        description="Where the result stands: LOADED, PENDING, RELEASED, WITHHELD or REVOKED."
    )


@refuses(errors.EntryClaimed, "Its candidate has registered with it: a lost password is reset instead.")
class EntryClaimed(Refusal):
    pass


@refuses(errors.DownloadNotFound, "The viewer's organisation has no such download.")
class DownloadNotFound(Refusal):
    pass


@refuses(errors.NothingToDownload, "None of the results that were chosen can be downloaded.")
class NothingToDownload(Refusal):
    not_allowed: int = strawberry.field(description="How many their candidates have not allowed to be downloaded.")
    without_statement: int = strawberry.field(description="Of a PDF: how many have no statement.")


@refuses(errors.DownloadsStillRunning, "So many large downloads of the organisation are still being made.")
class DownloadsStillRunning(Refusal):
    running: int = strawberry.field(description="How many; another one can be ordered when one of them is ready.")


@refuses(errors.WebhookNotFound, "The viewer's institution has no such webhook.")
class WebhookNotFound(Refusal):
    pass


@refuses(errors.DeliveryNotFound, "The viewer's institution has no such message, or it was a test.")
class DeliveryNotFound(Refusal):
    pass


@refuses(errors.NothingToSimulate, "Nothing in the sandbox is in a state in which this can happen.")
class NothingToSimulate(Refusal):
    pass


@refuses(errors.ShareNotFound, "The viewer has no such share, or, as an institution, has it no more.")
class ShareNotFound(Refusal):
    pass


@refuses(errors.ShareExpired, "The share has expired: the institution sees it no more, and it cannot be withdrawn.")
class ShareExpired(Refusal):
    expired_at: datetime = strawberry.field(description="The moment that the candidate chose, UTC.")


@refuses(errors.TemplateNotFound, "The viewer's organisation has no such template.")
class TemplateNotFound(Refusal):
    pass


@refuses(errors.DefaultTemplateStays, "The default template cannot be changed or deleted; it can be copied.")
class DefaultTemplateStays(Refusal):
    pass


@refuses(errors.TemplateChangedMeanwhile, "Another version of the template stands than the one that was expected.")
class TemplateChangedMeanwhile(Refusal):
    version: int = strawberry.field(description="The version that stands now.")


@refuses(errors.SittingNotFound, "The id is not one of a sitting that the viewer has a part in.")
class SittingNotFound(Refusal):
    pass


@refuses(errors.SittingStateForbids, "The sitting is in a state that does not allow this, or not yet.")
class SittingStateForbids(Refusal):
    state: str = strawberry.field(description="The state it is in, a name of `SittingState`.")


@refuses(errors.StepNotNext, "Steps of a check-in are confirmed in order.")
class StepNotNext(Refusal):
    expected: str = strawberry.field(description="The step that comes next, a name of `CheckInStepKind`.")


@strawberry.type(description="One place of two names beside one another.")
class ComparedLetter:
    expected: str = strawberry.field(description="The account's letter; empty: it has none here.")
    shown: str = strawberry.field(description="The document's letter; empty: it has none here.")
    is_same: bool = strawberry.field(description="Whether they are the same.")


@refuses(errors.NameDiffers, "The name on the document is not the account's, exactly as spelled.")
class NameDiffers(Refusal):
    letters: list[ComparedLetter] = strawberry.field(description="Both names, letter by letter.")


@refuses(errors.WrongTestPassword, "Test ID and test password do not open the test.")
class WrongTestPassword(Refusal):
    pass


@refuses(errors.AlreadyBooked, "The candidate has another sitting at about this time.")
class AlreadyBooked(Refusal):
    appointment_at: datetime = strawberry.field(description="When that one begins, UTC.")
