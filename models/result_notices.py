"""Notices shown with a result (R10), in English and Japanese."""

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


def codes_for(outcome: str, has_certificates: bool) -> list[str]:
    """The notices for an outcome (or `REVOKED`) of an exam with or without certificates."""
    codes = SHOWN_WITH.get(outcome, ("WRONG_DETAILS",))
    return [code for code in codes if has_certificates or code != "CERTIFICATE_FOLLOWS"]
