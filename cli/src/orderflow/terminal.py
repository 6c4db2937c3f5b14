"""What is fit for a terminal."""


def printable(text: str) -> str:
    """What came from outside must not command the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
