#!/bin/bash
# A package's life on a system that forgets it: installed, started, upgraded, removed and purged. Called by test_deb.py.
#
#   deb_life.sh FIRST.deb NEXT.deb
#
# As root, in namespaces of its own: unshare --mount --pid --fork. Exit status 77: no such system can be made here.
set -eu

first=$1
next=$2
mount -t tmpfs tmpfs /mnt || exit 77
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root || exit 77
root=/mnt/root
mount -t proc proc $root/proc || exit 77
mount --bind /dev $root/dev || exit 77
mkdir -p $root/packages
cp "$first" $root/packages/first.deb
cp "$next" $root/packages/next.deb
socket=/var/lib/flotilla/socket

inside() {
    DEBIAN_FRONTEND=noninteractive chroot $root "$@"
}

# The rest of the system is of no interest, its triggers (a new index of all man pages, say) take long.
dpkg_() {
    inside dpkg --no-triggers "$@" >/mnt/said 2>&1 </dev/null || {
        cat /mnt/said
        echo "dpkg $* failed"
        exit 1
    }
}

ask() {
    inside redis-cli -s $socket "$@" 2>/dev/null
}

# As the unit does it, but without the network.
start() {
    chroot $root setpriv --reuid flotilla --regid flotilla --clear-groups flotilla-server /etc/flotilla/redis.conf --port 0 \
        --unixsocket $socket --supervised no >/mnt/log 2>&1 &
    server=$!
    until [ "$(ask PING)" = PONG ]; do
        kill -0 $server 2>/dev/null || {
            cat /mnt/log
            exit 1
        }
        sleep 0.05
    done
}

stop() {
    kill $server
    wait $server
}

# is WHAT EXPECTED COMMAND…
is() {
    local what=$1 expected=$2 got
    shift 2
    got=$("$@" 2>&1) || true
    [ "$got" = "$expected" ] || {
        echo "$what: '$got' in place of '$expected'"
        exit 1
    }
    echo "ok: $what"
}

mode() {
    inside stat -c '%U:%G %a' "$1"
}

there() {
    if [ -e "$root$1" ] || [ -L "$root$1" ]; then echo yes; else echo no; fi
}

unit_link=/etc/systemd/system/multi-user.target.wants/flotilla.service

dpkg_ -i /packages/first.deb
is "the folder of the data" "flotilla:flotilla 750" mode /var/lib/flotilla
is "the folder of the configuration" "root:flotilla 2770" mode /etc/flotilla
is "the configuration" "flotilla:flotilla 640" mode /etc/flotilla/redis.conf
is "the service is enabled" yes there $unit_link
start
is "a write" OK ask SET key value
is "CONFIG SET" OK ask CONFIG SET timeout 77
is "CONFIG REWRITE" OK ask CONFIG REWRITE
stop

dpkg_ -i /packages/next.deb
is "the new version" "9.9.9" inside dpkg-query -W -f '${Version}' flotilla
is "the configuration after an upgrade" "flotilla:flotilla 640" mode /etc/flotilla/redis.conf
is "its changes" "timeout 77" grep '^timeout ' $root/etc/flotilla/redis.conf
start
is "the data after an upgrade" value ask GET key
stop

dpkg_ -r flotilla
is "a removed program" no there /usr/bin/flotilla-server
is "the configuration of a removed package" yes there /etc/flotilla/redis.conf
is "the data of a removed package" yes there /var/lib/flotilla/shard-0

dpkg_ -P flotilla
is "a purged configuration" no there /etc/flotilla
is "a purged service" no there $unit_link
is "data that nobody wants deleted" yes there /var/lib/flotilla/shard-0

dpkg_ -i /packages/first.deb
start
is "the data of a new installation" value ask GET key
stop
echo 'flotilla flotilla/purge-data boolean true' | inside debconf-set-selections
dpkg_ -P flotilla
is "data that was to be deleted" no there /var/lib/flotilla
