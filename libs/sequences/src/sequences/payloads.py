"""What was said in a real run, made fit to be kept: what differs between runs becomes stable, secrets are left out."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from typing import Any, Final

from .beside import Emitted, Exchange
from .reading import Designs, Finding

SEEN: Final = "seen/exchanges.json"
MASK: Final = "***"
_SECRET: Final = re.compile(r"(^|_)(token|password|secret|signature|key)$")
_BASE: Final = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_LONGEST: Final = 300
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HASH: Final = r"\b[0-9a-f]{32}\b"
_HOST: Final = r"\b127\.0\.0\.1:\d+"
_LABEL: Final = r"\bTRK[A-Z2-7]{12}\b"
_OPAQUE: Final = r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{32,}(?![\w-])"
_VARIES: Final = re.compile(
    rf"(?P<uuid>{_UUID})|(?P<hash>{_HASH})|(?P<host>{_HOST})|(?P<label>{_LABEL})|(?P<opaque>{_OPAQUE})"
)
_STABLE: Final[Mapping[str, Callable[[int], str]]] = {
    "uuid": lambda number: f"019bc0de-7a00-7000-8000-{number:012d}",
    "hash": lambda number: f"4bf92f3577b34da6a3ce929d0e0e{number:04d}",
    "host": lambda number: f"service-{number}.example.org",
    "label": lambda number: f"TRK{number:012d}",
    "opaque": lambda number: f"opaque-{number}",
}


def stable(said: Any) -> Any:
    """The same value is the same everywhere in it; times keep their distances, to the minute."""
    return _Stable(said).of(said)


def difference(kept: Any, seen: Any) -> str:
    """Line by line; empty where there is none."""
    before, after = (json.dumps(each, indent=2, ensure_ascii=False).splitlines() for each in (kept, seen))
    return "\n".join(list(unified_diff(before, after, "kept", "seen", lineterm="", n=2)))


def check(
    designs: Designs, codes: Mapping[str, tuple[int, str]], seen: Mapping[str, Mapping[str, Exchange | Emitted]]
) -> list[Finding]:
    """What was said on the walks is said of designs that exist, and refuses with the codes that they name."""
    findings = []
    for sequence_id, paths in seen.items():
        sequence = designs.get(sequence_id)
        for path_id, said in paths.items():
            if sequence is None or (path_id and sequence.path(path_id) is None):
                findings.append(Finding(SEEN, f"{sequence_id}.{path_id}", "Nobody has designed this."))
            elif isinstance(said, Exchange):
                path = sequence.path(path_id)
                message = _refusal(said, path.code if path else None, codes)
                findings += [Finding(SEEN, f"{sequence_id}.{path_id}", message)] if message else []
    return sorted(findings)


def _refusal(said: Exchange, code: str | None, codes: Mapping[str, tuple[int, str]]) -> str | None:
    answered = said.answer["error"]["code"] if isinstance(said.answer, Mapping) and "error" in said.answer else None
    if answered != code:
        return f"It was answered with {answered or 'no error'}, and is designed to be with {code or 'none'}."
    if code is not None and code in codes and codes[code][0] != said.status:
        return f"It was answered {said.status}, and {code} is {codes[code][0]}."
    return None


class _Stable:
    def __init__(self, said: Any) -> None:
        self._numbers: dict[str, dict[str, str]] = {kind: {} for kind in _STABLE}
        self._earliest = min((_moment(each) for text in _texts(said) for each in _TIME.findall(text)), default=_BASE)

    def of(self, value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {name: self.of(each, name) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(each, key) for each in value]
        if not isinstance(value, str):
            return value
        if value and _SECRET.search(key):
            return MASK
        return _short(_VARIES.sub(self._named, _TIME.sub(self._moved, value)))

    def _named(self, found: re.Match[str]) -> str:
        kind = found.lastgroup or ""
        known = self._numbers[kind]
        return known.setdefault(found[0], _STABLE[kind](len(known) + 1))

    def _moved(self, found: re.Match[str]) -> str:
        minutes = round((_moment(found[0]) - self._earliest) / timedelta(minutes=1))
        return f"{_BASE + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:20]}… ({len(text)} characters)"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
