#!/usr/bin/env bash
# `npm test`: installs what is missing, then runs every tier that this machine can run. Arguments: names of tiers.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh
prepare_tests
exec bin/gantry-node --disable-warning=ExperimentalWarning scripts/test.ts "$@"
