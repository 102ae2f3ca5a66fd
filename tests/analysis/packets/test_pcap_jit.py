import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = """
import numba.core.caching as caching
for locator in ("_InTreeCacheLocator", "_UserWideCacheLocator"):
    if hasattr(caching, locator):
        getattr(caching, locator).from_function = classmethod(lambda *_: None)
caching.CacheImpl._locator_classes = []
from analysis.pcap.jit import kernel

@kernel
def twice(number):
    return 2 * number

assert twice(21) == 42
"""


def test_without_a_place_for_compiled_code_kernels_still_run():
    env = {name: value for name, value in os.environ.items() if name[:5] != "NUMBA"}
    subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=env, check=True)
