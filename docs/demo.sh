#!/bin/sh
# Three commands want one lock; each gets it when the one before has finished. Run by `make demo`.
set -eu
HOLDFAST_RUN_DIR=$(mktemp -d)
export HOLDFAST_RUN_DIR
trap 'holdfast stop --now >/dev/null 2>&1 || :; rm -rf "$HOLDFAST_RUN_DIR"' EXIT
trap 'exit 130' INT TERM

say() { echo "$(date +%T.%3N)  $*"; }

echo 'Three times, at once:  holdfast run -r printer -- sh -c "… one second of printing …"'
echo
for name in anna bert cleo; do
    say "$name asks"
    holdfast run -r printer -- sh -c '
        echo "$(date +%T.%3N)    $1 prints   (lock $HOLDFAST_RESOURCE, token $HOLDFAST_TOKEN)"
        sleep 1
        echo "$(date +%T.%3N)    $1 is done"' sh "$name" &
done
wait
echo
echo 'One at a time, and nobody had to say how. With --no-wait, a busy lock is an answer:'
echo
holdfast run -r printer -- sh -c '
    holdfast run -r printer --no-nest --no-wait -- echo never && code=0 || code=$?
    echo "exit code $code"'
