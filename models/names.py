"""Names of people and institutions: how they are shown, compared and found."""

import re
import unicodedata

# Letters that stay one sign under Unicode's decomposition, and how people type them without their keyboard.
PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
APOSTROPHES = re.compile(r"['’‘ʼʻ`´]")
# Marks that are no accents: voicing of kana, and the vowels of Indic and South-East Asian scripts.
MARKS = r"\u3099\u309a\u0900-\u0963\u0970-\u109f\u1780-\u17d3"
NOT_WORDS = re.compile(rf"[^\w\s{MARKS}]|_")
LONG_MARK = re.compile("([ぁ-ゖ])ー")
LONG_VOWEL = re.compile("ou|oo|oh(?![aeiou])|uu|aa|ae|oe|ue")
KATAKANA = {ord("ァ") + offset: ord("ぁ") + offset for offset in range(ord("ヶ") - ord("ァ") + 1)}
# Old forms of kanji in names of institutions, and the forms that most people type.
OLD_KANJI = str.maketrans(
    "學國臺灣應澤廣藝醫龍櫻實齋邊濱嶋德鐵濟經會關縣區靜圓眞榮總專傳佛萬與壽豐寶條來聲曾黃瀧淺圖體敎敍當對亞嶽惠",
    "学国台湾応沢広芸医竜桜実斎辺浜島徳鉄済経会関県区静円真栄総専伝仏万与寿豊宝条来声曽黄滝浅図体教叙当対亜岳恵",
)
CJK = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
SAME = PLAIN | KATAKANA | OLD_KANJI


def folded(text: str) -> str:
    """One form for all ways to write a name: any case, width, accents, kana, old kanji, apostrophes, hyphens."""
    text = unicodedata.normalize("NFKC", APOSTROPHES.sub("", text)).casefold()  # NFKC makes a blank of ´
    text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not _is_left_out(sign))
    text = unicodedata.normalize("NFC", text).translate(SAME)
    return " ".join(NOT_WORDS.sub(" ", APOSTROPHES.sub("", text)).split())


def _is_left_out(sign: str) -> bool:
    """Whether a sign does not count: an accent, or one that cannot be seen (soft hyphens, joiners, directions)."""
    category = unicodedata.category(sign)
    return category == "Cf" or (category == "Mn" and not re.match(f"[{MARKS}]", sign))


def grams(searched: str) -> list[str]:
    """What a folded name is indexed by: pairs of signs, single CJK signs, and a blank with the beginnings of words."""
    found = set(CJK.findall(searched))
    for word in searched.split():
        found.update(word[i : i + 2] for i in range(len(word) - 1))
        found.update((f" {word[0]}", f" {word[:2]}"))
    return sorted(found)


def search_words(search: str) -> list[str]:
    """The folded words of a search, or none when it is too short: 2 signs up, 1 for CJK (S1)."""
    words = folded(search).split()
    long_enough = sum(map(len, words)) >= 2 or any(CJK.search(word) for word in words)  # S1 says two
    return words if long_enough else []


def is_initial(word: str) -> bool:
    """Whether a word of a search is a single letter, which stands for the beginning of a word."""
    return len(word) == 1 and not CJK.match(word)


def search_grams(words: list[str]) -> list[str]:
    """Grams that every name holding all these words must have, also one that holds them just as they are typed."""
    found: set[str] = set()
    for place, word in enumerate(words):
        if len(word) > 1:
            found.update(word[i : i + 2] for i in range(len(word) - 1))
        elif not is_initial(word):
            found.add(word)
        elif place > 0:  # the first letter as it is typed may be the end of a word
            found.add(f" {word}")
    return sorted(found)


def start_grams(words: list[str]) -> list[str]:
    """Grams that every name with words that begin like these must have."""
    return sorted({*search_grams(words), *(f" {word[:2]}" for word in words)})


def as_spelt_in_names(words: list[str]) -> list[str]:
    """The words of a search with long vowels and umlauts as names mostly have them: toukyou, koeln, とーきょー."""
    text = LONG_MARK.sub(_kana_of_mark, " ".join(words))
    return search_words(LONG_VOWEL.sub(lambda found: found[0][0], text))


def _kana_of_mark(found: re.Match[str]) -> str:
    vowel = unicodedata.name(found[1], " ")[-1]
    return found[1] + {"A": "あ", "I": "い", "U": "う", "E": "い", "O": "う"}.get(vowel, "ー")


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
