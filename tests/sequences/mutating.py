"""Changes the source of the services in a copy of theirs, and has walks walked with it in a process of their own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
WALKS = Path(__file__).parent.relative_to(ROOT)
_WITHIN = 300.0
_DIFFERENCE = re.compile(r"^ +((?:missing|extra|reordered|event|error): .+)$", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """`before` stands in the file once; with `after` there the walk differs from its design by this, and no more."""

    file: str
    before: str
    after: str
    walk: str
    says: str | tuple[str, ...]

    @property
    def package(self) -> str:
        return self.file.split("/")[0]

    @property
    def differences(self) -> tuple[str, ...]:
        return (self.says,) if isinstance(self.says, str) else self.says


class SourceHasMovedOn(AssertionError):
    """What was to be changed is not there any more: change the mutant, too."""


def copied(packages: set[str], folder: Path) -> None:
    for package in packages:
        shutil.copytree(str(files(package)), folder / package, ignore=shutil.ignore_patterns("__pycache__"))


def change(folder: Path, mutant: Mutant) -> None:
    path = folder / mutant.file
    source = path.read_text()
    if source.count(mutant.before) != 1:
        raise SourceHasMovedOn(f"{mutant.file} has {source.count(mutant.before)} times: {mutant.before}")
    path.write_text(source.replace(mutant.before, mutant.after))


def walked(walks: Sequence[str], folder: Path, database_url: str) -> dict[str, tuple[str, ...] | None]:
    """How each walk differs from its design, or None where it passes, with the packages of this folder."""
    report = folder / "report.xml"
    asked = [f"{WALKS}/{walk}[in process]" for walk in walks]
    # Folders of its own: in the common one a pytest that starts takes from others the right to pass through to theirs,
    # and a PostgreSQL that runs there as another user ends.
    own = [f"--junitxml={report}", f"--basetemp={folder / 'tmp'}"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *own, *asked]
    environment = {**os.environ, "PYTHONPATH": str(folder), "DATABASE_URL": database_url}
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_WITHIN, check=False
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    cases = ElementTree.parse(report).iter("testcase")
    found = {_place(case): _differences(case) for case in cases}
    assert found.keys() == set(walks), ran.stdout
    return found


def _place(case: ElementTree.Element) -> str:
    """`test_carts.py::test_it`, whatever its parameters are."""
    module, *classes = case.attrib["classname"].removeprefix(".".join([*WALKS.parts, ""])).split(".")
    return "::".join([f"{module}.py", *classes, case.attrib["name"].partition("[")[0]])


def _differences(case: ElementTree.Element) -> tuple[str, ...] | None:
    failures = [each for each in case if each.tag in ("failure", "error")]
    if not failures:
        return None
    said = "\n".join(each.text or "" for each in failures)
    return tuple(
        dict.fromkeys(line.removeprefix("E").strip() for line in _DIFFERENCE.findall(said.replace("\nE", "\n ")))
    )
