"""How a language writes money and time, and what of a text from outside may stand in a mail."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, get_args

from contracts.sales.customers import Language
from contracts.text import to_decimal_string, to_minor_units

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
FALLBACK: Final[Language] = "en"
_SYMBOLS: Final = {"EUR": "€", "USD": "$", "GBP": "£"}
# Line breaks begin new headers, and the marks of other directions turn around what stands beside them.
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_SPACES: Final = re.compile(r" {2,}")
# Whoever registers an address that is not theirs could have us mail their advertisement as a name.
_NO_NAME: Final = re.compile(r"[@/\\<>:]|\w\.\w{2,}|\bwww\b|.{61}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wording:
    months: Sequence[str]
    day: str
    time: str
    separators: Mapping[int, int]
    """What stands for the comma and the point of English numbers."""
    priced: Callable[[str, str], str]
    """A number and its currency, in their order."""

    def on_day(self, moment: str) -> str:
        return self._day(_in_utc(moment))

    def at(self, moment: str) -> str:
        when = _in_utc(moment)
        return self._day(when) + self.time.format(when)

    def money(self, amount: str, currency: str) -> str:
        minor_units = to_minor_units(amount)
        written = f"{minor_units // 100:,}.{minor_units % 100:02d}".translate(self.separators)
        return self.priced(written, currency)

    def _day(self, when: date) -> str:
        return self.day.format(day=when.day, month=self.months[when.month - 1], year=when.year)


WORDINGS: Final[Mapping[Language, Wording]] = {
    "en": Wording(
        months=(
            "January", "February", "March", "April", "May", "June",
            "July", "August", "September", "October", "November", "December",
        ),
        day="{day} {month} {year}",
        time=", {:%H:%M} UTC",
        separators={},
        priced=lambda number, currency: (
            f"{_SYMBOLS[currency]}{number}" if currency in _SYMBOLS else f"{currency}\u00a0{number}"
        ),
    ),
    "de": Wording(
        months=(
            "Januar", "Februar", "März", "April", "Mai", "Juni",
            "Juli", "August", "September", "Oktober", "November", "Dezember",
        ),
        day="{day}. {month} {year}",
        time=", {:%H:%M} Uhr (UTC)",
        separators={ord(","): ord("."), ord("."): ord(",")},
        priced=lambda number, currency: f"{number}\u00a0{_SYMBOLS.get(currency, currency)}",
    ),
}  # fmt: skip


def known(language: str) -> Language:
    return next((known for known in LANGUAGES if known == language), FALLBACK)


def fit(value: Any) -> Any:
    """The same with every text in it on one line, and in one direction."""
    match value:
        case str():
            return _SPACES.sub(" ", _UNFIT.sub(" ", value)).strip()
        case list():
            return [fit(each) for each in value]
        case Mapping():
            return {key: fit(each) for key, each in value.items()}
        case _:
            return value


def greeted(name: str) -> str:
    """The name to greet somebody by; none if it rather looks like something to be read or clicked."""
    name = fit(name)
    return "" if _NO_NAME.search(name) else name


def line_price(item: Mapping[str, Any]) -> str:
    return to_decimal_string(to_minor_units(item["unit_price"]) * item["quantity"])


def _in_utc(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)
