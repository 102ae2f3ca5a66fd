"""The router: a real sshd whose sessions see capture tools on a skewed clock."""

import os
import pwd
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from testbed.clock import SystemClock
from testbed.errors import LabError
from testbed.virtual.house.hosts import ROUTER
from testbed.virtual.live import kernel, shims, topology
from testbed.virtual.live.config import LiveConfig

HOST_KEY = "router_host_key"
CLIENT_KEY = "client_key"
OFF = "off"
_POLL_S = 0.1
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_CONFIG = """\
ListenAddress {address}:22
HostKey {state}/router_host_key
AuthorizedKeysFile {state}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {user}
Subsystem sftp internal-sftp
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 100
MaxSessions 100
LogLevel ERROR
SetEnv PATH={path} HOME={home}
"""


def login_name() -> str:
    """Return the name by which the invoking user logs in."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user{os.getuid()}"


def prepare(config: LiveConfig) -> None:
    """Make keys, configuration, folders and shims of the router."""
    state = config.state
    for name in (HOST_KEY, CLIENT_KEY):
        _make_key(state / name)
    key = (state / f"{CLIENT_KEY}.pub").read_text(encoding="ascii")
    (state / "authorized_keys").write_text(key, encoding="ascii")
    for name in ("captures", "home", "bin"):
        (state / "router" / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(fault.kind == "router_disk_full" for fault in config.virtual.faults):
        kernel.mount_memory(state / "router" / "captures", topology.DISK_B, 0o700)
    home = state / "router" / "home"
    text = _CONFIG.format(
        address=topology.MGMT_ROUTER,
        state=state,
        user=login_name(),
        path=f"{state}/router/bin:{_SYSTEM_PATH}",
        home=home,
    )
    (state / "sshd_config").write_text(text, encoding="utf-8")
    _write_accounts(state, home)
    shims.install(config, _SYSTEM_PATH)


def _make_key(path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    path.touch(mode=0o600)
    path.write_bytes(secret)
    path.with_name(f"{path.name}.pub").write_bytes(public + b"\n")


def _shell(state: Path) -> Path:
    """Return busybox's `sh`, as on OpenWrt, or the system's where it is missing."""
    busybox = shutil.which("busybox")
    if busybox is None:
        return Path("/bin/sh")
    shell = state / "router" / "sh"
    shell.unlink(missing_ok=True)
    shell.symlink_to(busybox)
    return shell


def _write_accounts(state: Path, home: Path) -> None:
    """Write the router's own passwd: the user's login shell and home may be slow."""
    user = login_name()
    others = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
    own = f"{user}:x:{os.getuid()}:{os.getgid()}::{home}:{_shell(state)}"
    lines = [own, *(line for line in others if not line.startswith(f"{user}:"))]
    (state / "passwd").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # A locked password ('!', as Ubuntu gives root) would bar the login by key, too.
    shadow = "".join(f"{line.split(':')[0]}:*:1::::::\n" for line in lines if line)
    (state / "shadow").write_text(shadow, encoding="utf-8")
    (state / "shadow").chmod(0o600)


def keep_sshd(state: Path) -> NoReturn:
    """Run the router's sshd, again after each power cut; for a child process.

    The power is off for as long as the file `router/off` of the state folder is there.
    An sshd that ends while it is on takes the lab along, as every other part does.
    """
    clock, off = SystemClock(), state / "router" / OFF
    while True:
        pid = os.fork()
        if pid == 0:
            run_sshd(state)
        os.waitpid(pid, 0)
        if not off.exists():
            os._exit(1)
        while off.exists():
            clock.sleep(_POLL_S)


def run_sshd(state: Path) -> NoReturn:
    """Become the router's sshd; for a fresh child process."""
    sshd = shutil.which("sshd", path=_SYSTEM_PATH)
    if sshd is None:
        raise LabError("sshd is missing")
    kernel.enter(ROUTER)
    kernel.unshare_mounts()
    kernel.show_own_interfaces()
    kernel.bind(state / "passwd", "/etc/passwd")
    if os.getuid() == 0:
        kernel.bind(state / "shadow", "/etc/shadow")
    sys.stdout.flush()
    config = str(state / "sshd_config")
    os.execv(sshd, [sshd, "-D", "-e", "-f", config])  # noqa: S606 - full path
