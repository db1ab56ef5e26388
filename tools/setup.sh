#!/usr/bin/env bash
# Installs what is missing on a Debian 12 machine. Quick when nothing is.
#
#     tools/setup.sh run      to build the server and run it
#     tools/setup.sh bench    to compare it with redis-server as well
#     tools/setup.sh test     to run all the tests as well
set -euo pipefail

cd "$(dirname "$0")/.."

run_packages=(
    gcc libc6-dev meson ninja-build pkg-config
    libluajit-5.1-dev libuv1-dev libjemalloc-dev libssl-dev
)
bench_packages=(redis-server redis-tools python3)
test_packages=(
    libcmocka-dev python3-redis python3-limits python3-channels-redis git
    clang clang-format libclang-rt-14-dev llvm
)
node_packages=(nodejs npm)

# Where Debian asks whether it may start a service.
policy=/usr/sbin/policy-rc.d

# Prints the given packages that are not installed.
missing_packages() {
    local installed

    # dpkg-query fails when it does not know one of them; its list is good all the same.
    installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p' || true)
    printf '%s\n' "$@" | grep --line-regexp --fixed-strings --invert-match --regexp "$installed" || true
}

# Debian starts a service as it installs it, and again at boot. Nobody who runs our
# tests has asked for either: until this script ends, redis-server may not start.
forbid_redis_service() {
    if [ -e "$policy" ] && [ ! -e "$policy.moonlatch" ]; then
        mv "$policy" "$policy.moonlatch"
    fi
    trap restore_policy EXIT
    # 101 and 104 are the policy's words for no and yes.
    cat >"$policy" <<'POLICY'
#!/bin/sh
case $1 in redis-server*) exit 101 ;; esac
exit 104
POLICY
    chmod 755 "$policy"
}

restore_policy() {
    if [ -e "$policy.moonlatch" ]; then
        mv -f "$policy.moonlatch" "$policy"
    else
        rm -f "$policy"
    fi
}

# A mirror may fail for a moment, and a machine that is just starting may be
# installing something else.
apt_install() {
    local delay

    for delay in 0 5 20; do
        sleep "$delay"
        # A failing third-party source is no matter if Debian's own have answered.
        apt-get update --quiet=2 || true
        if apt-get install --yes --quiet --no-install-recommends \
            -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" </dev/null; then
            return 0
        fi
    done
    return 1
}

# The part that needs to be root.
install_as_root() {
    export DEBIAN_FRONTEND=noninteractive

    case " $* " in
    *' redis-server '*)
        forbid_redis_service
        apt_install "$@"
        update-rc.d redis-server disable || true
        ;;
    *)
        apt_install "$@"
        ;;
    esac
}

# Installs as root or through sudo, or says what there is to install.
install_packages() {
    echo "Installing Debian packages: $*" >&2
    if [ "$(id -u)" -eq 0 ]; then
        tools/setup.sh install "$@" && return 0
    elif command -v sudo >/dev/null; then
        sudo tools/setup.sh install "$@" && return 0
    fi
    cat >&2 <<TEXT

These Debian packages are missing and could not be installed: $*
As root, this command installs them:

    apt-get update && apt-get install --no-install-recommends $*

TEXT
    return 1
}

# Installs the clients that are tested, at the versions in the lock file. npm notes
# what it has installed in a lock file of its own. Without its registry the rest
# can be tested all the same, but not passed by CI.
install_clients() {
    local clients=test/clients

    if [ "$clients/package-lock.json" -nt "$clients/node_modules/.package-lock.json" ] &&
        ! npm ci --prefix "$clients" --ignore-scripts --no-audit --no-fund </dev/null; then
        echo "npm could not install what $clients/package-lock.json names: Node's clients are not tested" >&2
        [ "${CI-}" != true ]
    fi
}

case ${1-} in
run)
    wanted=("${run_packages[@]}")
    ;;
bench)
    wanted=("${run_packages[@]}" "${bench_packages[@]}")
    ;;
test)
    wanted=("${run_packages[@]}" "${bench_packages[@]}" "${test_packages[@]}")
    # Node often comes from elsewhere, with its own npm.
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        wanted+=("${node_packages[@]}")
    fi
    ;;
install)
    shift
    install_as_root "$@"
    exit
    ;;
*)
    echo 'usage: tools/setup.sh run|bench|test' >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not Debian, so nothing is installed. These of its packages are needed: ${wanted[*]}" >&2
    exit 0
fi

mapfile -t missing < <(missing_packages "${wanted[@]}")
if [ ${#missing[@]} -gt 0 ]; then
    install_packages "${missing[@]}"
fi
if [ "$1" = test ]; then
    install_clients
fi
