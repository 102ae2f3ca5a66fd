"""The rules of suite.py, applied; and one look whether labs can run here."""

import fcntl
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from testbed.virtual.live import permission
from tests import suite

# A shell starts what runs in its background deaf to Ctrl-C, with all its children;
# some tests are about who hears it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Several test processes share the processors. Threads of one that wait for each other
# in a loop take them from the others; read where a library is loaded, so before that.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The same examples on every machine, however busy it is.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_make_parametrize_id(config, val, argname):
    # Each process that shares the tests must call them the same: what is packed may
    # have the time in it.
    return argname if isinstance(val, bytes) and len(val) > 20 else None


def pytest_collection_modifyitems(items):
    names = [item.path.name for item in items]
    live = {item.path.name for item in items if item.get_closest_marker("live")}
    items[:] = [items[k] for k in suite.in_order(names, live)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and call.excinfo.errisinstance(pytest.skip.Exception):
        reason = str(call.excinfo.value)
        if not suite.may_be_skipped(reason):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: skipped, but must not be: {reason}"
    return report


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, request):
    """Return what makes a folder once for all processes that test side by side.

    It is made by `make(out)`, which lets it appear when it is whole; nobody may write
    into it.
    """
    base = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        base = base.parent

    def _made_once(name, make):
        place = base / name
        place.mkdir(exist_ok=True)
        out = place / "set"
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not out.is_dir():
                make(out)
        return out

    return _made_once


@pytest.fixture(scope="session")
def namespaces():
    permission.check()


@pytest.fixture(autouse=True)
def _lab_can_run(request):
    if request.node.get_closest_marker("live"):
        request.getfixturevalue("namespaces")
