#!/usr/bin/env bash
# Installs what building, testing or demonstrating needs and is missing, with the system's package
# manager. Usage: scripts/setup.sh [build|package|test|dev|bench] [--list]   (default: build; test and dev include the one
# before, package and bench include build; --list prints the packages, installed or not, and changes nothing)
# Supported: Debian 12 and later, Ubuntu 24.04 and later. Asks for root only if a package is missing.
set -euo pipefail

level=${1:-build}
list=${2:-}
case $level in build | package | test | dev | bench) ;; *)
    echo "setup: unknown level '$level'; use build, package, test, dev or bench" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null; then
    echo "setup: apt-get was not found. Debian 12 or Ubuntu 24.04 (or later) is supported;" \
        "elsewhere install the packages that docs/dependencies.md lists, then run cmake --preset release." >&2
    exit 1
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else
        echo "setup: root is needed to run: $* (no sudo here; run it as root, then repeat)" >&2
        exit 1
    fi
}

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
available() { apt-cache show "$1" >/dev/null 2>&1; }

# Prints the first of the given packages that is installed, else the first that can be.
pick() {
    for p in "$@"; do if installed "$p"; then echo "$p"; return; fi; done
    for p in "$@"; do if available "$p"; then echo "$p"; return; fi; done
    echo "$1"
}

# apt-cache knows nothing on a fresh container before the first update.
refreshed=no
refresh() { [ $refreshed = yes ] || { as_root apt-get update -qq; refreshed=yes; }; }
available libfmt-dev || [ "$list" = --list ] || refresh

clang_version=
for v in 19 18 17 16; do
    if command -v "clang++-$v" >/dev/null; then clang_version=$v; break; fi
done
if [ -z "$clang_version" ]; then
    for v in 19 18 17 16; do
        if available "clang-$v"; then clang_version=$v; break; fi
    done
fi
[ -n "$clang_version" ] || { echo "setup: no clang 16 or later in this system's packages" >&2; exit 1; }

wanted=("clang-$clang_version" "lld-$clang_version" "llvm-$clang_version" cmake ninja-build make g++ pkg-config libssl-dev
    libfmt-dev libspdlog-dev libcli11-dev libpugixml-dev
    "$(pick libboost1.83-dev libboost1.81-dev)")
# Where a service manager runs, the package would open port 22 to the world: there the tests and benchmarks use sshd
# only if it is installed already.
want_sshd() { [ -x /usr/sbin/sshd ] || [ -d /run/systemd/system ] || wanted+=(openssh-server); }

if [ "$level" = test ] || [ "$level" = dev ]; then
    wanted+=(libgtest-dev libgmock-dev "libclang-rt-$clang_version-dev" python3 python3-pytest python3-cryptography-vectors iproute2 openssl curl git
        postgresql postgresql-contrib openssh-client procps)
    command -v node >/dev/null || wanted+=(nodejs)
    command -v npm >/dev/null || wanted+=(npm)
    want_sshd
fi
if [ "$level" = bench ]; then
    # The services of haproxy and stunnel4 listen nowhere as they come; the benchmarks start their own.
    wanted+=(haproxy stunnel4 wrk openssh-client python3 python3-matplotlib openssl git)
    want_sshd
fi
[ "$level" != dev ] || wanted+=("clang-format-$clang_version" "clang-tidy-$clang_version")
# CPack asks dpkg-shlibdeps what the program needs.
[ "$level" != dev ] && [ "$level" != package ] || wanted+=(dpkg-dev)

if [ "$list" = --list ]; then
    printf '%s\n' "${wanted[@]}"
    exit 0
fi

missing=()
for p in "${wanted[@]}"; do
    case $p in
        # A tool counts as present wherever it comes from: it may not be Debian's own package.
        cmake | make | g++ | git | curl | openssl | python3 | "clang-$clang_version")
            command -v "$p" >/dev/null || missing+=("$p") ;;
        ninja-build) command -v ninja >/dev/null || missing+=("$p") ;;
        postgresql-contrib) compgen -G '/usr/lib/postgresql/*/bin/pgbench' >/dev/null || missing+=("$p") ;;
        *) installed "$p" || missing+=("$p") ;;
    esac
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing ${missing[*]}"
refresh
# The package manager's words matter only if it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"$log" 2>&1; then
    cat "$log" >&2
    echo "setup: the installation failed; see above" >&2
    exit 1
fi
