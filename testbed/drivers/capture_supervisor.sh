#!/bin/sh
# Keep one rolling capture on a router, for a controller that may vanish at any time.
# POSIX sh, safe for busybox; needs /proc, df, ls, mv, tail, wc and sha256sum or openssl.
#
#   capture_supervisor.sh check    say what this router offers, as key=value lines
#   capture_supervisor.sh run      capture until told to stop; start it detached
#   capture_supervisor.sh running  say whether the capture in TB_DIR is looked after
#   capture_supervisor.sh reap     end what earlier runs in TB_FOLDER left behind
#   capture_supervisor.sh orphans  only say what those are
#
# Settings are variables of the environment:
#   TB_FOLDER TB_INTERFACE TB_TOOL      where captures live, what to record, with what
#   TB_LAB                              only what carries this mark is ours to reap
#   TB_DIR TB_POINT TB_FILTER           folder of this capture, name of its files, BPF
#   TB_ROTATE_S TB_ROTATE_MB            a new file after so many seconds or megabytes
#   TB_LEASE_S TB_FREE_KB TB_PATIENCE_S give up after, floor of space, wait after INT
#
# Files in TB_DIR: lease (the controller writes something new into it to say that it
# lives), stop (its presence asks for the end), live/ (being written), done/ (finished,
# the controller removes them), index (one line per finished file: name size sha256; a
# later line of a name stands for an earlier one), lab (which lab it belongs to),
# log (what the tool said), pid and tool (processes: this one and the tool), status (how
# it ended; its presence says that all files are finished and no process is left).
set -u
umask 077
LC_ALL=C
export LC_ALL
: "${TB_LAB:=}"

# Free space at $1, in kB.
free_kb() {
    df -Pk "$1" 2>/dev/null | {
        read -r _
        read -r _ _ _ kb _ && echo "$kb"
    }
}

digest() {
    {
        sha256sum "$1" || busybox sha256sum "$1" || openssl dgst -sha256 -r "$1"
    } 2>/dev/null | {
        read -r sum _ && echo "$sum"
    }
}

# Seconds since boot, in $now: the wall clock may jump, a lease must not.
tell_time() {
    read -r now _ </proc/uptime
    now=${now%%.*}
}

nap() {
    sleep 0.2 2>/dev/null || sleep 1
}

# State, parent and process group of process $1, in $state $parent $group.
look_at() {
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086 # the fields are to be split
    set -- ${line##*) }
    state=$1 parent=$2 group=$3
}

alive() {
    look_at "$1" && [ "$state" != Z ]
}

# Processes that serve the capture folder $1, in $found: supervisor and tools. Their
# command line says it; a number in a pid file may by now belong to somebody else.
# (`read` leaves out the NULs between the words; busybox grep would stop at the first.)
find_servants() {
    found=
    for entry in /proc/[0-9]*; do
        words=
        { read -r words <"$entry/cmdline"; } 2>/dev/null
        case $words in
        *"$1/supervisor.sh"* | *"$1/live/"* | *"$1/rotated"*)
            alive "${entry#/proc/}" && found="$found ${entry#/proc/}"
            ;;
        esac
    done
    [ -n "$found" ]
}

# Whether the supervisor of the capture folder $1 lives; its number is then in $owner.
find_owner() {
    owner=
    [ -e "$1/pid" ] && read -r owner <"$1/pid"
    [ -n "$owner" ] && find_servants "$1" || return 1
    case "$found " in *" $owner "*) return 0 ;; *) return 1 ;; esac
}

# Whether $1 is a folder that nobody else can put anything into: our scripts run from
# there. (Not `test -O`, which some shells lack.)
private() {
    # shellcheck disable=SC2046 # the fields are to be split
    set -- $(ls -ldn "$1" 2>/dev/null)
    case ${1-} in d???------*) [ "${3-}" = "$(id -u)" ] ;; *) return 1 ;; esac
}

check() {
    path=$(command -v "$TB_TOOL") && echo "tool=$path"
    [ -n "$path" ] && echo "version=$("$TB_TOOL" --version 2>/dev/null | head -n 1)"
    [ "$TB_TOOL" = tshark ] && echo "dumpcap=$(command -v dumpcap)"
    interfaces=
    while read -r name _; do
        case $name in *:*) interfaces="$interfaces ${name%%:*}" ;; esac
    done </proc/net/dev
    echo "interfaces=$interfaces"
    [ -e /etc/openwrt_release ] && echo "system=openwrt"
    [ -n "$(digest /proc/version)" ] && echo "digest=yes"
    mkdir -p -m 700 "$TB_FOLDER" 2>/dev/null
    [ -w "$TB_FOLDER" ] && echo "writable=yes"
    private "$TB_FOLDER" && echo "private=yes"
    echo "free_kb=$(free_kb "$TB_FOLDER")"
    running
}

running() {
    find_owner "$TB_DIR" || return 0
    echo "running=$owner"
    tool=
    [ -e "$TB_DIR/tool" ] && read -r tool <"$TB_DIR/tool"
    case "$found " in *" ${tool:-none} "*) echo "recording=$tool" ;; esac
}

# Take note of the number in the file name $1, so that none is given twice.
count_in() {
    number=${1%.*}
    number=${number##*-}
    number=${number#"${number%%[!0]*}"} # leading zeros would make it octal
    case $number in
    '' | *[!0-9]*) ;;
    *) [ "$number" -gt "$count" ] && count=$number ;;
    esac
}

# Append file $1 to the index under the name $2.
note() {
    echo "$2 $(($(wc -c <"$1"))) $(digest "$1")" >>index
}

# Whether the index tells of the file named $1 with its size $2.
noted() {
    fits=1
    while read -r name size sum; do
        [ "$name" = "$1" ] || continue
        fits=1
        [ "$size" = "$2" ] && [ "${#sum}" = 64 ] && fits=0
    done <index
    return $fits
}

# Index a finished file under its number, then move it into done/: what is there is
# whole and listed, even when the power goes between two of these lines.
finish() {
    [ -e "$1" ] || return 0
    if ! [ -s "$1" ]; then
        rm -f "$1"
        return 0
    fi
    count=$((count + 1))
    target=$(printf '%s-%05d.%s' "$TB_POINT" "$count" "$suffix")
    note "$1" "$target"
    mv "$1" "done/$target"
}

# Go on from what an earlier run left, however it ended.
adopt() {
    count=0
    [ -z "$(tail -c 1 index)" ] || echo >>index # its last line was cut off
    while read -r name _; do count_in "$name"; done <index
    for left in done/*; do
        if ! [ -s "$left" ]; then
            rm -f "$left"
            continue
        fi
        count_in "$left"
        noted "${left##*/}" "$(($(wc -c <"$left")))" || note "$left" "${left##*/}"
    done
    for left in live/*; do finish "$left"; done
}

# The tool prints the name of each file that it is done with (tcpdump by way of -z).
# One that prints nothing, as tshark 4.0, or tcpdump kept from -z by AppArmor, is done
# with a file when two later ones are there.
collect() {
    while read -r line <&3; do
        printed=1
        finish "live/${line##*/}"
    done
    [ "$printed" = 1 ] && return 0
    set -- live/*.pcap*[!t] # no .part, which somebody may be making out of a file
    while [ $# -gt 2 ]; do
        finish "$1"
        shift
    done
}

launch() {
    case $TB_TOOL in
    tcpdump)
        suffix=pcap
        printf '#!/bin/sh\nprintf "%%s\\n" "$1" >>"${0%%/*}/out"\n' >rotated
        chmod 700 rotated
        # AppArmor wants .pcap names; -W pads the count, so that names sort by age.
        # No --immediate-mode: where offloads are on, its ring gives each packet 128 KiB
        # and holds but 130 of them. The controller drains before it stops anyway.
        set -- tcpdump -n -U --time-stamp-precision=nano \
            -B 16384 -i "$TB_INTERFACE" -G "$TB_ROTATE_S" -C "$TB_ROTATE_MB" -W 99999 \
            -w "$(printf %s "$TB_DIR" | sed 's/%/%%/g')/live/%Y%m%dT%H%M%S.pcap" \
            -z "$TB_DIR/rotated"
        # as root it would become another user, who cannot write here
        [ "$(id -u)" = 0 ] && set -- "$@" -Z "$(id -un)"
        [ -n "$TB_FILTER" ] && set -- "$@" -- "$TB_FILTER"
        ;;
    *)
        suffix=pcapng
        set -- "$TB_TOOL" -q -B 16 -i "$TB_INTERFACE" \
            -b "duration:$TB_ROTATE_S" -b "filesize:$((TB_ROTATE_MB * 1000))" \
            -b printname:stdout -w "$TB_DIR/live/$TB_POINT.pcapng"
        [ -n "$TB_FILTER" ] && set -- "$@" -f "$TB_FILTER"
        ;;
    esac
    "$@" </dev/null >>out 2>>log 3<&- &
    tool=$!
    echo "$tool" >tool
}

# Our process group but for this shell, in $members: the tool and what it started.
find_members() {
    members=
    for entry in /proc/[0-9]*; do
        other=${entry#/proc/}
        [ "$other" = "$$" ] && continue
        [ "$other" = "$outer" ] && continue
        alive "$other" && [ "$group" = "$own_group" ] && [ "$parent" != "$outer" ] &&
            members="$members $other"
    done
    [ -n "$members" ]
}

# Wait up to $1 seconds until the tool ($2 = tool) or all members ($2 = all) are gone.
gone_within() {
    tell_time
    end=$((now + $1))
    while [ "$now" -le "$end" ]; do
        if [ "$2" = tool ]; then alive "$tool" || return 0; else find_members || return 0; fi
        nap
        collect
        tell_time
    done
    return 1
}

# INT lets the tool finish its file and say what it dropped; KILL is the last resort.
# tshark that is killed leaves its dumpcap behind, hence the whole group.
end_tool() {
    by=INT
    kill -INT "$tool" 2>/dev/null
    deaf=0
    gone_within "$TB_PATIENCE_S" tool || deaf=1
    # a -z command may be at work on the last file
    if [ "$deaf" = 0 ] && [ "$reason" != gone ]; then
        gone_within 2 all && return 0
    fi
    for signal in INT TERM KILL; do
        find_members || break
        [ "$deaf" = 1 ] && by=$signal
        # shellcheck disable=SC2086 # a list of numbers
        kill "-$signal" $members 2>/dev/null
        gone_within 2 all && break
    done
}

# Say in $reason why the capture is to end, if it is.
judge() {
    tell_time
    beat=
    [ -e lease ] && read -r beat <lease
    if [ "$beat" != "$last_beat" ]; then
        last_beat=$beat
        renewed=$now
    fi
    if [ "$now" -ge "$next_look" ]; then
        next_look=$((now + 2))
        kb=$(free_kb .)
        [ "${kb:-0}" -lt "$TB_FREE_KB" ] && reason=disk
    fi
    [ $((now - renewed)) -gt "$TB_LEASE_S" ] && reason=lease
    alive "$tool" || reason=gone
    [ -e stop ] && reason=stop
}

run() {
    cd "$TB_DIR" || exit 1
    mkdir -p live done
    touch index
    rm -f stop status tool
    : >out
    : >log
    exec 3<out
    suffix=pcapng
    [ "$TB_TOOL" = tcpdump ] && suffix=pcap
    adopt
    look_at $$
    own_group=$group
    outer=0
    # without setsid we share the group of the login shell: spare it and its children
    [ "$own_group" = "$$" ] || outer=$parent
    printed=0 reason='' last_beat='' next_look=0
    trap '' HUP
    trap 'reason=reaped' TERM INT
    tell_time
    renewed=$now
    echo $$ >pid
    launch
    while [ -z "$reason" ]; do
        nap
        collect
        judge
    done
    trap '' TERM INT
    end_tool
    wait "$tool"
    code=$?
    collect
    for left in live/*; do finish "$left"; done
    [ "$reason" = stop ] || by=$reason
    printf 'stopped_by=%s\nexit=%s\n' "$by" "$code" >status.new
    mv status.new status
    rm -f pid tool
}

# Ask the supervisor of folder $1 to end its capture; then end what is still there.
reap_one() {
    find_servants "$1" || return 0
    echo "reaped=${1##*/}: processes$found"
    if find_owner "$1"; then
        kill -TERM "$owner"
        tell_time
        end=$((now + TB_PATIENCE_S + 10))
        while alive "$owner" && [ "$now" -lt "$end" ]; do
            nap
            tell_time
        done
    fi
    for signal in INT TERM KILL; do
        for try in 1 2 3 4 5 6 7 8 9 10; do
            find_servants "$1" || break 2
            # shellcheck disable=SC2086 # a list of numbers
            [ "$try" = 1 ] && kill "-$signal" $found 2>/dev/null
            nap
        done
    done
    rm -f "$1/pid"
}

reap() {
    for folder in "$TB_FOLDER"/*/; do
        lab=
        [ -e "${folder}lab" ] && read -r lab <"${folder}lab"
        [ "$lab" = "$TB_LAB" ] && reap_one "${folder%/}"
    done
    return 0
}

# Say what captures of this lab left: processes that run, files that nobody fetched.
orphans() {
    for folder in "$TB_FOLDER"/*/; do
        lab=
        [ -e "${folder}lab" ] && read -r lab <"${folder}lab"
        [ "$lab" = "$TB_LAB" ] || continue
        folder=${folder%/}
        find_servants "$folder" && echo "orphan=${folder##*/}: processes$found"
        left=0
        for file in "$folder"/live/* "$folder"/done/*; do
            [ -e "$file" ] && left=$((left + 1))
        done
        [ "$left" = 0 ] || echo "orphan=${folder##*/}: $left files not fetched"
    done
    return 0
}

case ${1-} in
check | run | running | reap | orphans) "$1" ;;
*)
    echo "usage: capture_supervisor.sh check|run|running|reap|orphans" >&2
    exit 2
    ;;
esac
