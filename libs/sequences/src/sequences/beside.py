"""What the documents show beside the designs: what is known of the code, of the rules, and of runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .measured import Timings


@dataclass(frozen=True)
class Exchange:
    """One request of a real run, and its answer."""

    request: str
    body: Any
    status: int
    answer: Any


@dataclass(frozen=True)
class Emitted:
    """An event of a real run, as it travelled; of a run that nobody asked for."""

    event: Mapping[str, Any]


@dataclass(frozen=True)
class Due:
    """What is required of something, as of 95 in 100."""

    of: str
    within: timedelta


@dataclass(frozen=True)
class Limit:
    """How long something may take at the longest, where that is set, and what happens then."""

    of: str
    longest: timedelta
    setting: str
    then: str


@dataclass(frozen=True)
class Failure:
    """A way to fail that every sequence shares, and what its caller is told."""

    what: str
    when: str
    code: str
    status: int
    then: str


@dataclass(frozen=True)
class System:
    """One that is not ours, or could be another's."""

    name: str
    used_for: str
    by: str
    when_it_is_away: str


@dataclass(frozen=True)
class Travels:
    """An event on its way: under which type, from whom, and who must hear it."""

    event_type: str
    domain_name: str
    says: str
    source: str
    heard_by: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    project: str = ""
    version: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    """What each participant is."""
    lives: Mapping[str, Mapping[str, Iterable[str]]] = field(default_factory=dict)
    begins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """In which states a life begins, where its table does not show it."""
    rules: Mapping[str, str] = field(default_factory=dict)
    adrs: Mapping[int, str] = field(default_factory=dict)
    """The files of the decisions."""
    exchanges: Mapping[str, Mapping[str, Exchange | Emitted]] = field(default_factory=dict)
    """By sequence, and by path in it; the planned run is under the empty name."""
    timings: Mapping[str, Timings] = field(default_factory=dict)
    measured: str = ""
    """When, on what and by which command the timings were."""
    due: Mapping[str, Due] = field(default_factory=dict)
    """By what it is that takes its time: `answer`, `query`, and the like (see `timing`)."""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """Likewise; and others, under names of their own."""
    codes: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Every error code with its status and what it means."""
    failures: tuple[Failure, ...] = ()
    error: Any = None
    """One in the form that all have."""
    events: tuple[Travels, ...] = ()
    systems: tuple[System, ...] = ()
    concurrency: tuple[tuple[str, str], ...] = ()
    """What happens at the same time all over the platform, and how it is joined."""
    security: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
