"""Makes UUIDv7 identifiers: unique without asking anyone, and ascending in time, which keeps indexes dense."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Latest:
    tick = 0


def uuid7() -> UUID:
    # Milliseconds, and their fraction in the 12 bits of rand_a (RFC 9562, method 3); each later than the one before,
    # also when the clock is put back or is too coarse.
    _Latest.tick = max(time.time_ns() * 4096 // 1_000_000, _Latest.tick + 1)
    return _with_bits(_Latest.tick, int.from_bytes(os.urandom(8)) & ((1 << 62) - 1))


def first_uuid7_at(moment: datetime) -> UUID:
    """Smaller than every id that is made from then on: turns a bound in time into a range of a primary key."""
    return _with_bits(max(0, (moment - _EPOCH) // timedelta(microseconds=1) * 4096 // 1000), 0)


def made_at(made: UUID) -> datetime:
    """When one of these ids was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=made.int >> 80)


def _with_bits(tick: int, random: int) -> UUID:
    return UUID(int=(tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | random)
