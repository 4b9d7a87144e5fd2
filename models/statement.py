"""The token on a Statement of Results, which opens the check page for its number alone (R8, V6)."""

import base64
import hmac

from engine import keys

TOKEN_BYTES = 16  # 128 bits: too many to try, few enough for a small QR code


def check_token(number: str) -> str:
    """22 signs, safe in addresses, that only a statement with this number carries; nothing of it is stored."""
    sealed = keys.seal("statement", number)[:TOKEN_BYTES]
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def is_check_token(number: str, token: str) -> bool:
    """Whether the token is the one of this statement number."""
    return hmac.compare_digest(check_token(number).encode(), token.encode("utf-8", "surrogatepass"))


def check_address(site: str, number: str) -> str:
    """Where the QR code leads; what follows the # stays in the browser and in no log (G3)."""
    return f"{site}/check#{number}.{check_token(number)}"
