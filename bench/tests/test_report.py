"""The report says what the figures do, holds them against the bounds, and leaves alone what people wrote."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import figures, report
from bench.bounds import bounds
from bench.figures import OURS, Figures

from .factories import a_round, some_figures


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = some_figures()
    written.write(tmp_path / "figures.json")

    assert figures.read(tmp_path / "figures.json") == written


def test_every_bound_is_held_against_what_was_measured() -> None:
    found = {bound.what: (bound.measured, bound.holds) for bound in bounds(some_figures())}

    assert found["Accepting at 32 clients, of the floor"] == ("0.80 ×", True)
    assert found["Accepting at 32 clients, of the usual way"] == ("8.00 ×", True)
    assert found["Alone (1 client), p50, of the usual way's"][1] is True
    assert found["To DELIVERED at 32 clients, of the floor"] == ("0.80 ×", True)
    assert found["One hot product, of many products"] == ("0.88 ×", True)
    assert found["Among a million old orders, of among ten"] == ("0.99 ×", True)
    assert found["Commits 2 ms slower, of as they are"] == ("0.38 ×", False)
    assert found["Memory after 100,000 orders, of after 20,000, in the service that grew most"] == ("1.08 ×", True)
    assert found["Outboxes and queues empty after the end of load, at half of saturation"] == ("0.50 s", True)


def test_one_slow_round_of_three_is_shown_and_counts() -> None:
    found = some_figures()
    found.rounds += [a_round(OURS, "many products", 128, accepted) for accepted in (400, 850)]

    [held] = [bound for bound in bounds(found) if bound.what == "Accepting with 128 clients, p95"]
    [line] = [line for line in report.document(found).splitlines() if line.startswith(f"| 128 | {OURS} | 800 |")]

    assert (held.measured, held.holds) == ("324 ms", False)
    assert "| 400–850 |" in line
    assert "| 150–324 |" in line


def test_what_was_not_measured_is_said_to_be_so() -> None:
    nothing = Figures("make bench", "2026-01-01", {}, {})

    assert {(bound.measured, bound.holds) for bound in bounds(nothing)} == {("not in this run", None)}
    assert "not in this run" in report.document(nothing)


def test_answers_that_nobody_expected_do_not_hide() -> None:
    found = some_figures()
    [one] = found.of(OURS, "many products", 32)
    found.rounds[found.rounds.index(one)] = figures.Round(**{**vars(one), "unexpected": 3})

    assert f"| 32 | {OURS} | 800 |" in report.document(found)
    assert "| 3 |" in report.document(found)


def test_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    page = report.write(some_figures(), tmp_path)
    by_hand = page.read_text().replace("Not written down yet", "It is the moon")
    page.write_text(by_hand)

    again = report.write(some_figures(), tmp_path)

    assert again.read_text() == by_hand
    assert "It is the moon" in by_hand


def test_every_picture_of_the_page_is_there(tmp_path: Path) -> None:
    page = report.write(some_figures(), tmp_path).read_text()

    for name in ("accepting", "delivering", "cpu", "memory"):
        assert f"(benchmarks/{name}.svg)" in page
        assert (tmp_path / "benchmarks" / f"{name}.svg").exists()


@pytest.mark.parametrize("found", [some_figures(), Figures("make bench", "2026-01-01", {}, {})])
def test_pictures_are_valid_xml(found: Figures) -> None:
    for picture in report.pictures(found).values():
        assert ElementTree.fromstring(picture).tag.endswith("svg")
