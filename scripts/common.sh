# SPDX-License-Identifier: MIT
# Shared by the scripts: where the tree is, and how it is built. To be sourced by bash.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "neither root nor sudo is at hand to run: $*"
    fi
}

# Installs what is missing. Under sudo, the rest then goes on as the one who called, so
# that no file of the tree ends up root's.
setup_and_drop() {
    "$top/scripts/setup" || exit 1
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] &&
       [ "$(stat -c %U "$top")" = "$SUDO_USER" ]; then
        exec sudo -u "$SUDO_USER" -H "$0" "$@"
    fi
}

# build DIR CONFIGURE-OPTIONS...: configures DIR once and builds it.
build() {
    local dir=$1
    shift
    [ -f "$top/config.status" ] &&
        die "this tree is configured in place (./configure): 'make distclean' first, and configure in build/"
    if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
        say "autoreconf"
        (cd "$top" && autoreconf -fi) || die "autoreconf failed"
    fi
    mkdir -p "$dir"
    if [ ! -f "$dir/Makefile" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "$*" ]; then
        say "configure $*"
        (cd "$dir" && "$top/configure" -q "$@") || die "configure failed"
        printf '%s\n' "$*" > "$dir/.options"
    fi
    say "make in $dir"
    make -C "$dir" -s -j"$jobs" || die "the build failed"
}
