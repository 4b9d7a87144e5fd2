"""Reads the scripts of our pages without running them."""

import re
from pathlib import Path

STATIC = Path("transport/static")


def script(name: str) -> str:
    """The text of one script."""
    return (STATIC / f"{name}.js").read_text("utf-8")


def operations_of(name: str) -> dict[str, str]:
    """What a page can ask, by name: its own operations and those that pages share."""
    return dict(re.findall(r"^const (\w+) = `(.+?)`;", script("asking") + script(name), re.DOTALL | re.MULTILINE))


def words_of(name: str, language: str) -> dict[str, str]:
    """The texts of a script in one language, by name; a function's text is empty."""
    [block] = re.findall(rf"^  {language}: \{{\n(.+?)^  \}},", script(name), re.DOTALL | re.MULTILINE)
    return dict(re.findall(r'^    (\w+): (?:"(.+)",|\(.+)$', block, re.MULTILINE))
