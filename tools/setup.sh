#!/usr/bin/env bash
# Installs what is missing on a Debian 12 machine. Quick when nothing is.
#
#     tools/setup.sh run      to build the server and run it
#     tools/setup.sh bench    to compare it with redis-server and etcd as well
#     tools/setup.sh test     to run all the tests as well
set -euo pipefail

cd "$(dirname "$0")/.."

run_packages=(
    gcc libc6-dev meson ninja-build pkg-config
    libluajit-5.1-dev libuv1-dev libjemalloc-dev libssl-dev libhiredis-dev
)
redis_packages=(redis-server redis-tools python3)
bench_packages=(etcd-server)
test_packages=(
    libcmocka-dev python3-redis python3-limits python3-channels-redis git iproute2
    clang clang-format libclang-rt-14-dev llvm
)
node_packages=(nodejs npm)

# The log needs this version of libraft-dev. Where Debian's release has an older one,
# its backports have it.
raft_version=0.22.1

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

raft_is_installed() {
    dpkg --compare-versions \
        "$(dpkg-query --show --showformat '${Version}' libraft-dev 2>/dev/null || true)" ge "$raft_version"
}

# Debian starts a service as it installs it, and again at boot. Nobody who runs our
# tests has asked for either: until this script ends, these may not start.
forbid_services() {
    if [ -e "$policy" ] && [ ! -e "$policy.moonlatch" ]; then
        mv "$policy" "$policy.moonlatch"
    fi
    trap restore_policy EXIT
    # 101 and 104 are the policy's words for no and yes.
    cat >"$policy" <<'POLICY'
#!/bin/sh
case $1 in redis-server* | etcd*) exit 101 ;; esac
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

# Prints which of Debian's releases known to this machine has the libraft that is needed.
raft_release() {
    apt-cache madison libraft-dev | while IFS=' |' read -r _ version _ release _; do
        if dpkg --compare-versions "$version" ge "$raft_version"; then
            echo "${release%%/*}"
            break
        fi
    done
}

# Prints an entry of the machine's sources again, for another release of the same
# archive. In a file of paragraphs $2 counts those, else it counts lines.
source_entry_for() {
    case $1 in
    *.sources)
        grep -v '^#' "$1" | awk -v RS= -v wanted="$2" -v release="$3" 'NR == wanted {
            count = split($0, line, "\n")
            for (i = 1; i <= count; i++) {
                if (line[i] ~ /^[^ \t]/)
                    kept = tolower(line[i]) !~ /^(types|suites|components)[ \t]*:/
                if (kept)
                    print line[i]
            }
            print "Types: deb\nSuites: " release "\nComponents: main"
        }'
        ;;
    *)
        sed -En "$2s/^[[:space:]]*deb[[:space:]]+(\[[^]]*][[:space:]]*)?([^[:space:]]+)[[:space:]].*/deb \1\2 $3 main/p" "$1"
        ;;
    esac
}

# Adds Debian's backports to the machine's sources, from where it has Debian itself, and
# prints the name of the new file.
add_backports() {
    local codename entry file
    local parts=/etc/apt/sources.list.d/

    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    entry=$(apt-get indextargets --format '$(SOURCESENTRY)' 'Created-By: Packages' \
        'Origin: Debian' "Codename: $codename" 'Component: main' | head -n 1)
    if [ -z "$entry" ]; then
        echo "None of this machine's package sources is Debian's" >&2
        return 1
    fi
    eval "$(apt-config shell parts Dir::Etc::sourceparts/d)"
    file=${entry%:*}
    file=${parts}moonlatch-backports.${file##*.}
    source_entry_for "${entry%:*}" "${entry##*:}" "$codename-backports" >"$file"
    echo "$file"
}

apt_update() {
    # A failing third-party source is no matter if Debian's own have answered.
    apt-get update --quiet=2 || true
}

apt_install() {
    apt-get install --yes --quiet --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@" </dev/null
}

# Installs libraft, and nothing else, from the release that has it. A source that turns
# out to be of no help is not left behind.
install_raft() {
    local release added=

    release=$(raft_release)
    if [ -z "$release" ]; then
        added=$(add_backports) || return
        apt_update
        release=$(raft_release)
    fi
    if [ -z "$release" ]; then
        echo "No source of this machine has libraft-dev $raft_version or later" >&2
        rm -f "$added"
        return 1
    fi
    apt_install "libraft-dev/$release"
}

# A mirror may fail for a moment, and a machine that is just starting may be
# installing something else.
with_retries() {
    local delay

    for delay in 0 5 20; do
        sleep "$delay"
        apt_update
        "$@" && return 0
    done
    return 1
}

# The part that needs to be root.
install_as_root() {
    local package raft= others=() services=()

    export DEBIAN_FRONTEND=noninteractive
    for package; do
        case $package in
        libraft-dev) raft=yes ;;
        redis-server | etcd-server) services+=("$package") ;&
        *) others+=("$package") ;;
        esac
    done
    if [ ${#services[@]} -gt 0 ]; then
        forbid_services
    fi
    if [ ${#others[@]} -gt 0 ]; then
        with_retries apt_install "${others[@]}"
    fi
    if [ "$raft" ]; then
        with_retries install_raft
    fi
    for package in "${services[@]}"; do
        # The service of etcd-server is called etcd.
        update-rc.d "${package/etcd-server/etcd}" disable || true
    done
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

    $PWD/tools/setup.sh install $*

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
    wanted=("${run_packages[@]}" "${redis_packages[@]}" "${bench_packages[@]}")
    ;;
test)
    wanted=("${run_packages[@]}" "${redis_packages[@]}" "${test_packages[@]}")
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
    echo "This is not Debian, so nothing is installed. These of its packages are needed: ${wanted[*]} libraft-dev>=$raft_version" >&2
    exit 0
fi

mapfile -t missing < <(missing_packages "${wanted[@]}")
raft_is_installed || missing+=(libraft-dev)
if [ ${#missing[@]} -gt 0 ]; then
    install_packages "${missing[@]}"
fi
if [ "$1" = test ]; then
    install_clients
fi
