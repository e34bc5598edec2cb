"""`python -m distrack`: the command."""

from distrack.cli import main

if __name__ == "__main__":  # a process that measures beside this one imports it too
    main()
