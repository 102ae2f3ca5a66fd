"""`setup.sh` where packages are missing, with an apt-get that only takes notes."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = (
    *("sh", "dirname", "cat", "ls", "id", "mktemp", "tail", "rm", "chmod", "mkdir"),
    *("basename", "readlink", "mount"),
)
APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>"$NOTES"
case "$*" in
*" install "*)
    if [ -x /usr/sbin/policy-rc.d ]; then
        /usr/sbin/policy-rc.d
        echo "services: $?" >>"$NOTES"
    fi
    cat /etc/postgresql-common/createcluster.d/* >>"$NOTES" 2>/dev/null
    exit "${FAILS:-0}"
    ;;
esac
"""
# The machine's own places are covered, so that all is missing and nothing is changed.
APART = """\
for place in /etc /usr/sbin /usr/lib/postgresql; do
    [ ! -d "$place" ] || mount -t tmpfs none "$place" || exit 77
done
./setup.sh --packages
code=$?
[ ! -e /usr/sbin/policy-rc.d ] || echo "policy stays" >>"$NOTES"
ls /etc/postgresql-common/createcluster.d/* >>"$NOTES" 2>/dev/null
exit "$code"
"""


def program(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def setup(tmp_path):
    """Return what runs a copy of setup.sh with hardly a program on its PATH."""
    bin_folder, notes = tmp_path / "bin", tmp_path / "notes"
    bin_folder.mkdir()
    notes.touch()
    shutil.copy(ROOT / "setup.sh", tmp_path)
    for name in TOOLS:
        (bin_folder / name).symlink_to(shutil.which(name))
    program(bin_folder / "apt-get", APT_GET)
    program(bin_folder / "systemctl", '#!/bin/sh\necho "systemctl $*" >>"$NOTES"\n')
    environment = {"PATH": str(bin_folder), "NOTES": str(notes)}

    def run(*command, **more):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stderr, notes.read_text().splitlines()

    run.bin = bin_folder
    return run


def test_a_plain_user_is_told_a_command_that_starts_no_service(setup):
    (setup.bin / "id").unlink()
    program(setup.bin / "id", "#!/bin/sh\necho 1000\n")
    code, said, notes = setup("./setup.sh")
    assert (code, notes) == (3, [])
    assert "sudo ./setup.sh --packages" in said
    assert "tshark" in said
    assert "apt-get" not in said


@pytest.mark.parametrize("words", [("--package",), ("--packages", "now")])
def test_what_it_does_not_know_it_does_not_do(setup, words):
    code, said, notes = setup("./setup.sh", *words)
    assert (code, notes) == (2, [])
    assert "usage: setup.sh [--packages]" in said


def test_where_all_is_there_nobody_has_to_be_root(setup):
    (setup.bin / "id").unlink()
    program(setup.bin / "id", "#!/bin/sh\necho 1000\n")
    needed = re.search(r'NEEDED="(.+?)"', (ROOT / "setup.sh").read_text(), re.DOTALL)
    names = [pair.partition(":")[0] for pair in needed[1].split()]
    for name in (*names, "initdb", "python3.11"):
        program(setup.bin / name, "#!/bin/sh\n")
    assert setup("./setup.sh", "--packages") == (0, "", [])


def apart(setup, **more):
    """Run it as root of a namespace of its own."""
    unshare = shutil.which("unshare")
    words = [unshare, "-m"] if os.getuid() == 0 else [unshare, "-r", "-m"]
    if unshare is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("needs namespaces: the program unshare, and the right to use it")
    code, said, notes = setup(*words, "sh", "-c", APART, **more)
    if code == 77:
        pytest.skip("needs to mount a tmpfs in a namespace of its own")
    return code, said, notes


def test_packages_come_without_services_and_without_a_database(setup, tmp_path):
    code, said, notes = apart(setup)
    assert code == 0, said
    update, install, services, cluster, *rest = notes
    assert update.endswith(" update")
    assert re.search(r" install -y --no-install-recommends .*openssh-server", install)
    assert {"postgresql", "tshark"} <= set(install.split())
    assert services == "services: 101"
    assert cluster == "create_main_cluster = false"
    assert rest == ["systemctl disable --now ssh.service ssh.socket"]
    assert not (tmp_path / ".venv").exists()


def test_what_was_put_there_goes_again_when_packages_fail(setup):
    code, said, notes = apart(setup, FAILS="1")
    assert code == 3
    assert "apt-get failed" in said
    assert notes[-1] == "create_main_cluster = false"
