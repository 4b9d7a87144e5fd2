"""Texts without what is drawn by chance: any few signs may stand in tokens, digests, ids or parts of a second."""

import re

DRAWN = re.compile(r"[A-Za-z0-9_-]{22,}=*|(?<=:\d\d)\.\d+")


def words(*texts: str) -> str:
    """What is said in them; each token, digest and id is a dot, and so is what comes behind a full second."""
    return DRAWN.sub(".", " ".join(texts))
