#!/bin/sh
# Everything that `make demo` and `make test` need, on a fresh Debian 12 or Ubuntu:
# Debian packages (as root; otherwise the exact command is printed), .venv, the locked
# Python packages. Does nothing when all is there already.
#
#   ./setup.sh             all of it
#   ./setup.sh --packages  only the Debian packages, for root: it leaves no file of root's
#                          here, no database cluster and no sshd that listens
set -eu
case "$#:${1-}" in
0:) only_packages="" ;;
1:--packages) only_packages=1 ;;
*)
    echo "usage: setup.sh [--packages]" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")"

say() { printf 'setup: %s\n' "$*" >&2; }

# program:package
NEEDED="adb:adb sshd:openssh-server ssh:openssh-client tshark:tshark dumpcap:wireshark-common
tcpdump:tcpdump espeak-ng:espeak-ng ip:iproute2 nft:nftables ethtool:ethtool
busybox:busybox unshare:util-linux setcap:libcap2-bin openssl:openssl"

missing=""
for pair in $NEEDED; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 ||
        missing="$missing ${pair#*:}"
done
# The tests start a PostgreSQL of their own; Debian keeps its programs off the PATH.
if ! command -v initdb >/dev/null 2>&1 &&
    ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    missing="$missing postgresql"
fi

python=""
for name in python3.11 python3.12 python3.13 python3; do
    if command -v "$name" >/dev/null 2>&1 && "$name" -c \
        'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
        python=$name
        break
    fi
done
[ -n "$python" ] || missing="$missing python3 python3-venv"
if [ -n "$python" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing="$missing $(basename "$(readlink -f "$(command -v "$python")")")-venv"
fi

forget_policies() {
    [ -z "${ours:-}" ] || rm -f "$policy"
    rm -f "${no_cluster:-}"
}

install_packages() {
    say "installing Debian packages:$missing"
    # A new sshd must not start to listen on this machine: the lab runs its own.
    policy=/usr/sbin/policy-rc.d
    ours=""
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        ours=1
    fi
    # Nor does this machine get a database: only the programs are wanted.
    clusters=/etc/postgresql-common/createcluster.d
    no_cluster=$clusters/testbed-setup.conf
    trap 'forget_policies' EXIT INT TERM
    case " $missing " in
    *" postgresql "*)
        mkdir -p "$clusters"
        printf 'create_main_cluster = false\n' >"$no_cluster"
        ;;
    esac
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words
    if ! { apt-get -o DPkg::Lock::Timeout=300 update &&
        apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing; } \
        >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        say "apt-get failed; the whole log is $log"
        exit 3
    fi
    rm -f "$log"
    forget_policies
    trap - EXIT INT TERM
    case " $missing " in
    *" openssh-server "*)
        if command -v systemctl >/dev/null 2>&1; then
            systemctl disable --now ssh.service ssh.socket >/dev/null 2>&1 || true
            say "openssh-server is installed but left disabled"
        fi
        ;;
    esac
}

if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        say "these Debian packages are missing:$missing"
        say "run this once, then go on; it starts no service and makes no database:"
        say "  sudo ./setup.sh --packages"
        exit 3
    fi
    install_packages
    [ -n "$python" ] || python=python3
fi
[ -z "$only_packages" ] || exit 0
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    say "Python 3.11, 3.12 or 3.13 is needed; $("$python" --version) was found"
    exit 3
fi

stamp=$(cat requirements.lock pyproject.toml setup.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/.stamp 2>/dev/null || true)" != "$stamp" ] ||
    ! .venv/bin/python -c '' 2>/dev/null; then
    say "making .venv from requirements.lock"
    [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || {
        rm -rf .venv
        "$python" -m venv .venv
    }
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock >.venv/uv.lock
    .venv/bin/python -m pip install -q --disable-pip-version-check \
        --require-hashes -r .venv/uv.lock
    export UV_NO_PROGRESS=1 VIRTUAL_ENV="$PWD/.venv"
    .venv/bin/uv pip sync -q --require-hashes --compile-bytecode requirements.lock
    .venv/bin/uv pip install -q --no-deps --no-build-isolation -e .
    printf '%s\n' "$stamp" >.venv/.stamp
fi

# Packet kernels are compiled at their first call and kept beside the source. Do it now,
# by the commands that will need them, and anew when a kernel changed: what was kept
# does not notice changes of the files that it calls into or takes constants of.
kernels=$({
    printf '%s\n' analysis/pcap/*.py
    grep -rl --include='*.py' '@kernel' analysis
} | LC_ALL=C sort -u | xargs cat | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/.kernels 2>/dev/null || true)" != "$kernels" ]; then
    say "compiling the packet kernels, a minute or two"
    find analysis -name '*.nb[ci]' -delete
    warm=$(mktemp -d)
    trap 'rm -rf "$warm"' EXIT INT TERM
    cp -R captures/example "$warm/campaign"
    rm -rf "$warm/campaign/packets" "$warm/campaign/flows" "$warm/campaign/packets.json"
    editcap -F pcap "$warm"/campaign/raw/lan-00001.pcapng "$warm/a.pcap"
    head -c 32 /dev/urandom >"$warm/key"
    # what they tell of their progress is of no campaign of the user's
    {
        .venv/bin/testbed features "$warm/campaign" --out "$warm/features.parquet" &&
            .venv/bin/testbed label "$warm/campaign" &&
            .venv/bin/testbed packets "$warm/a.pcap" --device echo_dot \
                --out "$warm/out" &&
            .venv/bin/testbed publish captures/example "$warm/set" \
                --key "$warm/key" --no-results --part-size 0
    } >/dev/null 2>"$warm/told" || {
        cat "$warm/told" >&2
        exit 3
    }
    printf '%s\n' "$kernels" >.venv/.kernels
fi
