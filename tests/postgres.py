"""A PostgreSQL server of the tests' own, in a folder of its own, on a socket alone."""

import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from testbed.clock import SystemClock, wait_until

_USER = "tests"
_NOBODY = "nobody"  # the server refuses to be root
_OPTIONS = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "60",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


class PostgresServer:
    """Makes and runs a server; `durable` says whether it syncs to the disk."""

    def __init__(self, *, durable=False):
        self._folder = Path(tempfile.mkdtemp(prefix="testbed-pg-", dir="/tmp"))
        self._data = self._folder / "data"
        self._names = (f"journal{n}" for n in itertools.count())
        self._process = None
        self._as_root = os.geteuid() == 0
        self._options = _OPTIONS | ({} if durable else {"fsync": "off"})
        if self._as_root:
            nobody = pwd.getpwnam(_NOBODY)
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        made = subprocess.run(
            self._words(
                *("initdb", "--no-sync", "-A", "trust", "-U", _USER),
                *("-D", str(self._data), "--locale=C", "-E", "UTF8"),
            ),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        self.start()

    def start(self):
        words = self._words("postgres", "-D", str(self._data), "-k", str(self._folder))
        for name, value in self._options.items():
            words += ["-c", f"{name}={value}"]
        log = (self._folder / "log").open("ab")

        def is_up():
            # After a crash the last of its processes may still hold the memory.
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    words, cwd="/", stdout=log, stderr=log, start_new_session=True
                )
            try:
                self._connect().close()
            except psycopg.OperationalError:
                return False
            return True

        with log:
            up = wait_until(is_up, clock=SystemClock(), deadline_s=120, poll_s=0.02)
        assert up, (self._folder / "log").read_text()

    def stop(self, how=signal.SIGINT):
        """End it: SIGINT in order, SIGKILL as a power cut would end its processes."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(120)
            self._process = None

    def close(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self):
        """Make an empty database; return its URL."""
        name = next(self._names)
        self.do(f"CREATE DATABASE {name}")
        return f"postgresql://{_USER}@/{name}?host={self._folder}"

    def do(self, statement, database="postgres"):
        """Run one statement; return its rows, if it has any."""
        with self._connect(database) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def _connect(self, database="postgres"):
        return psycopg.connect(
            host=str(self._folder), user=_USER, dbname=database, autocommit=True
        )

    def _words(self, program, *rest):
        words = ["setpriv", "--pdeathsig", "INT"]  # it never outlives the tests
        if self._as_root:
            words += ["--reuid", _NOBODY, "--regid", "nogroup", "--clear-groups"]
        return [*words, str(_program(program)), *rest]


def _program(name):
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
        key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0),
    )
    on_path = shutil.which(name)
    assert found or on_path, f"{name} is missing; run ./setup.sh"
    return found[-1] if found else on_path
