"""Every way the service says no, as facts. `schema/refusals.py` gives each one its GraphQL type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime


class Sentence(str):
    """An English sentence that knows what it was made of, so that it can be said in another language (A12)."""

    template: str
    facts: Mapping[str, object]

    @classmethod
    def of(cls, template: str, **facts: object) -> "Sentence":
        """A template with its facts: words, numbers, moments, other sentences, or a list of them."""
        made = cls(template.format(**{name: _in_english(fact) for name, fact in facts.items()}))
        made.template, made.facts = template, facts
        return made


def _in_english(fact: object) -> object:
    if isinstance(fact, datetime):
        return f"{fact.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return " ".join(map(str, fact)) if isinstance(fact, list) else fact


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
        faults = [problem.message for problem in problems]
        super().__init__(Sentence.of("Please correct: {problems}", problems=faults))
        self.problems = problems


class WrongLogin(Refusal):
    message = "The log-in name or the password is wrong. The Secret Number is never a password."


class WrongPassword(Refusal):
    message = "This is not your current password."


class LoginLocked(Refusal):
    """Too many wrong passwords in a row (A4). `locked_until` is a moment in UTC."""

    def __init__(self, locked_until: datetime) -> None:
        told = "Too many wrong passwords: log-in is locked until {locked_until}."
        super().__init__(Sentence.of(told, locked_until=locked_until))
        self.locked_until = locked_until


class WrongNumbers(Refusal):
    message = "This ID Number and Secret Number do not belong together. Check both on the Confirmation of Entry."


class RegistrationLocked(Refusal):
    """Too many wrong Secret Numbers (A8). `locked_until` is a moment in UTC, or None until the centre re-issues."""

    def __init__(self, locked_until: datetime | None) -> None:
        told = "Too many wrong Secret Numbers: registering with this ID Number is closed until "
        if locked_until is None:
            super().__init__(Sentence.of(told + "your centre issues new numbers."))
        else:
            super().__init__(Sentence.of(told + "{locked_until}.", locked_until=locked_until))
        self.locked_until = locked_until


class TooManyTries(Refusal):
    """A limit of rate was reached. `retry_after` is a moment in UTC; `limit` names it where there are several."""

    def __init__(self, retry_after: datetime, limit: str | None = None) -> None:
        super().__init__(Sentence.of("Too many tries. Try again after {retry_after}.", retry_after=retry_after))
        self.retry_after = retry_after
        self.limit = limit


class AlreadyRegistered(Refusal):
    message = "This ID Number is already registered: log in, or reset the password."


class AccountClosed(Refusal):
    """The account that this entry was claimed for was closed (G2)."""

    message = (
        "The account of this ID Number was closed. To open it again, ask your exam centre for a new Secret Number."
    )


class ClaimedElsewhere(Refusal):
    """The entry is claimed, or can only be claimed, by another account (A11)."""

    message = (
        "This ID Number belongs to another account. Log in there with it, or reset the password there with this "
        "ID Number. If you want to have one account only, close the other one and ask your exam centre."
    )


class DateOfBirthDiffers(Refusal):
    """The entry's date of birth is not the account's, and is not told (A11). It counts as a wrong try (A8)."""

    message = (
        "The date of birth of this entry is not the one of your account, so it was not added. "
        "If it is your entry, ask the exam centre that entered you to correct it."
    )


class LinkNotValid(Refusal):
    message = "This link was used before, is too old, or is not complete. Ask for a new one."


class ResultNotFound(Refusal):
    message = "There is no such result among yours."


class ResultNotSendable(Refusal):
    """Only released results that are neither withheld nor revoked can be sent (S8)."""

    def __init__(self, status: str) -> None:
        super().__init__(Sentence.of("This result cannot be sent: it is {status}.", status=Sentence.of(status.lower())))
        self.status = status


class InstitutionNotFound(Refusal):
    message = "There is no such institution that can receive results."


class ApplicationNotFound(Refusal):
    message = "There is no such application."


class AlreadyDecided(Refusal):
    """Somebody has decided it before. `decided_at` is a moment in UTC."""

    def __init__(self, decision: str, decided_at: datetime) -> None:
        told = "This was decided already, on {decided_at}: {decision}."
        super().__init__(
            Sentence.of(told, decided_at=decided_at, decision=Sentence.of(decision.lower().replace("_", " ")))
        )
        self.decision = decision
        self.decided_at = decided_at


class AlreadyInvited(Refusal):
    """The address was invited within 30 days, by whomever (S7). `invited_at` is a moment in UTC."""

    def __init__(self, invited_at: datetime) -> None:
        told = "This address was invited already, on {invited_at}. It can be invited again after 30 days."
        super().__init__(Sentence.of(told, invited_at=invited_at))
        self.invited_at = invited_at


class InvitationsDeclined(Refusal):
    message = "The institution does not want to be invited at this address."


class ConsentOutdated(Refusal):
    """The consent sentence has changed since it was shown (S3): show the current one and ask again."""

    def __init__(self, current_version: str) -> None:
        told = "The consent sentence has changed. Show version {version} and ask again."
        super().__init__(Sentence.of(told, version=current_version))
        self.current_version = current_version


class NothingToSimulate(Refusal):
    message = (
        "Nothing in the sandbox is in a state in which this can happen: reset it, or simulate something else first."
    )


class ShareNotFound(Refusal):
    message = "There is no such share here, or it is here no more."


class ShareExpired(Refusal):
    """A share whose day has come cannot be withdrawn any more (S9, S10). `expired_at` is a moment in UTC."""

    def __init__(self, expired_at: datetime) -> None:
        told = "This share expired on {expired_at}: it is shown there no more."
        super().__init__(Sentence.of(told, expired_at=expired_at))
        self.expired_at = expired_at


class WebhookNotFound(Refusal):
    message = "Your organisation has no such webhook."


class DeliveryNotFound(Refusal):
    message = "None of your organisation's webhooks has such a message that can be sent again."


class EntryNotFound(Refusal):
    message = "There is no such entry among yours."


class EntryClaimed(Refusal):
    message = (
        "The candidate has registered with this entry already: a new Secret Number would not help. "
        "To log in again they reset their password, with the ID Number alone."
    )


class UserNotFound(Refusal):
    message = "There is no such user in your organisation."


class KeyNotFound(Refusal):
    message = "There is no such key in your organisation."


class PrimaryStays(Refusal):
    message = "The Primary User cannot be removed, deactivated or made a reader: hand the role over first."


class UserStateForbids(Refusal):
    """A user is in a state that does not allow the change (U2)."""

    def __init__(self, status: str) -> None:
        told = "This cannot be done with a user who is {status}."
        super().__init__(Sentence.of(told, status=Sentence.of(status.lower())))
        self.status = status


class InstitutionSuspended(Refusal):
    message = "Your institution's account is suspended, so nobody can log in to it. Its users were told why by mail."


class InstitutionStateForbids(Refusal):
    """An institution is in a state that does not allow the change (O3)."""

    def __init__(self, status: str) -> None:
        told = "This cannot be done with an institution that is {status}."
        super().__init__(Sentence.of(told, status=Sentence.of(status.lower())))
        self.status = status


class JoinRequestNotFound(Refusal):
    message = "There is no such request to join."


class PrimaryStillAsked(Refusal):
    """The Primary User has some days to answer a request before staff may (O5). `until` is the last of them."""

    def __init__(self, until: date) -> None:
        super().__init__(Sentence.of("The Primary User has until {until} to answer.", until=until.isoformat()))
        self.until = until


class AlreadyReleased(Refusal):
    """The moment of a session has come: what candidates may have seen is not hidden again (R3)."""

    def __init__(self, released_at: datetime) -> None:
        told = (
            "The results of this session were released on {released_at}. "
            "What is wrong with one of them is corrected there: amend, withhold or revoke it."
        )
        super().__init__(Sentence.of(told, released_at=released_at))
        self.released_at = released_at


class ResultChangedMeanwhile(Refusal):
    """Another version stands than the one that was expected (R11)."""

    def __init__(self, version: int) -> None:
        told = "The result has changed meanwhile: version {version} stands now. Look at it and decide again."
        super().__init__(Sentence.of(told, version=version))
        self.version = version


class StateForbids(Refusal):
    """A result is in a state that does not allow the change (R11)."""

    def __init__(self, status: str, hint: str = "") -> None:
        super().__init__(f"This cannot be done with a result that is {status.lower()}. {hint}".strip())
        self.status = status


class TemplateNotFound(Refusal):
    message = "There is no such template in your organisation."


class DefaultTemplateStays(Refusal):
    message = "The template with all columns belongs to everybody and stays as it is: make a copy of it."


class TemplateChangedMeanwhile(Refusal):
    """Another version stands than the one that the change was made for (D2)."""

    def __init__(self, version: int) -> None:
        told = "The template was changed meanwhile: version {version} stands now. Look at it and change it again."
        super().__init__(Sentence.of(told, version=version))
        self.version = version


class DownloadNotFound(Refusal):
    message = "There is no such download in your organisation."


class NothingToDownload(Refusal):
    """None of the results that were chosen can be downloaded (D1); how many there are, by the reason why not."""

    message = "None of these results can be downloaded."

    def __init__(self, not_allowed: int, without_statement: int) -> None:
        super().__init__()
        self.not_allowed = not_allowed
        self.without_statement = without_statement


class DownloadsStillRunning(Refusal):
    """So many large downloads of one institution are still being made, and no more are at one time."""

    def __init__(self, running: int) -> None:
        told = "{running} large downloads of your organisation are still being made: wait until one is ready."
        super().__init__(Sentence.of(told, running=running))
        self.running = running


class SittingNotFound(Refusal):
    message = "There is no such sitting here."


class SittingStateForbids(Refusal):
    """A sitting is in a state that does not allow the act, or not yet (H2-H9); `why` says more where there is more."""

    def __init__(self, state: str, why: str = "") -> None:
        told = "This cannot be done with a sitting that is {state}."
        named = Sentence.of(state.lower().replace("_", " "))
        super().__init__(Sentence.of(told + " {why}", state=named, why=why) if why else Sentence.of(told, state=named))
        self.state = state
        self.why = why


class StepNotNext(Refusal):
    """The steps of a check-in are confirmed in order, each once (H3); `expected` is the one that comes next."""

    def __init__(self, expected: str) -> None:
        super().__init__(Sentence.of("The next step of the check-in is {expected}.", expected=expected))
        self.expected = expected


class NameDiffers(Refusal):
    """The name on the document is not the account's, letter for letter (H3): refuse, or send to the centre."""

    message = (
        "The name on the document is not the name of the account, letter for letter. "
        "End the sitting, or send the candidate to their centre."
    )

    def __init__(self, letters: Sequence[tuple[str, str, bool]]) -> None:
        super().__init__()
        self.letters = list(letters)


class WrongTestPassword(Refusal):
    message = "This test ID and this test password do not belong together, or were used already. Ask your proctor."


class AlreadyBooked(Refusal):
    """The candidate has another sitting at about this time (H1). `appointment_at` is a moment in UTC."""

    def __init__(self, appointment_at: datetime) -> None:
        told = "You have another sitting that begins at {appointment_at}."
        super().__init__(Sentence.of(told, appointment_at=appointment_at))
        self.appointment_at = appointment_at


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


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell of a table that cannot be written; results are counted from 1, and 0 is the row of headings."""

    row: int
    candidate: str
    column: str
    signs: str  # those that cannot be written, each once; empty where the text is too long


class NotWritable(Exception):
    """A table cannot be written as asked without changing a text (D5): the first cells at fault, and how many.

    Its message names candidates, and so is for whoever may see them now; `kept` is for what is kept longer.
    """

    MOST = 20

    def __init__(self, written: str, cells: Sequence[BadCell], count: int) -> None:
        advice = self._advice(written)
        told = [self._told(cell) for cell in cells[: self.MOST]]
        if count > len(told):
            told.append(Sentence.of("And {more} more.", more=count - len(told)))
        message = "{written} cannot carry these texts as they are, and nothing is ever replaced: {cells} {advice}"
        super().__init__(Sentence.of(message, written=written, cells=told, advice=advice))
        self.cells, self.count, self.written = tuple(cells[: self.MOST]), count, written
        message = "{written} cannot carry {count} of the texts as they are, and nothing is ever replaced. {advice}"
        self.kept = Sentence.of(message, written=written, count=count, advice=advice)

    @staticmethod
    def _advice(written: str) -> Sentence:
        if written == "Shift_JIS":
            return Sentence.of("Choose UTF-8: it carries every name.")
        return Sentence.of("Choose another format." if written == "XLSX" else "Leave these columns out.")

    @staticmethod
    def _told(cell: BadCell) -> Sentence:
        if cell.row == 0:
            return Sentence.of("Heading {column}: {signs}.", column=cell.column, signs=cell.signs)
        if not cell.signs:
            told = "Result {row} ({candidate}), {column}: too long."
            return Sentence.of(told, row=cell.row, candidate=cell.candidate, column=cell.column)
        told = "Result {row} ({candidate}), {column}: {signs}."
        return Sentence.of(told, row=cell.row, candidate=cell.candidate, column=cell.column, signs=cell.signs)


class FileEnded(Exception):
    """A file that its viewer may know of is not given any more; the message says why and what to do."""


class SlowSubscriber(Exception):
    """A stream was not read fast enough; `cursor` is where to take it up again."""

    def __init__(self, cursor: str) -> None:
        super().__init__("This stream was not read fast enough and was ended. Subscribe again with `after: cursor`.")
        self.cursor = cursor


class StreamEnded(Exception):
    """The session behind a stream has ended (log-out, removal, suspension or expiry)."""

    def __init__(self) -> None:
        super().__init__("The session has ended. Log in again.")
