"""What can be configured, read once from the environment; the README's table lists every name."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAIL_FROM = "Seiseki <no-reply@seiseki.example>"
DOCUMENTS = Path(__file__).with_name("persisted")
LARGEST_OPERATION = 5000  # points
ORGANISATION = "Lanternfield Examinations Board"  # invented, as all of the demo


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment's choices. `production` closes what only developers need."""

    var: Path = Path("var")
    database_url: str | None = None
    pool_size: int = 10
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://localhost:8000"
    inbox_url: str | None = None
    results_url: str | None = None
    production: bool = False
    smtp_url: str | None = field(default=None, repr=False)
    smtp_ca: Path | None = None
    mail_from: str = MAIL_FROM
    dkim_key: Path | None = None
    dkim_selector: str | None = None
    allowed_origins: tuple[str, ...] = ()
    schema_token: str | None = field(default=None, repr=False)
    connections_per_address: int = 1000
    streams_per_viewer: int = 50
    operations_per_viewer: int = 50
    documents: Path = DOCUMENTS
    known_documents: bool = False
    points_per_institution: int = 120_000
    points_per_key: int = 60_000
    log_format: str = "text"
    hashing_threads: int = 2
    document_threads: int = 1
    organisation: str = ORGANISATION
    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    statements: bool = True
    signing_key: Path | None = None
    signing_cert: Path | None = None
    files_url: str | None = None
    runs_worker: bool = True
    mail_seconds: int = 130
    heartbeat_seconds: int = 15
    webhooks_to_private: bool = False
    secret_key: bytes = field(default=b"", repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment; raises ValueError with the name of the variable that cannot be used."""
        var = var_of(env)
        production = env.get("PRODUCTION", "").lower() in ("1", "true", "yes")
        port = _number(env, "PORT", 8000)
        return cls(
            var=var,
            database_url=env.get("DATABASE_URL") or None,
            pool_size=_number(env, "POOL_SIZE", 10),
            host=env.get("HOST", "127.0.0.1"),
            port=port,
            public_url=env.get("PUBLIC_URL", f"http://localhost:{port}").rstrip("/"),
            inbox_url=env.get("INBOX_URL") or None,
            results_url=env.get("RESULTS_URL") or None,
            production=production,
            **_mail(env),
            allowed_origins=tuple(env.get("ALLOWED_ORIGINS", "").split()),
            schema_token=env.get("SCHEMA_TOKEN") or None,
            documents=_path(env, "DOCUMENTS") or DOCUMENTS,
            known_documents=env.get("KNOWN_DOCUMENTS", "").lower() in ("1", "true", "yes"),
            **_limits(env),
            log_format=env.get("LOG_FORMAT", "json" if production else "text"),
            hashing_threads=_number(env, "HASHING_THREADS", 2),
            document_threads=_number(env, "DOCUMENT_THREADS", 1),
            organisation=env.get("ORGANISATION", "").strip() or ORGANISATION,
            timezone=_timezone(env),
            holidays=_holidays(env),
            statements=_wants_statements(env, production),
            signing_key=_path(env, "SIGNING_KEY"),
            signing_cert=_path(env, "SIGNING_CERT"),
            files_url=env.get("FILES_URL") or None,
            runs_worker=env.get("WORKER", "1").lower() not in ("0", "false", "no"),
            mail_seconds=_number(env, "MAIL_SECONDS", 130),
            heartbeat_seconds=_number(env, "HEARTBEAT_SECONDS", 15),
            webhooks_to_private=env.get("WEBHOOKS_TO_PRIVATE", "").lower() in ("1", "true", "yes"),
            secret_key=_secret_key(env, var, production),
        )


def var_of(env: Mapping[str, str]) -> Path:
    """The folder of whatever a process keeps."""
    return Path(env.get("VAR_DIR", "var")).resolve()


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{name} must be a whole number, not {text!r}.")
    return int(text)


def _limits(env: Mapping[str, str]) -> dict[str, Any]:
    """How much one asker may have: at one time, and of points a minute."""
    return {
        "connections_per_address": _number(env, "CONNECTIONS_PER_ADDRESS", 1000),
        "streams_per_viewer": _number(env, "STREAMS_PER_VIEWER", 50),
        "operations_per_viewer": _number(env, "OPERATIONS_PER_VIEWER", 50),
        "points_per_institution": _points(env, "POINTS_PER_INSTITUTION", 120_000),
        "points_per_key": _points(env, "POINTS_PER_KEY", 60_000),
    }


def _points(env: Mapping[str, str], name: str, default: int) -> int:
    """An allowance a minute; one that the largest operation does not fit in would refuse it for ever."""
    points = _number(env, name, default)
    if points < LARGEST_OPERATION:
        raise ValueError(f"{name} must be at least {LARGEST_OPERATION}, what one operation may cost, not {points}.")
    return points


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]).resolve() if env.get(name) else None


def _mail(env: Mapping[str, str]) -> dict[str, Any]:
    """How mail is sent, and in whose name."""
    return {
        "smtp_url": env.get("SMTP_URL") or None,
        "smtp_ca": _path(env, "SMTP_CA"),
        "mail_from": env.get("MAIL_FROM", MAIL_FROM),
        "dkim_key": _path(env, "DKIM_KEY"),
        "dkim_selector": env.get("DKIM_SELECTOR") or None,
    }


def _timezone(env: Mapping[str, str]) -> str:
    name = env.get("BOARD_TIMEZONE") or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"BOARD_TIMEZONE must be an IANA name such as Europe/London, not {name!r}.") from None
    return name


def _holidays(env: Mapping[str, str]) -> frozenset[date]:
    """The days of a file: one ISO date a line, anything behind a `#` is a remark."""
    path = _path(env, "HOLIDAYS")
    words = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines()) if path else ()
    try:
        return frozenset(date.fromisoformat(word) for word in words if word)
    except ValueError as error:
        raise ValueError(f"HOLIDAYS must name a file with one date a line, such as 2027-01-01: {error}.") from None


def _wants_statements(env: Mapping[str, str], production: bool) -> bool:
    """Whether statements are given; a key of our own making signs them in development only: nobody trusts it."""
    if env.get("STATEMENTS", "1").lower() in ("0", "false", "no"):
        return False
    if bool(env.get("SIGNING_KEY")) != bool(env.get("SIGNING_CERT")):
        raise ValueError("SIGNING_KEY and SIGNING_CERT belong together: set both or neither.")
    if production and not env.get("SIGNING_KEY"):
        raise ValueError(
            "SIGNING_KEY and SIGNING_CERT must be set in production, or STATEMENTS=0: statements are signed."
        )
    return True


def _secret_key(env: Mapping[str, str], var: Path, production: bool) -> bytes:
    """The key that Secret Numbers and mailed links are sealed with; it must never be in the database."""
    if given := env.get("SECRET_KEY"):
        if len(given) < 32:
            raise ValueError("SECRET_KEY must have at least 32 characters.")
        return given.encode()
    if production:
        raise ValueError("SECRET_KEY must be set in production: the same for every process on one database.")
    return _own_key(var / "secret.key")


def _own_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text().encode()
