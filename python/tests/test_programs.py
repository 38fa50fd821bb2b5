"""Programs as one writes them with python-websockets do the same with Tidewire: nothing but the import is changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


def run(program: Path, library: str) -> list[str]:
    """What it prints. In development mode; a warning would be on stderr."""
    source = program.read_text().replace("LIBRARY", library)
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", source],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), f"{program.name} with {library}: {ended.stderr}"
    return ended.stdout.splitlines()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_program_does_the_same_with_both(program: Path) -> None:
    with_tidewire = run(program, "tidewire")
    assert with_tidewire == run(program, "websockets")
    assert with_tidewire
