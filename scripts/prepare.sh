# Installs what is missing: npm packages, a Node new enough (from npm), Debian packages. Sourced by start.sh and test.sh.

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'gantry: %s\n' "$*" >&2; exit 1; }

prepare_npm() {
  command -v npm > /dev/null || fail "npm is missing: run 'apt-get install nodejs npm' (Node 20 or newer) first"
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Installing npm packages (half a minute)"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || fail "npm ci failed: see its message above"
    touch node_modules/.package-lock.json
  fi
  bin/gantry-node --version > /dev/null || exit 1
}

# shellcheck source=scripts/is-built.sh
. scripts/is-built.sh

# The sources, bundled, which start in half the time. Two that start at once wait for each other.
prepare_build() {
  is_built . && return 0
  say "Bundling the sources (a second)"
  flock package.json bin/gantry-node scripts/build.ts build ||
    say "Not bundled, see above: the sources run as they are, and start more slowly"
}

# prepare_debian <package>=<command or file that it brings> …
prepare_debian() {
  missing=()
  for entry in "$@"; do
    brings=${entry#*=}
    if [ ! -e "$brings" ] && ! PATH="$PATH:/usr/sbin:/sbin" command -v "$brings" > /dev/null; then
      missing+=("${entry%%=*}")
    fi
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "Not installed and not root, so left out: ${missing[*]} (as root: apt-get install ${missing[*]})"
    return 0
  fi
  command -v apt-get > /dev/null || fail "please install these with your package manager: ${missing[*]}"
  say "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || fail "apt-get update failed: see its message above"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
    fail "apt-get install ${missing[*]} failed: see its message above"
}

# What Gantry and its example need.
prepare() {
  prepare_npm
  prepare_build
  prepare_debian containerd=containerd runc=runc iproute2=ip nftables=nft conntrack=conntrack awscli=aws \
    busybox-static=busybox curl=curl util-linux=nsenter openssl=openssl catatonit=catatonit
  # Loads the containers' profile where the kernel has AppArmor.
  if [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" = Y ]; then
    prepare_debian apparmor=apparmor_parser
  fi
}

# What the tests need besides: Debian's own CLI and SDK, whatever others the machine has, and a registry.
prepare_tests() {
  prepare
  prepare_debian awscli=/usr/bin/aws python3-boto3=/usr/lib/python3/dist-packages/boto3 \
    docker-registry=docker-registry
  # A Docker of their own; elsewhere than in CI its package would start one for the machine, and the test says that it is skipped.
  if [ "${CI:-}" = true ]; then prepare_debian docker.io=dockerd; fi
}
