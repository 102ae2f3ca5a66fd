"""How kernels are compiled: once per machine, kept beside the source, without the GIL.

A kernel is a function over flat arrays that numba turns into machine code. numba sees a
change of the file that a kernel stands in, but not of files that it takes something of:
so a kernel calls only kernels of its own file, of `words` and of `checksum`, and takes
besides only constants of this package, as the numbers of link types from `blocks`. The
set-up throws the kept code away when any file of this package, or another one with a
kernel in it, changed.

NUMBA_BOUNDSCHECK=1 together with a NUMBA_CACHE_DIR of its own gives a build that checks
every index; the tests fuzz that one.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call, or take what was compiled before."""
    try:
        kept: Callable[P, R] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # Nowhere to keep code: neither beside the source nor in a home. Then it is
        # compiled in each process, which takes some seconds; see NUMBA_CACHE_DIR.
        kept = numba.njit(nogil=True)(function)
    return kept
