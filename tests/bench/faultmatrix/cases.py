"""All cases. docs/faults.md lists them, too; a test holds the two together."""

from tests.bench.faultmatrix.cases_fast import FAST
from tests.bench.faultmatrix.cases_live import LIVE

CASES = (*FAST, *LIVE)
