# Sourced by bin/gantry in a clone, and by prepare.sh.

# is_built <clone>: whether build/ holds the sources as they are. It goes by the time at which the kernel saw a file or directory
# change, which nothing sets back. Whatever find complains of (it may not be GNU's) means no.
is_built() {
  [ -e "$1/build/main.js" ] && [ -z "$(
    find "$1/src" "$1/scripts/build.ts" "$1/package-lock.json" -cnewer "$1/build/main.js" -print -quit 2>&1
  )" ]
}
