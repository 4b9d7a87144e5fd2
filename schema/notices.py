"""Notices shown with a result (R10), in English and Japanese."""

import strawberry

from schema.pages import bad_input

NOTICES = {
    "CERTIFICATE_FOLLOWS": {
        "en": "The certificate follows about two and a half months after the exam.",
        "ja": "認定証は試験日から約2か月半後に届きます。",
    },
    "WRONG_DETAILS": {
        "en": "If your name or date of birth is wrong here, tell your exam centre before you share this result "
        "with immigration authorities.",
        "ja": "氏名または生年月日に誤りがある場合は、入国管理機関に結果を共有する前に試験センターへご連絡ください。",
    },
    "CONTACT_CENTRE": {
        "en": "This result is withheld. Please contact your exam centre.",
        "ja": "この結果は保留されています。試験センターへお問い合わせください。",
    },
    "NOT_DECIDED": {
        "en": "This result is not decided yet. You need not do anything.",
        "ja": "この結果はまだ確定していません。お手続きは不要です。",
    },
    "REVOKED": {
        "en": "This result was revoked and does not hold any more. Please contact your exam centre.",
        "ja": "この結果は取り消されました。試験センターへお問い合わせください。",
    },
}
SHOWN_WITH = {
    "GRADE": ("CERTIFICATE_FOLLOWS", "WRONG_DETAILS"),
    "LEVEL": ("CERTIFICATE_FOLLOWS", "WRONG_DETAILS"),
    "WITHHELD": ("CONTACT_CENTRE",),
    "PENDING": ("NOT_DECIDED",),
    "REVOKED": ("REVOKED",),
}


@strawberry.type(description="Something to know about a result.")
class Notice:
    code: str = strawberry.field(description="Stable code, such as `CERTIFICATE_FOLLOWS`.")
    text: str = strawberry.field(description="The notice in the language asked for, fit to be shown.")


def notices_for(outcome: str, has_certificates: bool, language: str) -> list[Notice]:
    """The notices for an outcome (or `REVOKED`) of an exam with or without certificates, in `en` or `ja`."""
    if language not in ("en", "ja"):
        raise bad_input("`language` must be en or ja.")
    codes = [
        code
        for code in SHOWN_WITH.get(outcome, ("WRONG_DETAILS",))
        if has_certificates or code != "CERTIFICATE_FOLLOWS"
    ]
    return [Notice(code=code, text=NOTICES[code][language]) for code in codes]
