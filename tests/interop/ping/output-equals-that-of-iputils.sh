# proves: output and exit code equal those of iputils, except for times and identifiers
# needs: iputils-ping iproute2 bsdutils
. "$HERE/lib.sh"

export LC_ALL=C
ping -V | grep -q iputils || skip "/usr/bin/ping is not iputils ping"
make_namespaces CLIENT ROUTER SERVER
ip link add near0 netns "$CLIENT" type veth peer name near1 netns "$ROUTER"
ip link add far0 netns "$ROUTER" type veth peer name far1 netns "$SERVER"
ip -n "$CLIENT" addr add 10.0.1.2/24 dev near0
ip -n "$ROUTER" addr add 10.0.1.1/24 dev near1
ip -n "$ROUTER" addr add 10.0.2.1/24 dev far0
ip -n "$SERVER" addr add 10.0.2.2/24 dev far1
ip -n "$CLIENT" addr add fd00:1::2/64 dev near0 nodad
ip -n "$ROUTER" addr add fd00:1::1/64 dev near1 nodad
for end in "$CLIENT near0" "$ROUTER near1" "$ROUTER far0" "$SERVER far1"; do
    set -- $end
    ip -n "$1" link set "$2" up
done
ip -n "$CLIENT" route add default via 10.0.1.1
ip -n "$CLIENT" -6 route add default via fd00:1::1
ip -n "$SERVER" route add default via 10.0.2.1
ip netns exec "$ROUTER" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit'
ip netns exec "$CLIENT" sh -c 'echo 100 >/proc/sys/net/ipv4/neigh/near0/retrans_time_ms'

# With -v, iputils also prints name resolution and sockets.
normalised() {
    sed -E 's/time=[0-9.]+ ms/time=T ms/; s/time [0-9]+ms/time Tms/; s/= [0-9.]+\/[^,]* ms/= T ms/; s/^\[[0-9.]+\]/[T]/
        s/, pipe [0-9]+//; s/^pipe [0-9]+$//; s/ident=[0-9]+/ident=N/; s/ipg\/ewma [0-9.\/]+ ms/ipg T/
        s/[0-9]+ absolute/N absolute/; s/\t-?[0-9]+$/\tN/; s/flow 0x[0-9a-f]+/flow N/; /^ai->ai_family/d; s/\r$//'
}
# A router sends one "no route" error per second, so PAUSE is the wait before each run.
same() {
    sleep "${PAUSE:-0}"
    ip netns exec "$CLIENT" ping "$@" >iputils.out 2>iputils.err && iputils_code=0 || iputils_code=$?
    sleep "${PAUSE:-0}"
    ip netns exec "$CLIENT" "$BIN/ping" "$@" >ping.out 2>ping.err && ping_code=0 || ping_code=$?
    sed -i '/^ping: sock4\.fd/,+1d' iputils.err
    normalised <iputils.out >iputils.txt; normalised <ping.out >ping.txt
    diff iputils.txt ping.txt >difference || fail "ping $*: $(cat difference)"
    diff iputils.err ping.err >difference || fail "ping $*, standard error: $(cat difference)"
    [ "$iputils_code" = "$ping_code" ] || fail "ping $*: iputils exits with $iputils_code, ping with $ping_code"
}

# On a terminal both print names. ping does not wait for the lookup, so the first reply can lack the name; several tries.
same_on_terminal() {
    local expected actual tries
    expected=$(ip netns exec "$CLIENT" script -qec "ping $*" /dev/null | normalised)
    for ((tries = 0; tries < 10; tries++)); do
        actual=$(ip netns exec "$CLIENT" script -qec "$BIN/ping $*" /dev/null | normalised)
        [[ $actual == "$expected" ]] && return
    done
    equal "$actual" "$expected" "ping $* on a terminal"
}

same -c 1 127.0.0.1
same -c 3 -i 0.02 10.0.2.2
same -c 1 ::1
same_on_terminal -4 -c 2 -i 0.02 localhost
same_on_terminal -4 -n -c 2 -i 0.02 localhost
same -c 1 -n localhost
same -q -c 2 -i 0.02 10.0.2.2
same -D -c 1 127.0.0.1
same -p ff00 -c 1 127.0.0.1
same -I lo -c 1 127.0.0.1
same -I 10.0.1.2 -c 1 10.0.2.2
same -I near0 -c 1 fd00:1::1
same -s 0 -c 1 127.0.0.1
same -s 15 -c 1 ::1
same -s 1400 -c 1 10.0.2.2
same -a -c 1 127.0.0.1
same -l 3 -c 3 -i 0.02 127.0.0.1
same -c 1 0.0.0.0
same -t 1 -c 2 -i 0.02 10.0.2.2
PAUSE=1.2 same -c 1 192.0.2.1
same -c 1 2001:db8::1
same -c 1 10.0.1.77
same -w 1 -c 1 10.0.2.2
same -I nosuch 127.0.0.1
same -I 10.9.9.9 127.0.0.1
same -4 ::1
same nosuch.invalid
same -v -c 1 127.0.0.1
same -U -c 1 ::1
same -A -c 3 127.0.0.1
same -f -i 0.01 -c 5 127.0.0.1
same -q -f -c 50 127.0.0.1
same -i 0 -c 5 127.0.0.1
same -R -c 3 -i 0.02 127.0.0.1
same -R -c 2 -i 0.02 10.0.2.2
same -T tsonly -c 2 -i 0.02 127.0.0.1
same -T tsandaddr -c 2 -i 0.02 10.0.2.2
same -T other -c 1 127.0.0.1
same -M do -c 1 10.0.2.2
same -M dont -c 1 ::1
same -M want -s 3000 -c 1 10.0.2.2
same -M do -s 3000 -c 1 10.0.2.2
same -M other -c 1 127.0.0.1
same -F 12345 -c 1 fd00:1::1
same -F 0 -c 1 fd00:1::1
same -d -c 1 127.0.0.1
same -r -c 1 127.0.0.1
same -m 5 -c 1 127.0.0.1
same -C -c 1 10.0.2.2
same -c 1 -b 127.0.0.1
