"""Reads designs from their files, and says of what is wrong in which file and at which place."""

import json
from collections.abc import Sequence as Several
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .design import Sequence


@dataclass(frozen=True, order=True)
class Finding:
    """`place` is the way to it inside the file, as `steps.3.event`."""

    file: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.message}" if self.place else f"{self.file}: {self.message}"


@dataclass(frozen=True)
class Designs:
    """All designs of a folder, in the order of their ids, and what kept others from being read."""

    by_file: dict[str, Sequence]
    unreadable: tuple[Finding, ...] = ()

    @property
    def all(self) -> list[Sequence]:
        return sorted(self.by_file.values(), key=lambda sequence: sequence.id)

    def get(self, sequence_id: str) -> Sequence | None:
        return next((sequence for sequence in self.by_file.values() if sequence.id == sequence_id), None)


def read(folder: Path) -> Designs:
    by_file: dict[str, Sequence] = {}
    unreadable: list[Finding] = []
    for path in sorted(folder.glob("*.json")):
        found, findings = read_text(path.name, path.read_text())
        unreadable += findings
        if found is not None:
            by_file[path.name] = found
    return Designs(by_file, tuple(unreadable))


def read_text(file: str, text: str) -> tuple[Sequence | None, list[Finding]]:
    try:
        return Sequence.model_validate(json.loads(text, object_pairs_hook=_once)), []
    except json.JSONDecodeError as error:
        return None, [Finding(file, f"line {error.lineno}", f"This is not JSON: {error.msg}.")]
    except _Twice as error:
        return None, [Finding(file, "", f"The key {error} stands there twice.")]
    except ValidationError as error:
        return None, [_finding(file, each["loc"], each["msg"]) for each in error.errors(include_input=False)]


class _Twice(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise _Twice(key)
    return dict(pairs)


def _finding(file: str, place: Several[Any], message: str) -> Finding:
    return Finding(file, ".".join(map(str, place)), message)
