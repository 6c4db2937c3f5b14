"""Amounts as Stripe counts them: ours are hundredths of every currency, theirs depend on it."""

from typing import Final

ZERO_DECIMAL: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
WHOLE_UNITS_ONLY: Final = frozenset({"ISK"})
"""Counted in hundredths, and refused unless they make whole units."""
UNCLEAR: Final = frozenset({"UGX"})
"""Their documents have it both ways: a hundred times too much is worse than not at all."""


class Unpayable(Exception):
    """There is no such amount in this currency there."""


def to_stripe(amount: int, currency: str) -> int:
    if currency in UNCLEAR:
        raise Unpayable(currency)
    if currency in ZERO_DECIMAL | WHOLE_UNITS_ONLY and amount % 100:
        raise Unpayable(currency)
    if currency in ZERO_DECIMAL:
        return amount // 100
    return amount * 10 if currency in THREE_DECIMAL else amount


def from_stripe(amount: int, currency: str) -> int:
    currency = currency.upper()
    if currency in ZERO_DECIMAL:
        return amount * 100
    return amount // 10 if currency in THREE_DECIMAL else amount
