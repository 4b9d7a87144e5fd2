"""Notices shown with a result (R10), in English and Japanese."""

import strawberry

from models.result_notices import NOTICES, codes_for


@strawberry.type(description="Something to know about a result.")
class Notice:
    code: str = strawberry.field(description="Stable code, such as `CERTIFICATE_FOLLOWS`.")
    text: str = strawberry.field(description="The notice in the language asked for, fit to be shown.")


def notices_for(outcome: str, has_certificates: bool, language: str) -> list[Notice]:
    """The notices for an outcome (or `REVOKED`) of an exam with or without certificates, in `en` or `ja`."""
    codes = codes_for(outcome, has_certificates)
    return [Notice(code=code, text=NOTICES[code][language]) for code in codes]
