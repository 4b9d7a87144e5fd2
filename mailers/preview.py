"""Writes every letter into a folder, in every language, to be looked at in a browser and a mail program."""

from pathlib import Path

from jinja2 import Environment

from mailers.letters import Mail
from mailers.post.writing import Writer
from mailers.samples import SAMPLES, sample
from mailers.wording import LANGUAGES

INDEX = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Letters</title>
<style>
:root { color-scheme: light dark; font-family: sans-serif; line-height: 1.6 }
td, th { padding: 4px 16px 4px 0; text-align: left }
</style>
<h1>Letters</h1>
<table>
<tr><th>Letter<th>Subject<th>Files</tr>
{% for mail in mails %}
<tr><td>{{ mail.envelope.id }}<td lang="{{ mail.envelope.language }}">{{ mail.subject }}
<td>{% for form in ("html", "txt", "eml") %}<a href="{{ mail.envelope.id }}.{{ form }}">{{ form }}</a> {% endfor %}</tr>
{% endfor %}
</table>
"""
)


def write(folder: Path, sender: str) -> Path:
    """Write all letters and a page that links them; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(sender)
    mails = [sample(name, language) for name in SAMPLES for language in LANGUAGES]
    for mail in mails:
        _write(folder, mail, writer)
    index = folder / "index.html"
    index.write_text(INDEX.render(mails=mails), "utf-8")
    return index


def _write(folder: Path, mail: Mail, writer: Writer) -> None:
    name = mail.envelope.id
    (folder / f"{name}.eml").write_bytes(writer.message(mail).as_bytes())
    (folder / f"{name}.html").write_text(mail.html, "utf-8")
    (folder / f"{name}.txt").write_text(mail.text, "utf-8")
