#!/bin/sh
# Three commands want one lock; each gets it when the one before has finished. Run by `make demo`.
set -eu
place=$(mktemp -d)
export HOLDFAST_RUN_DIR="$place/run"
trap 'holdfast stop --now >/dev/null 2>&1 || :; rm -rf "$place"' EXIT
trap 'exit 130' INT TERM

say() { echo "$(date +%T.%3N)  $*"; }

echo 'Three at once:  holdfast run -r printer -- sh -c "… a second of printing …"'
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
echo 'One after the other, and nobody had to say how. Who would rather not wait hears who has it:'
echo
mkfifo "$place/held"
exec 3<>"$place/held"
holdfast run -r printer --reason 'the yearly report' -- sh -c 'echo yes >&3; sleep 1' || echo no >&3 &
read -r _ <&3
say "dora asks: holdfast run -r printer --no-wait -- lp letter.pdf"
holdfast run -r printer --no-wait -- lp letter.pdf 2>&1 || say "exit code $?"
wait
