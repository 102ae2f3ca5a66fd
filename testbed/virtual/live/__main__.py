"""`python -m testbed.virtual.live STATE`: process 1 of a lab; see `lab.up`."""

import sys
from pathlib import Path

from testbed.virtual.live.supervisor import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
