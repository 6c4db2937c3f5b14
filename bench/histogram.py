"""Latencies as counts in buckets of 3 %, so that any number of them costs nothing to keep and can be added up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

_BITS: Final = 5
_STEPS: Final = 1 << _BITS


class Histogram:
    """Of microseconds; what a percentile says is the middle of its bucket."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts = Counter(counts or {})

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Histogram":
        return cls(Counter(bucket(int(each * 1e6)) for each in seconds))

    @classmethod
    def all_of(cls, histograms: Iterable["Histogram"]) -> "Histogram":
        total: Counter[int] = Counter()
        for histogram in histograms:
            total.update(histogram.counts)
        return cls(total)

    def __len__(self) -> int:
        return self.counts.total()

    def ms(self, percent: float) -> float:
        """So many milliseconds at most in this share of the cases; nothing counted is 0."""
        wanted, seen, number = len(self) * percent / 100, 0, 0
        for number in sorted(self.counts):
            seen += self.counts[number]
            if seen >= wanted:
                break
        return _middle(number) / 1000


def bucket(microseconds: int) -> int:
    """Exact below 64; above, 32 buckets from each power of two to the next."""
    shift = max(0, microseconds.bit_length() - _BITS - 1)
    return (shift << _BITS) + (microseconds >> shift)


def _middle(number: int) -> float:
    shift = max(0, (number >> _BITS) - 1)
    lowest = (number - (shift << _BITS)) << shift
    return lowest + ((1 << shift) - 1) / 2
