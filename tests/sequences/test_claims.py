"""Every path that is designed has a test that claims to walk it, and every rule one that holds it: read, not run."""

from pathlib import Path

import pytest

from orderflow.known import rules
from sequences.account import AS_PLANNED
from sequences.reading import read
from sequences.walking import FOLDER, WALKS
from tests.harness.marks import Mark, NotWrittenOut, marks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DESIGNS = read(ROOT / FOLDER)
# The core flow, and the seventeen that were asked for beside it.
FLOWS = {"CART": 4, "CAT": 1, "CORE": 1, "INV": 2, "ORD": 5, "PRICE": 1, "PROD": 2, "REG": 1, "VAR": 1}
# What stands below it in rules.md is no matter of one sequence.
BESIDE = "\n## Beside the sequences\n"


def walked() -> dict[tuple[str, str], list[Mark]]:
    """By sequence and path."""
    found: dict[tuple[str, str], list[Mark]] = {}
    for mark in marks(ROOT, "sequence"):
        found.setdefault((mark.values[0], mark.named.get("exception", AS_PLANNED)), []).append(mark)
    return found


def held() -> dict[str, list[Mark]]:
    """By rule."""
    found: dict[str, list[Mark]] = {}
    for mark in marks(ROOT, "rule"):
        for rule in mark.values:
            found.setdefault(rule, []).append(mark)
    return found


def designed() -> set[tuple[str, str]]:
    return {
        (sequence.id, way)
        for sequence in DESIGNS.all
        for way in (AS_PLANNED, *(path.id for path in sequence.exceptions))
    }


def test_every_path_that_is_designed_has_a_test_that_claims_to_walk_it() -> None:
    assert not DESIGNS.unreadable
    assert sorted(designed() - walked().keys()) == []


def test_nothing_is_claimed_that_nobody_has_designed() -> None:
    strange = walked().keys() - designed()

    assert [f"{mark}: {claim}" for claim in sorted(strange) for mark in walked()[claim]] == []


def test_walks_are_where_a_whole_run_looks_for_them() -> None:
    elsewhere = [str(mark) for found in walked().values() for mark in found if mark.file.parent != WALKS]

    assert elsewhere == []


def test_every_rule_is_named_by_a_test_that_holds_it() -> None:
    assert sorted(rules(DOCS).keys() - held().keys()) == []


def test_no_test_holds_a_rule_that_there_is_not() -> None:
    strange = held().keys() - rules(DOCS).keys()

    assert [f"{mark}: {rule}" for rule in sorted(strange) for mark in held()[rule]] == []


def test_every_rule_stands_once_and_says_something() -> None:
    headings = [line for line in (DOCS / "rules.md").read_text().splitlines() if line.startswith("### ")]

    assert [heading.removeprefix("### ") for heading in headings] == list(rules(DOCS))


def test_every_flow_is_designed() -> None:
    wanted = {f"SEQ-{domain}-{number + 1:03}" for domain, count in FLOWS.items() for number in range(count)}

    assert {design.id for design in DESIGNS.all} == wanted


def test_every_rule_of_the_sequences_is_realised_by_one() -> None:
    of_sequences, separator, _ = (DOCS / "rules.md").read_text().partition(BESIDE)
    realised = {rule for sequence in DESIGNS.all for rule in (*sequence.related_acs, *sequence.related_brs)}

    assert separator
    assert [rule for rule in rules(DOCS) if f"### {rule}\n" in of_sequences and rule not in realised] == []


def test_marks_are_read_from_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        """
import pytest

@pytest.mark.rule("A", "B")
class TestIt:
    @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.rule("C"))])
    async def test_it(self, n):
        "Not that of pytest.mark.rule('D')."
"""
    )

    assert [(str(mark), mark.values) for mark in marks(tmp_path, "rule")] == [
        ("test_some.py:4", ("A", "B")),
        ("test_some.py:6", ("C",)),
    ]


def test_a_mark_that_is_not_written_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text("pytestmark = [pytest.mark.rule(name) for name in ('A', 'B')]")

    with pytest.raises(NotWrittenOut, match=r"test_some.py:1: pytest.mark.rule\(name\): write out what the mark says"):
        list(marks(tmp_path, "rule"))
