"""Notices shown with a result (R10), in English and Japanese."""

import strawberry

from models.result_notices import NOTICES, codes_for
from schema.pages import bad_input


@strawberry.type(description="Something to know about a result.")
class Notice:
    code: str = strawberry.field(description="Stable code, such as `CERTIFICATE_FOLLOWS`.")
    text: str = strawberry.field(description="The notice in the language asked for, fit to be shown.")


def check_language(language: str) -> None:
    """Refuse a language in which the service says nothing."""
    if language not in ("en", "ja"):
        raise bad_input("`language` must be en or ja.")


def notices_for(outcome: str, has_certificates: bool, language: str) -> list[Notice]:
    """The notices for an outcome (or `REVOKED`) of an exam with or without certificates, in `en` or `ja`."""
    check_language(language)
    codes = codes_for(outcome, has_certificates)
    return [Notice(code=code, text=NOTICES[code][language]) for code in codes]
