"""When a process of services ends: because it is told to, or because it can no longer do its work."""

import asyncio
import signal

from chassis.serving import stop_on_signals

from .failure import Failure


class Ending:
    def __init__(self) -> None:
        self.begun = stop_on_signals()
        self._reason: str | None = None
        # A terminal that is closed must not leave a database behind; under nohup its going is none of our business.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.begun.set)

    def give_up(self, reason: str) -> None:
        self._reason = reason
        self.begun.set()

    def was_in_order(self) -> None:
        if self._reason is not None:
            raise Failure(f"It cannot go on and has to be started again: {self._reason}.")
        if not self.begun.is_set():
            raise Failure("A service has ended by itself; the log may say why.")
