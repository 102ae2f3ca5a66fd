"""The command `testbed`, also as `python -m testbed`."""

import sys


def main() -> None:
    """Load the command line, which takes a second, and run it."""
    try:
        from testbed.cli import main as command
    except KeyboardInterrupt:
        sys.stderr.write("testbed: interrupted\n")
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
