"""A cache for what is made of files, until they change."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import streamlit as st

P = ParamSpec("P")
T = TypeVar("T")


def cached_by_file(function: Callable[P, T]) -> Callable[P, T]:
    """Caches the results of a function of files until one of the files changes; a decorator."""
    return st.cache_data(max_entries=64, show_spinner=False, hash_funcs={type(Path()): version})(function)


def version(path: Path) -> tuple[str, float]:
    """What a cache knows a file or a folder by: its name, and when it was changed."""
    return str(path), path.stat().st_mtime if path.exists() else 0.0
