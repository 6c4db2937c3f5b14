"""The mails of a folder, the oldest first; also run by itself, where only a container sees the folder."""

import json
import sys
from pathlib import Path


def written(folder: Path) -> list[bytes]:
    """Where none was sent yet there may be no folder."""
    files = sorted(folder.glob("*.eml"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    return [file.read_bytes() for file in files]


if __name__ == "__main__":
    # Every byte is a letter of it, so that JSON can hold whatever a mail holds.
    json.dump([mail.decode("latin-1") for mail in written(Path(sys.argv[1]))], sys.stdout)
