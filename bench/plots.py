"""Plots as SVG, by hand: bars in groups, bars of parts, and lines."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 760
_HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 60, 40
_COLOURS: Final = ("#8c8c8c", "#1f6fb2", "#74add1", "#d9772b", "#4b9e5f", "#8e63a8")

Bars = Mapping[str, Mapping[str, float]]
"""What stands below a group or a bar, and in it the values by what they are of."""


def grouped(title: str, unit: str, groups: Bars) -> str:
    series = _series(groups)
    highest = max((value for group in groups.values() for value in group.values()), default=0)
    axis = _Axis(highest)
    room = _room(groups)
    wide = room * 0.8 / max(1, len(series))
    drawn = []
    for number, (name, group) in enumerate(groups.items()):
        left = _LEFT + room * (number + 0.1)
        for place, one in enumerate(series):
            if one in group:
                drawn.append(axis.bar(left + place * wide, wide * 0.9, 0, group[one], _COLOURS[place]))
                drawn.append(_text(left + (place + 0.45) * wide, axis.y(group[one]) - 4, _short(group[one]), size=10))
        drawn.append(_text(_LEFT + room * (number + 0.5), _HEIGHT - _BOTTOM + 18, name))
    return _picture(title, unit, series, axis, drawn)


def stacked(title: str, unit: str, bars: Bars) -> str:
    series = _series(bars)
    axis = _Axis(max((sum(parts.values()) for parts in bars.values()), default=0))
    room = _room(bars)
    drawn = []
    for number, (name, parts) in enumerate(bars.items()):
        left, below = _LEFT + room * (number + 0.25), 0.0
        for place, one in enumerate(series):
            drawn.append(axis.bar(left, room * 0.5, below, parts.get(one, 0), _COLOURS[place % len(_COLOURS)]))
            below += parts.get(one, 0)
        drawn.append(_text(left + room * 0.25, axis.y(below) - 4, _short(below), size=10))
        drawn.append(_text(left + room * 0.25, _HEIGHT - _BOTTOM + 18, name))
    return _picture(title, unit, series, axis, drawn)


def lines(title: str, unit: str, points: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    every = [point for line in points.values() for point in line]
    axis = _Axis(max((y for _, y in every), default=0))
    furthest = max((x for x, _ in every), default=1) or 1
    drawn = []
    for place, line in enumerate(points.values()):
        path = " ".join(f"{_across(x / furthest):.1f},{axis.y(y):.1f}" for x, y in line)
        colour = _COLOURS[place % len(_COLOURS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    across = sorted({x for x, _ in every})
    drawn += [_text(_across(x / furthest), _HEIGHT - _BOTTOM + 18, _short(x), size=10) for x in across]
    return _picture(title, unit, list(points), axis, drawn)


class _Axis:
    def __init__(self, highest: float) -> None:
        self.step = _step(highest / 5 or 1)
        self.top = self.step * (int(highest / self.step) + 1)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / self.top

    def bar(self, left: float, width: float, since: float, value: float, colour: str) -> str:
        upper, lower = self.y(since + value), self.y(since)
        return (
            f'<rect x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{lower - upper:.1f}" fill="{colour}"/>'
        )

    def drawn(self) -> list[str]:
        marks = []
        for number in range(round(self.top / self.step) + 1):
            at = self.y(number * self.step)
            marks.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e0e0e0"/>')
            marks.append(_text(_LEFT - 6, at + 4, _short(number * self.step), anchor="end", size=10))
        return marks


def _picture(title: str, unit: str, series: Sequence[str], axis: _Axis, drawn: Sequence[str]) -> str:
    legend, left = [], float(_LEFT)
    for place, name in enumerate(series):
        legend.append(f'<rect x="{left:.0f}" y="36" width="10" height="10" fill="{_COLOURS[place % len(_COLOURS)]}"/>')
        legend.append(_text(left + 14, 45, name, anchor="start"))
        left += 30 + 7 * len(name)
    head = _text(_LEFT, 22, f"{title} ({unit})", anchor="start", size=14)
    body = "\n".join([head, *legend, *axis.drawn(), *drawn])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _series(bars: Bars) -> list[str]:
    return list(dict.fromkeys(name for parts in bars.values() for name in parts))


def _room(bars: Bars) -> float:
    return (_WIDTH - _LEFT - _RIGHT) / max(1, len(bars))


def _across(share: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _step(wanted: float) -> float:
    """1, 2 or 5 times a power of ten, and not less than what is wanted."""
    power = 1.0
    while power > wanted:
        power /= 10
    while power * 10 <= wanted:
        power *= 10
    return next(power * times for times in (1, 2, 5, 10) if power * times >= wanted)


def _short(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _text(x: float, y: float, words: str, *, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(words)}</text>'
