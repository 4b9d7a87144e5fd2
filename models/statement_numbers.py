"""Numbers of statements and certificates that the file left out: made by chance, so that nobody counts them up."""

import secrets
from datetime import date

STATEMENT, CERTIFICATE = "S", "C"


def new_number(kind: str, exam_date: date) -> str:
    """Such as `S26` and eight digits; whether it is taken, only the table can tell."""
    return f"{kind}{exam_date:%y}{secrets.randbelow(100_000_000):08}"
