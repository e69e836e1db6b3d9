"""Writing a file that the user has named."""

import contextlib
import os
from pathlib import Path

from tinydream.errors import InputError

__all__ = ["save"]


def save(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file: all of it or nothing; a pipe or a device is simply written to.

    Raises InputError when it cannot be written.
    """
    path = Path(path)
    special = path.exists() and not path.is_file()
    temporary = path if special else path.with_name(path.name + ".new")
    try:
        temporary.write_bytes(data)
        if not special:
            os.replace(temporary, path)
    except OSError as error:
        if not special:
            with contextlib.suppress(OSError):
                temporary.unlink()
        why = error.strerror or error
        raise InputError(f"{path} cannot be written ({why}); name another file") from None
    return path
