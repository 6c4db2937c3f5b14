"""What tests say of themselves by their marks, read from their source: nothing has to run for it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Mark:
    file: Path
    line: int
    values: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class NotWrittenOut(Exception):
    """Nobody can read what a mark says before the test runs."""


def marks(root: Path, name: str) -> Iterator[Mark]:
    """All `@pytest.mark.<name>(…)` of the tests below, on whatever they stand."""
    for file in sorted(root.rglob("test_*.py")):
        source = "" if ".venv" in file.parts else file.read_text()
        if f"mark.{name}" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{name}":
                yield _mark(file.relative_to(root), node)


def _mark(file: Path, call: ast.Call) -> Mark:
    try:
        values = tuple(ast.literal_eval(value) for value in call.args)
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except ValueError:
        raise NotWrittenOut(f"{file}:{call.lineno}: {ast.unparse(call)}: write out what the mark says.") from None
    return Mark(file, call.lineno, values, named)
