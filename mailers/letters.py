"""What each letter says: one function per letter, a template per language."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SUBJECTS = {"password_reset": {"en": "Set a new password", "ja": "パスワードの再設定"}}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whom a letter goes to. The same `id` makes the same Message-ID, however often it is tried."""

    id: str
    address: str
    language: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person; `unsubscribe` is the address that ends such mails with one click, where it applies."""

    envelope: Envelope
    subject: str
    text: str
    html: str
    unsubscribe: str | None = None


def password_reset(envelope: Envelope, link: str) -> Mail:
    """The link to set a new password (A5)."""
    return _mail("password_reset", envelope, link=link)


def _mail(kind: str, envelope: Envelope, **facts: str) -> Mail:
    language = envelope.language

    def written(form: str) -> str:
        return TEMPLATES.get_template(f"{kind}.{language}.{form}").render(subject=subject, language=language, **facts)

    subject = SUBJECTS[kind][language]
    return Mail(envelope, subject, written("txt"), written("html"))
