"""Names of people and institutions: how they are shown, compared and found."""

import re
import unicodedata

# Letters that stay one sign under Unicode's decomposition, and how people type them without their keyboard.
PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
APOSTROPHES = re.compile(r"['’‘ʼʻ`´]")
# Marks that are no accents: voicing of kana, and the vowels of Indic and South-East Asian scripts.
MARKS = r"\u3099\u309a\u0900-\u0963\u0970-\u109f\u1780-\u17d3"
NOT_WORDS = re.compile(rf"[^\w\s{MARKS}]|_")
KATAKANA = {ord("ァ") + offset: ord("ぁ") + offset for offset in range(ord("ヶ") - ord("ァ") + 1)}
CJK = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")


def folded(text: str) -> str:
    """One form for all ways to write a name: any case, width, accents, hiragana or katakana, apostrophes, hyphens."""
    text = unicodedata.normalize("NFKC", APOSTROPHES.sub("", text)).casefold()  # NFKC makes a blank of ´
    text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not _is_left_out(sign))
    text = unicodedata.normalize("NFC", text).translate(PLAIN).translate(KATAKANA)
    return " ".join(NOT_WORDS.sub(" ", APOSTROPHES.sub("", text)).split())


def _is_left_out(sign: str) -> bool:
    """Whether a sign does not count: an accent, or one that cannot be seen (soft hyphens, joiners, directions)."""
    category = unicodedata.category(sign)
    return category == "Cf" or (category == "Mn" and not re.match(f"[{MARKS}]", sign))


def grams(searched: str) -> list[str]:
    """What a folded name is indexed by: its pairs of signs, and its single CJK signs."""
    found = set(CJK.findall(searched))
    for word in searched.split():
        found.update(word[i : i + 2] for i in range(len(word) - 1))
    return sorted(found)


def search_words(search: str) -> list[str]:
    """The folded words of a search, or none when it is too short: 2 signs up, 1 for CJK (S1)."""
    words = folded(search).split()
    long_enough = sum(map(len, words)) >= 2 or any(CJK.search(word) for word in words)  # S1 says two
    return words if long_enough else []


def search_grams(words: list[str]) -> list[str]:
    """Grams that every name holding all these words must have."""
    found: set[str] = set()
    for word in words:
        found.update(CJK.findall(word) if len(word) == 1 else (word[i : i + 2] for i in range(len(word) - 1)))
    return sorted(found)


def full_name(given_name: str, family_name: str) -> str:
    """A name in the Latin letters of the Confirmation of Entry, given name first; either part may be empty."""
    return f"{given_name} {family_name}".strip()


def initials(given_name: str, family_name: str) -> str:
    """The first letters of both parts of a name, as `A. T.`: enough to compare with a paper, too few to find anyone."""
    found = [
        next((sign for sign in unicodedata.normalize("NFC", part) if sign.isalpha()), "")
        for part in (given_name, family_name)
    ]
    return " ".join(f"{letter.upper()[0]}." for letter in found if letter)


def shown_name(name: str, department: str | None) -> str:
    """An institution's name as shown, with its department (S2)."""
    return f"{name}, {department}" if department else name
