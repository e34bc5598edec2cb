"""`python -m distrack`: the command."""

from distrack.cli import main

main()
