"""What people are found by in an inbox: their names in any script, and what is typed of them (V1)."""

from models.names import CJK, folded, full_name, search_words

LONGEST_SEARCH = 200


def searched(given_name: str, family_name: str, native_name: str | None) -> str:
    """What a person is found by, folded: the name in Latin letters, and the native one with and without its blanks."""
    native = folded(native_name or "")
    together = native.replace(" ", "") if CJK.search(native) else ""
    forms = [folded(full_name(given_name, family_name)), native, together]
    return " ".join(dict.fromkeys(form for form in forms if form))


def grams(searched: str) -> list[str]:
    """What such a text is indexed by: pairs of signs, single CJK signs, and the first letters of words behind a ^."""
    words = searched.split()
    return sorted({gram for word in words for gram in (*_grams(word), f"^{word[0]}", *CJK.findall(word))})


def _grams(word: str) -> list[str]:
    if len(word) > 1:
        return [word[i : i + 2] for i in range(len(word) - 1)]
    return [word] if CJK.match(word) else [f"^{word}"]


def words_of(search: str) -> list[str]:
    """The words of a search, each of which a name must hold; none when it is too short: 2 signs up, 1 for CJK."""
    return search_words(search[:LONGEST_SEARCH])


def grams_of(words: list[str]) -> list[str]:
    """The grams of every name that holds these words."""
    return sorted({gram for word in words for gram in _grams(word)})


def patterns_of(words: list[str]) -> list[str]:
    """For LIKE, on the text behind a blank: a word stands anywhere, a single letter at the beginning of one.

    Folded words hold no sign that means something there.
    """
    return [f"% {word}%" if _grams(word) == [f"^{word}"] else f"%{word}%" for word in words]
