"""Pictures stay within their frame, and say what stands in them whatever it is called."""

from xml.etree import ElementTree

from bench import plots

_RECT = "{http://www.w3.org/2000/svg}rect"


def test_the_highest_bar_is_as_much_higher_as_its_value() -> None:
    picture = ElementTree.fromstring(plots.grouped("Orders", "a second", {"1": {"a": 100.0, "b": 400.0}}))

    *_, low, high = [float(bar.attrib["height"]) for bar in picture.iter(_RECT) if "%" not in bar.attrib["height"]]
    assert abs(high / low - 4) < 0.01


def test_nothing_stands_above_the_frame() -> None:
    for value in (0.0, 0.003, 7.0, 99.9, 123_456.0):
        picture = ElementTree.fromstring(plots.stacked("CPU", "ms", {"x": {"a": value, "b": value}}))
        assert all(float(bar.attrib.get("y", 0)) >= 0 for bar in picture.iter(_RECT))


def test_names_may_hold_what_xml_is_made_of() -> None:
    assert "a &lt; b &amp; c" in plots.lines("a < b & c", "MB", {"<x>": [(1.0, 2.0), (2.0, 3.0)]})
