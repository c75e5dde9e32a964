"""Certificates of an authority as a file: most libraries take nothing else."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path


@cache
def file_of(pem: str) -> str:
    """The path of a file with these certificates, ours alone, and gone when the process ends."""
    number, path = tempfile.mkstemp(prefix="authority-", suffix=".pem")
    atexit.register(Path(path).unlink, missing_ok=True)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write(pem)
    return path
