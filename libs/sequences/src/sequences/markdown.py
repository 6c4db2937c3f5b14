"""Pieces of documents: tables, fenced text, JSON."""

import json
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from datetime import timedelta
from typing import Any


def section(heading: str, lines: Iterable[str], level: int = 2) -> Iterator[str]:
    """Nothing, where it would be empty."""
    content = list(lines)
    while content and not content[-1]:
        content.pop()
    if content:
        yield from (f"{'#' * level} {heading}", "", *content, "")


def table(heads: Several[str], rows: Iterable[Several[str]]) -> Iterator[str]:
    """A head that ends with a colon has its column to the right."""
    yield f"| {' | '.join(head.rstrip(':') for head in heads)} |"
    yield f"|{'|'.join('---:' if head.endswith(':') else '---' for head in heads)}|"
    for row in rows:
        cells = [cell.replace("|", r"\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


def fenced(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", text, "```")


def as_json(value: Any) -> Iterator[str]:
    yield from fenced("json", json.dumps(value, indent=2, ensure_ascii=False))


def numbers(steps: Iterable[int]) -> str:
    """`step 3`, `steps 3, 4`"""
    all_of_them = [str(step) for step in steps]
    return f"{'step' if len(all_of_them) == 1 else 'steps'} {', '.join(all_of_them)}"


def duration(of: timedelta) -> str:
    ms = of / timedelta(milliseconds=1)
    if ms < 1000:
        return f"{ms:.0f} ms"
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if of >= unit and not of % unit:
            return f"{of // unit} {name}"
    return f"{of.total_seconds():g} s"
