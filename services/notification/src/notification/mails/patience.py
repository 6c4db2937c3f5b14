"""How long a mail waits for its next try: briefly twice, then ever longer, and at last not any more."""

import random
from datetime import timedelta

from notification.settings import RetrySettings


def delay_after(failures: int, retry: RetrySettings) -> timedelta | None:
    """None: that was the last try. With jitter, or all that failed together would come back together."""
    delays = (*retry.quick, *retry.later)
    return delays[failures - 1] * random.uniform(0.9, 1) if failures <= len(delays) else None


def longest_wait(retry: RetrySettings) -> timedelta:
    """For as long a mail would be tried by a server that always asks for another time."""
    return sum((*retry.quick, *retry.later), timedelta())
