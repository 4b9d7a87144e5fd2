"""One example for each operation, as files of `examples/`, and the same as a program that can be run as it is printed.

A file begins with comments: who may ask for it, the one who runs the example first; for a mutation, the type that it
answers with; and its variables. Words in capitals stand for what only the reader has, and `YOURS` explains them.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.scope import Scope

FOLDER = Path(__file__).with_name("examples")
HEAD = re.compile(r"\A# who: (?P<who>.+)\n(?:# answers: (?P<answers>\w+)\n)?(?P<variables># variables: (?:.|\n# )+\n)?")

# Who may ask for an operation, as examples name them, beside keys (`key VERIFY`, `key READ_SHARES MANAGE`); a user who
# may less stands for all who may more.
WHO = {
    "anybody": "anybody, without a credential too",
    "key": "every key",
    "reader": "every user of an institution",
    "officer": "users of an institution who may do more than read",
    "primary": "an institution's Primary User",
    "candidate": "candidates",
    "proctor": "proctors",
    "centre": "staff of the board, and of a centre for its own",
    "board": "the board's staff",
}

# What examples leave to their reader.
YOURS = {
    "YOUR_APPLICATION_ID": "the id of an application, from `staff.applications`",
    "YOUR_CANDIDATE_NUMBER": "the number of a candidate within centre and session",
    "YOUR_CENTRE_NUMBER": "the number of the centre",
    "YOUR_CHECK_TOKEN": "what stands behind the point in the check code of a statement",
    "YOUR_CONFIRMATION_TOKEN": "what stands behind the `#` of the mailed link",
    "YOUR_CONSENT_VERSION": "`Institution.consent { version }`, of the sentence that was shown",
    "YOUR_DATE_OF_BIRTH": "year, month and day, such as `2005-04-03`",
    "YOUR_DELIVERY_ID": "the id of a message, from `Webhook.deliveries`",
    "YOUR_DOWNLOAD_ID": "the id of a download, from `requestDownload` or `organisation.downloads`",
    "YOUR_DUPLICATE_ID": "the id of the institution that goes up in the other",
    "YOUR_EMAIL": "an e-mail address",
    "YOUR_ENTRY_ID": "the id of an entry",
    "YOUR_EXAM_DATE": "year, month and day, such as `2026-12-05`",
    "YOUR_EXAM_ID": "any id of this service, such as that of an exam",
    "YOUR_ID_NUMBER": "the ID Number of a Confirmation of Entry, such as `ABC123456`",
    "YOUR_INSTITUTION_ID": "the id of an institution, from `institutions(search:)`",
    "YOUR_INSTITUTION_NAME": "any part of an institution's name",
    "YOUR_INVITATION_TOKEN": "what stands behind the `#` of the mailed link",
    "YOUR_INVITED_USER_ID": "the id of a user who has set no password yet, from `organisation.users`",
    "YOUR_JOIN_REQUEST_ID": "the id of a request, from `organisation.joinRequests`",
    "YOUR_KEY_ID": "the id of a key, from `organisation.keys`",
    "YOUR_LIST_ID": "the id of a list, from `checkList`",
    "YOUR_LOCAL_TIME": "what the clock on the wall will show, such as `2027-01-15T09:00`",
    "YOUR_MAIL_ID": "the id of a letter, from `staff.parkedMail`",
    "YOUR_NAME_ON_DOCUMENT": "the name, exactly as it is spelled on the document",
    "YOUR_NEW_PASSWORD": "a password that is not known yet",
    "YOUR_ONE_TIME_CODE": "the six digits that the authenticator shows",
    "YOUR_PASSWORD": "the password of the account",
    "YOUR_PASSWORD_TOKEN": "what stands behind the `#` of the mailed link",
    "YOUR_PROCTOR_ID": "the id of a proctor who is connected, from `proctors`",
    "YOUR_RECORDING": "what the recording is called in the store, such as `recording/2f0c9a.webm`",
    "YOUR_RESET_TOKEN": "what stands behind the `#` of the mailed link",
    "YOUR_RESULT_ID": "the id of a result",
    "YOUR_SANDBOX_ID": "the id of the sandbox's institution, from `sandbox`",
    "YOUR_SECRET_NUMBER": "the four digits of a Confirmation of Entry",
    "YOUR_SHARE_ID": "the id of a share, from `inbox`, or from `me` for its candidate",
    "YOUR_SITTING_ID": "the id of a sitting, from `bookSitting` or `sittings`",
    "YOUR_STATEMENT_NUMBER": "the number of a Statement of Results",
    "YOUR_SUSPENDED_INSTITUTION_ID": "the id of an institution that is suspended",
    "YOUR_TEMPLATE_ID": "the id of a template, from `organisation.templates`",
    "YOUR_TEST_ID": "the test ID that the proctor told",
    "YOUR_TEST_PASSWORD": "the test password that the proctor told",
    "YOUR_UNCLAIMED_ENTRY_ID": "the id of an entry that nobody has claimed yet, from `enterCandidates`",
    "YOUR_USER_ID": "the id of a user, from `organisation.users`",
    "YOUR_WEBHOOK_ID": "the id of a webhook, from `organisation.webhooks`",
    "YOUR_WITHHELD_RESULT_ID": "the id of a result that is withheld",
}


@dataclass(frozen=True, slots=True)
class Example:
    """How an operation is asked for: its document, its variables, by whom, and what type it answers with."""

    name: str
    document: str
    variables: dict[str, Any]
    who: tuple[str, ...]
    answers: str | None

    @property
    def is_open(self) -> bool:
        """Whether no credential is needed."""
        return self.who[0] == "anybody"

    @property
    def is_stream(self) -> bool:
        """Whether the answer goes on."""
        return self.document.startswith("subscription")

    @property
    def yours(self) -> dict[str, str]:
        """The words that stand for what the reader has, explained."""
        words = re.findall(r'"(\w+)"', json.dumps(list(_strings(self.variables))))
        return {word: YOURS[word] for word in dict.fromkeys(words) if word in YOURS}


def scopes_of(who: str) -> list[Scope]:
    """The scopes of a key as examples name it; none of anybody else."""
    kind, *words = who.split()
    known = {scope.value: scope for scope in Scope}
    return [known[word] for word in words] if kind == "key" and set(words) <= set(known) else []


def in_words(who: str) -> str:
    """Who that is."""
    scopes = scopes_of(who)
    return f"a key with {' and '.join(scope.value for scope in scopes)}" if scopes else WHO[who]


def _strings(value: Any) -> list[str]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [one for part in inside for one in _strings(part)]


@cache
def examples() -> dict[str, Example]:
    """All of them, by the name of their operation; raises ValueError for a file that is not written as they are."""
    return {path.stem: read(path.stem, path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.graphql"))}


def read(name: str, text: str) -> Example:
    """The example of one file's text."""
    if (head := HEAD.match(text)) is None:
        raise ValueError(f"The example of {name} does not begin with who may ask for it.")
    who = tuple(one.strip() for one in head["who"].split(","))
    if unknown := [one for one in who if one not in WHO and not scopes_of(one)]:
        raise ValueError(f"The example of {name} names {', '.join(unknown)}; there are {', '.join(WHO)}, and keys.")
    written = (head["variables"] or "# variables: {}").removeprefix("# variables: ").replace("\n# ", "\n")
    return Example(name, text[head.end() :].strip(), json.loads(written), who, head["answers"])
