"""A cache for what is made of files, until they change."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import streamlit as st

P = ParamSpec("P")
T = TypeVar("T")


def cached_by_file(function: Callable[P, T], *, most: int = 64) -> Callable[P, T]:
    """Caches the results of a function of files or folders, at most `most`, until one of them changes; a decorator."""
    return st.cache_data(max_entries=most, show_spinner=False, hash_funcs={type(Path()): _version})(function)


def _version(path: Path) -> tuple[str, float]:
    return str(path), path.stat().st_mtime if path.exists() else 0.0
