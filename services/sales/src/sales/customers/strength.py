"""Which passwords are taken: long ones that nobody tries first. Rules only: no I/O but the words, once.

Long does not help what is made of what everybody tries: `common_words.txt` holds the words, names, rows of keys and
sentences that such passwords are made of, and one of them stays common when it is written in capitals or with digits
for letters, repeated, or lengthened by digits and marks.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pydantic import SecretStr

from chassis.errors import Invalid
from chassis.steps import step

SHORTEST, LONGEST = 12, 128
_FEWEST_DIFFERENT: Final = 5
_SHORTEST_WORD: Final = 3
_AROUND: Final = re.compile(r"^[\W\d_]{0,10}(.*?)[\W\d_]{0,10}$", re.DOTALL)
_WRITTEN_FOR: Final = str.maketrans("@4310$57!|", "aaeiosstil")
_KEYS: Final = (
    "0123456789" * 13,
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)
_ROWS: Final = tuple(row[::way] for row in _KEYS for way in (1, -1))


class WeakPassword(Invalid):
    code = "WEAK_PASSWORD"


@dataclass(frozen=True, slots=True)
class _Requirement:
    name: str
    message: str

    def detail(self, field: str) -> dict[str, Any]:
        return {"field": field, "requirement": self.name, "message": self.message}


LENGTH: Final = _Requirement("length", f"It must have {SHORTEST} to {LONGEST} characters.")
UNCOMMON: Final = _Requirement("uncommon", "It must not be one of those that are tried first.")
OTHER_THAN_EMAIL: Final = _Requirement("other_than_email", "It must not be the e-mail, nor the part before the @.")


@step("CustomerService", "validatePasswordStrength")
def validate_password_strength(password: SecretStr, email: str, field: str = "password") -> None:
    if missed := list(_missed(password.get_secret_value(), email)):
        raise WeakPassword("The password is too easy to guess.", [requirement.detail(field) for requirement in missed])


def _missed(password: str, email: str) -> list[_Requirement]:
    its_own = {part for whole in (email, email.partition("@")[0]) for part in _readings(whole)}
    made_of = _readings(password)
    missed = {
        LENGTH: not SHORTEST <= len(password) <= LONGEST,
        UNCOMMON: len(set(password)) < _FEWEST_DIFFERENT or any(map(_is_common, made_of)),
        OTHER_THAN_EMAIL: not made_of.isdisjoint(its_own),
    }
    return [requirement for requirement, is_missed in missed.items() if is_missed]


def _readings(written: str) -> set[str]:
    """What it was made of: as it stands, without what is around it, with letters for digits, and once if repeated."""
    folded = written.casefold()
    inner = _inner(folded)
    spellings = {folded, inner, _joined(inner), _joined(inner.translate(_WRITTEN_FOR))}
    return {reading for each in spellings for reading in (each, _once(each)) if len(reading) >= _SHORTEST_WORD}


def _inner(folded: str) -> str:
    match = _AROUND.match(folded)
    assert match is not None
    return match[1]


def _joined(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def _once(text: str) -> str:
    """The part that it repeats: whatever repeats itself is found in its double before its end."""
    return text[: (text + text).find(text, 1)]


def _is_common(reading: str) -> bool:
    if any(reading in row for row in _ROWS):
        return True
    words = _words()
    return reading in words or any(reading[:end] in words and reading[end:] in words for end in range(1, len(reading)))


@cache
def _words() -> frozenset[str]:
    return frozenset(files(__package__).joinpath("common_words.txt").read_text("utf-8").split())
