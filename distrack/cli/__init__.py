"""The command line: thin commands over the engine, their options, and what a terminal shows."""

from distrack.cli.commands import main

__all__ = ["main"]
