"""Percentiles are those of the sorted values, but for the width of a bucket; what is added up is counted together."""

from itertools import pairwise
from random import Random
from statistics import quantiles

import pytest

from bench.histogram import Histogram, bucket


def test_a_percentile_is_that_of_the_values_but_for_three_percent() -> None:
    values = [Random(number).lognormvariate(-4, 1.5) for number in range(5000)]

    histogram = Histogram.of(values)

    exact = quantiles(values, n=100)
    for percent in (50, 95, 99):
        assert histogram.ms(percent) == pytest.approx(exact[percent - 1] * 1000, rel=0.035)


def test_every_latency_has_a_bucket_and_a_longer_one_no_earlier_bucket() -> None:
    moments = [*range(5000), *(3**power for power in range(8, 25))]

    buckets = [bucket(moment) for moment in moments]

    assert buckets == sorted(buckets)
    assert max(later - earlier for earlier, later in pairwise(buckets[:5000])) == 1


def test_below_64_microseconds_nothing_is_rounded() -> None:
    assert Histogram({bucket(63): 1}).ms(50) == 0.063


def test_rounds_are_added_up() -> None:
    quick, slow = Histogram.of([0.001] * 95), Histogram.of([1.0] * 5)

    both = Histogram.all_of([quick, slow])

    assert len(both) == 100
    assert both.ms(95) < 1.1
    assert both.ms(96) > 980


def test_of_nothing_nothing_is_said() -> None:
    assert Histogram().ms(95) == 0
