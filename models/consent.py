"""The sentences people agree to. A changed sentence gets a new version; shares keep what was shown (S3)."""

from datetime import UTC

from models.terms import Terms

TERMS_VERSION = "2026-11"
CONSENT_VERSION = "2026-11-22"

SENTENCES = {
    "en": "I agree that my result, with my {included}, is sent to {institution}, which may {use}.",
    "ja": "私の試験結果を、{included}{institution}に送信し、同機関が{use}ことに同意します。",
}
# What goes with the result: with or without skill scores, with or without the photo.
INCLUDED = {
    "en": {
        (True, True): "name, date of birth, skill scores and test-day photo (where there is one)",
        (True, False): "name, date of birth and skill scores, but without my test-day photo",
        (False, True): "name, date of birth and test-day photo (where there is one), but without my skill scores",
        (False, False): "name and date of birth, but without my skill scores and my test-day photo",
    },
    "ja": {
        (True, True): "氏名、生年月日、技能別スコアおよび試験当日の写真（ある場合）とともに",
        (True, False): "氏名、生年月日および技能別スコアとともに（試験当日の写真は含めずに）",
        (False, True): "氏名、生年月日および試験当日の写真（ある場合）とともに（技能別スコアは含めずに）",
        (False, False): "氏名および生年月日とともに（技能別スコアおよび試験当日の写真は含めずに）",
    },
}
# What the institution may do: with downloads, and without.
USE = {
    "en": {
        True: "keep it and check that it is genuine",
        False: "see it and check that it is genuine, but not download it",
    },
    "ja": {
        True: "保管して真正であることを確認する",
        False: "閲覧して真正であることを確認する（ダウンロードは除く）",
    },
}
UNTIL = {
    "en": " From {moment:%Y-%m-%d %H:%M:%S} UTC on it is shown there no more.",
    "ja": "{moment:%Y-%m-%d %H:%M:%S} UTC以降は同機関に表示されません。",
}


def consent_sentence(institution: str, language: str, terms: Terms = Terms()) -> str:  # noqa: B008  # it is frozen
    """The sentence shown before a result is sent on these terms, naming the institution as shown."""
    sentence = SENTENCES[language].format(
        included=INCLUDED[language][terms.includes_skills, terms.includes_photo],
        institution=institution,
        use=USE[language][terms.allows_downloads],
    )
    if terms.expires_at is None:
        return sentence
    return sentence + UNTIL[language].format(moment=terms.expires_at.astimezone(UTC))
