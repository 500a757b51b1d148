# SPDX-License-Identifier: MIT
# Shared by the style checks. `sources` lists our C files, relative to the top. A check
# calls `complain` for each fault and ends with `verdict`.
cd "${srcdir:-$(dirname "$0")/../..}" || exit 99
faults=0
complain() { printf '%s\n' "$*"; faults=$((faults + 1)); }
verdict() {
    [ "$faults" = 0 ] && exit 0
    echo "$(basename "$0"): $faults faults"
    exit 1
}
sources() {
    find main.c util tcg target-x86 accel hw ui tests -name '*.[ch]' -type f | LC_ALL=C sort
}
