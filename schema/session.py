"""Who is logged in, log-in and log-out."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.viewer import Kind
from models.viewer import Viewer as Asker
from resolvers import sessions
from schema import candidate, verifier
from schema.arguments import Input
from schema.context import Info, NewCookie
from schema.costs import HASHING
from schema.key import ApiKey
from schema.refusals import InstitutionSuspended, LoginLocked, TooManyTries, WrongLogin

if TYPE_CHECKING:
    from schema.candidate import Candidate
    from schema.verifier import VerifierUser

COOKIE = "For browsers: keep the session in an HttpOnly cookie; `token` is null then."


@strawberry.enum(description="The kinds of caller.")
class ViewerKind(Enum):
    ANONYMOUS = strawberry.enum_value("anonymous", description="Nobody is logged in.")
    CANDIDATE = strawberry.enum_value("candidate", description="A candidate.")
    VERIFIER = strawberry.enum_value("verifier", description="A user of an institution's account.")
    KEY = strawberry.enum_value("key", description="A program of an institution, by a key of it.")
    STAFF = strawberry.enum_value("staff", description="Staff of the exam board or of a centre.")
    PROCTOR = strawberry.enum_value("proctor", description="Somebody who watches at-home sittings.")


@strawberry.type(description="Who is asking.")
class Viewer:
    kind: ViewerKind = strawberry.field(description="What kind of caller.")
    session_ends_at: datetime | None = strawberry.field(
        description="When the session ends at the latest, UTC; it ends earlier after 30 minutes without a request. "
        "Of a key: when that expires."
    )
    asker: strawberry.Private[Asker]

    @classmethod
    def of(cls, asker: Asker) -> "Viewer":
        """The caller as they may see themselves."""
        return cls(kind=ViewerKind(asker.kind.value), session_ends_at=asker.session_ends_at, asker=asker)

    @strawberry.field(description="The candidate, if one is asking.")
    async def candidate(self, info: Info) -> Annotated["Candidate", strawberry.lazy("schema.candidate")] | None:
        if self.asker.kind is not Kind.CANDIDATE:
            return None
        row = await info.context.loaders.candidate.load(self.asker.must_be(Kind.CANDIDATE))
        return None if row is None else candidate.Candidate.of(row, self.asker)

    @strawberry.field(description="The key, if a program of an institution is asking.")
    async def key(self, info: Info) -> ApiKey | None:
        if self.asker.kind is not Kind.KEY:
            return None
        row = await info.context.loaders.api_key.load(self.asker.must_be(Kind.KEY))
        return None if row is None else ApiKey.of(row, self.asker)

    @strawberry.field(description="The user of an institution's account, if one is asking.")
    async def verifier(self, info: Info) -> Annotated["VerifierUser", strawberry.lazy("schema.verifier")] | None:
        if self.asker.kind is not Kind.VERIFIER:
            return None
        row = await info.context.loaders.verifier.load(self.asker.must_be(Kind.VERIFIER))
        return None if row is None else verifier.VerifierUser.of(row)


@strawberry.type(description="A session. It ends after 30 minutes without a request, and at `endsAt` at the latest.")
class LoggedIn:
    token: str | None = strawberry.field(
        description="Send it as `Authorization: Bearer …`. Told once; null where a cookie was asked for."
    )
    ends_at: datetime = strawberry.field(description="When the session ends at the latest, UTC.")
    viewer: Viewer = strawberry.field(description="Who is logged in now.")


def start_session(info: Info, logged_in: sessions.LoggedIn, use_cookie: bool) -> LoggedIn:
    """Answer with a new session, which the rest of this operation uses too."""
    info.context.become(logged_in.viewer)
    info.context.renew()
    if use_cookie:
        info.context.cookie = NewCookie(logged_in.token, logged_in.ends_at)
    return LoggedIn(
        token=None if use_cookie else logged_in.token,
        ends_at=logged_in.ends_at,
        viewer=Viewer.of(logged_in.viewer),
    )


@strawberry.input(description="A candidate's log-in. The Secret Number is not the password.")
class LogInInput:
    id_number: str = strawberry.field(description="ID Number of any of the account's entries.")
    password: str = strawberry.field(description="The password chosen when registering; never the Secret Number.")
    use_cookie: bool = strawberry.field(default=False, description=COOKIE)


@strawberry.input(description="The log-in of a verifier.")
class LogInByEmailInput:
    email: str = strawberry.field(description="E-mail address, in any case.")
    password: str = strawberry.field(description="The password.")
    use_cookie: bool = strawberry.field(default=False, description=COOKIE)


@strawberry.input(description="The log-in of staff.")
class LogInStaffInput:
    email: str = strawberry.field(description="E-mail address, in any case.")
    password: str = strawberry.field(description="The password.")
    code: str = strawberry.field(
        default="", description="The 6 digits that the authenticator shows, each once. The board's staff need them."
    )
    use_cookie: bool = strawberry.field(default=False, description=COOKIE)


LogInPayload = Annotated[
    LoggedIn | WrongLogin | LoginLocked | TooManyTries | InstitutionSuspended,
    strawberry.union("LogInPayload", description="A session, or why there is none."),
]


@strawberry.input(description="How far to log out.")
class LogOutInput:
    everywhere: bool = strawberry.field(default=False, description="End all sessions of this account.")


@strawberry.type(description="That the session has ended; also told when there was none.")
class LoggedOut:
    sessions_ended: int = strawberry.field(description="How many sessions this ended.")


LogOutPayload = Annotated[LoggedOut, strawberry.union("LogOutPayload", description="Logging out is never refused.")]


def _nobody(viewer: Asker) -> Asker:
    """The same client, logged out."""
    return Asker(Kind.ANONYMOUS, viewer.at, viewer.address, language=viewer.language)


@strawberry.type
class SessionQuery:
    @strawberry.field(description="Who is asking.")
    def viewer(self, info: Info) -> Viewer:
        return Viewer.of(info.context.viewer)


@strawberry.type
class SessionMutation:
    @strawberry.mutation(
        description="Log in as a candidate. The fourth wrong password in a row locks log-in for 30 minutes.",
        directives=[HASHING],
    )
    async def log_in(self, info: Info, input: Input[LogInInput]) -> LogInPayload:
        found = await sessions.log_in(Kind.CANDIDATE, input.id_number, input.password, info.context.viewer)
        return start_session(info, found, input.use_cookie)

    @strawberry.mutation(
        description="Log in as a user of an approved institution's account. Locks as `logIn` does.",
        directives=[HASHING],
    )
    async def log_in_verifier(self, info: Info, input: Input[LogInByEmailInput]) -> LogInPayload:
        found = await sessions.log_in(Kind.VERIFIER, input.email, input.password, info.context.viewer)
        return start_session(info, found, input.use_cookie)

    @strawberry.mutation(
        description="Log in as staff of the board or of a centre. Locks as `logIn` does; a wrong or missing code "
        "counts as a wrong password, and the answer does not tell which of the two it was.",
        directives=[HASHING],
    )
    async def log_in_staff(self, info: Info, input: Input[LogInStaffInput]) -> LogInPayload:
        found = await sessions.log_in(Kind.STAFF, input.email, input.password, info.context.viewer, input.code)
        return start_session(info, found, input.use_cookie)

    @strawberry.mutation(description="End this session, or all sessions of the account.")
    async def log_out(self, info: Info, input: Input[LogOutInput]) -> LogOutPayload:
        ended = await sessions.log_out(info.context.viewer, input.everywhere)
        info.context.cookie = NewCookie("", info.context.viewer.at)
        info.context.become(_nobody(info.context.viewer))
        info.context.renew()
        return LoggedOut(sessions_ended=ended)
