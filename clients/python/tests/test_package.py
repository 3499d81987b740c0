"""The package as a whole: types, generated files, versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psio_client

FOLDER = Path(__file__).parents[1]


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_right(tmp_path: Path) -> None:
    run("-m", "mypy", "--cache-dir", str(tmp_path))


def test_generated_files_are_what_the_schema_says() -> None:
    run("scripts/models.py", "--check")


def test_the_package_and_its_module_have_one_version() -> None:
    assert f'\nversion = "{psio_client.__version__}"\n' in (FOLDER / "pyproject.toml").read_text()


def test_the_status_bar_has_no_more_than_ten_lines() -> None:
    lines = (FOLDER / "examples/status_bar.py").read_text().splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 120
