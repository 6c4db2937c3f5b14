"""What ends a command before its time: one line for whoever called it, and an exit code."""

USAGE = 2
"""The exit code for what the caller has to say differently."""


class Failure(Exception):
    """Shown without a traceback."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def in_short(error: BaseException) -> str:
    """The first line of what an error says, or its kind when it says nothing."""
    words = str(getattr(error, "strerror", None) or error).strip().partition("\n")[0]
    return words or type(error).__name__
