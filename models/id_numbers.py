"""ID Numbers and Secret Numbers: made by chance that nobody can foretell (R1)."""

import secrets

# Without I and O, which are taken for 1 and 0.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
# What nobody wants to find on their Confirmation of Entry, in English and in romanised Japanese.
# The last are what examples are written with.
WORDS = """
    ASS BAD BAK BKA BSU CNT CUM CUN DBU DED DMN DUM DYK ERR FAG FAT FCK FUC FUK FUX GAY GUN HEL HGE JAP JEW KKK KUN KYK
    KYS LAX LSD NAZ NGA NGR NSA NUL PEE PUS RAP SAD SEX SHN SHT SLT SNE SSA SSS SUX TRD TTS TWT VAG WTF XXX
    AAA ABC XYZ"""
UNWANTED = frozenset(WORDS.split())


def new_id_number() -> str:
    """Three letters that say nothing and six digits; whether it is taken, only the table can tell."""
    triple = "".join(secrets.choice(LETTERS) for _ in range(3))
    return new_id_number() if triple in UNWANTED else f"{triple}{secrets.randbelow(1_000_000):06}"


def new_secret_number() -> str:
    """Four digits, every one of the 10,000 as likely as the other."""
    return f"{secrets.randbelow(10_000):04}"
