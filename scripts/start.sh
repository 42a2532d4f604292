#!/usr/bin/env bash
# `npm start`: installs what is missing, then brings the whole system up in the foreground. On a new data directory
# it also runs examples/hello once beside it. Arguments go to `gantry up`.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh
prepare

data_directory=${GANTRY_DATA_DIR:-/var/lib/gantry}
previous=
for argument in "$@"; do
  case $argument in --data-dir=*) data_directory=${argument#--data-dir=} ;; esac
  [ "$previous" = --data-dir ] && data_directory=$argument
  previous=$argument
done

if [ ! -e "$data_directory/identity.json" ]; then
  # In a subshell of its own: init then reaps it, and not the Gantry that this process becomes.
  (GANTRY_DATA_DIR=$data_directory bash examples/hello/run.sh --wait-for-gantry=$$ --keep &)
fi
exec bin/gantry up "$@"
