"""Whether this machine lets this user run a lab; if not, the one command that helps."""

import os
import shutil
import subprocess
from pathlib import Path

from testbed.errors import LabError

_PACKAGES = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "sshd": "openssh-server",
    "tshark": "tshark",
    "dumpcap": "tshark",
    "tcpdump": "tcpdump",
    "busybox": "busybox",
}
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """Return PATH with the folders of system tools, which plain users often lack."""
    given = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*given, *(p for p in _SBIN if p not in given)])


def unshare_command() -> list[str]:
    """Return how this user gets namespaces that die with the command."""
    plain = ["-U", "--map-current-user", "--keep-caps"] if os.geteuid() != 0 else []
    return ["unshare", *plain, "-n", "-m", "-p", "-f", "--mount-proc", "--kill-child"]


def check() -> None:
    """Raise LabError, with the one command that helps, when no lab can be run."""
    path = search_path()
    missing = [tool for tool in _PACKAGES if shutil.which(tool, path=path) is None]
    if missing:
        packages = " ".join(dict.fromkeys(_PACKAGES[tool] for tool in missing))
        tools = ", ".join(missing)
        raise LabError(
            f"the virtual lab needs {tools}; run: sudo apt-get install -y {packages}"
        )
    done = subprocess.run(
        [*unshare_command(), "mount", "-t", "tmpfs", "none", "/run"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[:120] or "no reason given"
        raise LabError(f"no namespaces for the virtual lab ({reason}); {_remedy()}")


def _remedy() -> str:
    for name, barring, helpful in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
    ):
        switch = Path("/proc/sys") / name.replace(".", "/")
        try:
            value = switch.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == barring and os.geteuid() != 0:
            return f"run: sudo sysctl -w {name}={helpful}"
    if os.geteuid() != 0:
        return "run the same command with sudo -E"
    return "in a container, start it with: docker run --privileged"
