"""From a letter's row to the mail: secrets are made here, from the service's key, and stored nowhere (G3)."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from engine.database import Row
from mailers import letters
from mailers.letters import Account, Corrections, Envelope, Key, Mail, News, Period
from models.application import application_token
from models.invitation import invitation_token
from models.session import email_change_token, reset_token, verifier_link_token
from models.verifier import unsubscribe_token

Facts = Mapping[str, Any]
Compose = Callable[[Envelope, Facts, str], Mail]


def composed(letter: Row, public_url: str) -> Mail:
    """The letter as a mail."""
    compose = KINDS.get(letter["kind"])
    if compose is None:
        raise LookupError(f"There is no letter of kind {letter['kind']!r}.")
    envelope = Envelope(str(letter["id"]), letter["address"], letter["language"], letter["written_at"])
    return compose(envelope, letter["facts"], public_url)


def _password_reset(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    if "link_id" in facts:
        return letters.password_reset(envelope, _set_password(facts, public_url), Account.VERIFIER)
    token = reset_token(UUID(facts["reset_id"]))
    return letters.password_reset(envelope, f"{public_url}/reset-password#{token}")


def _set_password(facts: Facts, public_url: str) -> str:
    """Where a user of an institution sets a password."""
    return f"{public_url}/set-password#{verifier_link_token(UUID(facts['link_id']))}"


def _user_invited(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.user_invited(envelope, facts["institution"], _set_password(facts, public_url))


def _application_confirm(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    token = application_token(UUID(facts["application_id"]))
    return letters.application_confirm(envelope, f"{public_url}/confirm-email#{token}")


def _application_known(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.application_known(envelope, f"{public_url}/inbox")


def _application_received(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.application_received(envelope, facts["institution"], date.fromisoformat(facts["due_on"]))


def _application_refused(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.application_refused(envelope, facts["institution"], facts["reason"])


def _application_approved(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.application_approved(envelope, facts["institution"], _set_password(facts, public_url))


def _institution_invited(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    token = invitation_token(UUID(facts["invitation_id"]))
    return letters.institution_invited(envelope, facts["candidate"], f"{public_url}/apply#{token}")


def _institution_joined(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.institution_joined(envelope, facts["institution"], f"{public_url}/results")


def _confirm_address(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    token = email_change_token(UUID(facts["change_id"]))
    return letters.confirm_address(envelope, f"{public_url}/confirm-email#{token}")


def _address_changed(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.address_changed(envelope, Account(facts.get("account", Account.CANDIDATE)))


def _primary_changed(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.primary_changed(envelope, facts["institution"], facts["name"])


def _join_requested(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.join_requested(envelope, facts["institution"], f"{public_url}/inbox")


def _join_refused(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.join_refused(envelope, facts["institution"])


def _institution_suspended(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.institution_suspended(envelope, facts["institution"], facts["reason"])


def _institution_reinstated(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.institution_reinstated(envelope, facts["institution"], f"{public_url}/inbox")


def _key_created(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.key_created(envelope, _key(facts), f"{public_url}/organisation")


def _key_revoked(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.key_revoked(envelope, _key(facts), f"{public_url}/organisation")


def _key_ends(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.key_ends(envelope, _key(facts), f"{public_url}/organisation")


def _key(facts: Facts) -> Key:
    return Key(facts["institution"], facts["key"], facts["prefix"], datetime.fromisoformat(facts["expires_at"]))


def _webhook_failing(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    since = datetime.fromisoformat(facts["since"])
    return letters.webhook_failing(envelope, facts["institution"], facts["host"], since, f"{public_url}/inbox")


def _webhook_paused(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.webhook_paused(envelope, facts["institution"], facts["host"], facts["reason"], f"{public_url}/inbox")


def _account_closed(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.account_closed(envelope)


def _password_changed(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.password_changed(envelope, envelope.written_at, Account(facts["account"]))


def _login_locked(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    locked_until = datetime.fromisoformat(facts["locked_until"])
    return letters.login_locked(envelope, locked_until, Account(facts["account"]))


def _new_shares(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    news = News(
        institution=facts["institution"],
        timezone=facts["timezone"],
        period=Period(facts["period"]),
        count=facts["count"],
        by_exam=[(title, number) for title, number in facts["by_exam"]],
        latest=[
            (title, date.fromisoformat(taken_on), datetime.fromisoformat(sent_at))
            for title, taken_on, sent_at in facts["latest"]
        ],
    )
    stop = f"{public_url}/unsubscribe/{unsubscribe_token(UUID(facts['verifier_id']))}"
    return letters.new_shares(envelope, news, f"{public_url}/inbox", stop)


def _result_released(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.result_released(envelope, f"{public_url}/results")


def _result_changed(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    return letters.result_changed(envelope, f"{public_url}/results")


def _result_corrected(envelope: Envelope, facts: Facts, public_url: str) -> Mail:
    corrections = Corrections(facts["institution"], Period(facts["period"]), facts["count"])
    stop = f"{public_url}/unsubscribe/{unsubscribe_token(UUID(facts['verifier_id']))}"
    return letters.result_corrected(envelope, corrections, f"{public_url}/inbox", stop)


KINDS: dict[str, Compose] = {
    "password_reset": _password_reset,
    "user_invited": _user_invited,
    "application_confirm": _application_confirm,
    "application_known": _application_known,
    "application_received": _application_received,
    "application_refused": _application_refused,
    "application_approved": _application_approved,
    "institution_invited": _institution_invited,
    "institution_joined": _institution_joined,
    "confirm_address": _confirm_address,
    "address_changed": _address_changed,
    "primary_changed": _primary_changed,
    "join_requested": _join_requested,
    "join_refused": _join_refused,
    "institution_suspended": _institution_suspended,
    "institution_reinstated": _institution_reinstated,
    "key_created": _key_created,
    "key_revoked": _key_revoked,
    "key_ends": _key_ends,
    "webhook_failing": _webhook_failing,
    "webhook_paused": _webhook_paused,
    "account_closed": _account_closed,
    "password_changed": _password_changed,
    "login_locked": _login_locked,
    "new_shares": _new_shares,
    "result_released": _result_released,
    "result_changed": _result_changed,
    "result_corrected": _result_corrected,
}
