"""The command line: thin commands over the engine, options generated from configs, and output on the terminal."""

from distrack.cli.commands import main

__all__ = ["main"]
