"""Makes UUIDv7 identifiers: unique without asking anyone, and ascending in time, which keeps indexes dense."""

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    # The fraction of the millisecond takes the 12 bits of rand_a (RFC 9562, method 3): ids of one burst ascend too.
    fraction = nanoseconds * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def first_uuid7_at(moment: datetime) -> UUID:
    """Smaller than every id that is made from then on: turns a bound in time into a range of a primary key."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80 | 0x7 << 76 | 0b10 << 62)
