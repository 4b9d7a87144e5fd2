"""The sentences people agree to. A changed sentence gets a new version; shares keep what was shown (S3)."""

TERMS_VERSION = "2026-11"
CONSENT_VERSION = "2026-11"

SENTENCES = {
    "en": (
        "I agree that my result, with my name, date of birth and skill scores, is sent to {institution}, "
        "which may keep it and check that it is genuine."
    ),
    "ja": (
        "私の試験結果を、氏名、生年月日および技能別スコアとともに{institution}に送信し、"
        "同機関が保管して真正であることを確認することに同意します。"
    ),
}


def consent_sentence(institution: str, language: str) -> str:
    """The sentence shown before a result is sent, naming the institution as shown."""
    return SENTENCES[language].format(institution=institution)
