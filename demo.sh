#!/bin/sh
# A real campaign in the virtual lab; beside it, without a network, on the other core, a
# training campaign and two weeks of users; then one report of all of them.
set -eu
cd "$(dirname "$0")"
testbed=.venv/bin/testbed
mkdir -p captures
log=captures/.demo-fast.log
# All campaigns of this demo have names of their own: others may run meanwhile.
stamp=$(date -u +%Y%m%dT%H%M%S.%3NZ)
demo=captures/demo-$stamp

$testbed check

# In a group of its own, so that Ctrl-C and a failure end all of it.
setsid sh -c '
    for week in week_resident week_intruder; do
        nice -n 10 "$0" run "$week" --fast --depth activities --campaign "$week-$1" || exit
    done
    nice -n 10 "$0" run house --fast --campaign "house-$1"
' "$testbed" "$stamp" >"$log" 2>&1 &
fast=$!
trap 'kill -- "-$fast" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

live=0
$testbed run demo --campaign "${demo##*/}" || live=$?
[ "$live" -le 1 ] || exit "$live"
if kill -0 "$fast" 2>/dev/null; then
    echo "waiting for the training campaign; $log shows its progress"
fi
if ! wait "$fast"; then
    tail -n 3 "$log" >&2
    exit 1
fi
trap - EXIT

# The classifiers of the paper: with the others it would take as long as all before it.
$testbed report "$demo" "captures/house-$stamp" \
    --behaviour "captures/week_resident-$stamp" \
    --behaviour "captures/week_intruder-$stamp" \
    --classifier rf --classifier knn --classifier nb \
    --out "$demo/report"
if [ "$live" -ne 0 ]; then
    echo "not every trial was confirmed; the report and activities.csv say which"
fi
echo "campaign: $demo"
echo "report:   $demo/report/index.html"
