"""Texts without what is drawn by chance: any few letters or digits may stand within a token, a digest or an id."""

import re

DRAWN = re.compile(r"[A-Za-z0-9_-]{22,}=*")


def words(*texts: str) -> str:
    """What is said in them; each token, digest and id is a dot."""
    return DRAWN.sub(".", " ".join(texts))
