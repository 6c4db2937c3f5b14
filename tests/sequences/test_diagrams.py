"""What is drawn can be shown: mermaid's own parser, the one that GitHub has, understands every diagram."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orderflow.known import lives
from sequences.reading import read

HERE = Path(__file__).parent
DESIGNS = HERE.parents[1] / "docs" / "sequences"
DRAWN = DESIGNS / "drawn"
PACKAGES = ("mermaid@11.17.2", "jsdom@29.1.1")
_FENCED = re.compile(r"^```mermaid\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script and what it needs, from npm."""
    if not (npm := shutil.which("npm")):
        pytest.skip("There is no npm, from which mermaid's parser comes: install Node.js to have the diagrams parsed.")
    folder = tmp_path_factory.mktemp("mermaid")
    shutil.copy(HERE / "mermaid.mjs", folder)
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", *PACKAGES]
    installed = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if installed.returncode:
        pytest.skip(f"npm could not install mermaid: {installed.stderr[-300:]}")
    return folder


def misunderstood(parser: Path, diagrams: list[dict[str, str]]) -> list[str]:
    node = shutil.which("node") or "node"
    ran = subprocess.run(
        [node, "mermaid.mjs"],
        cwd=parser,
        input=json.dumps(diagrams),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def drawn() -> list[dict[str, str]]:
    return [
        {"place": f"{path.name}, diagram {number}", "text": text}
        for path in sorted(DRAWN.glob("*.md"))
        for number, text in enumerate(_FENCED.findall(path.read_text()), 1)
    ]


def test_every_diagram_is_understood(parser: Path) -> None:
    diagrams = drawn()

    assert len(diagrams) == len(lives()) + sum(1 + len(design.exceptions) for design in read(DESIGNS).all)
    assert misunderstood(parser, diagrams) == []


def test_one_that_is_broken_would_be_named(parser: Path) -> None:
    broken = {"place": "a test", "text": "sequenceDiagram\n    Somebody->>"}

    [line] = misunderstood(parser, [broken])

    assert line.startswith("a test: Error: Parse error on line 2")
