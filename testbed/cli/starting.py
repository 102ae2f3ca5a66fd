"""What makes commands start faster and smaller, and nothing else."""

import gc
import importlib
import sys

_ARRAYS = "numba.np.arraymath"
_LINEAR_ALGEBRA = "scipy.linalg"


def load_kernels() -> None:
    """Load numba without the linear algebra of scipy, which no kernel of ours uses.

    numba looks whether there is any, for `np.dot` within kernels; that alone takes as
    long as reading some hundred megabytes of captures. It finds none here. What else
    uses scipy is not affected. Only commands may do this, whose process is theirs.
    """
    if _ARRAYS in sys.modules or _LINEAR_ALGEBRA in sys.modules:
        return
    sys.modules[_LINEAR_ALGEBRA] = None  # type: ignore[assignment]
    try:
        importlib.import_module(_ARRAYS)
    finally:
        del sys.modules[_LINEAR_ALGEBRA]


def collect_rarely() -> None:
    """Look for cycles of garbage less often: a campaign without a network makes none.

    It makes millions of packets, each of which would bring the next look nearer.
    """
    gc.set_threshold(100_000, 50, 100)


def keep_little() -> None:
    """Let Arrow give memory back to the system: it is the smaller of its allocators."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
