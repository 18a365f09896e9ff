# proves: output, errors and exit code equal those of iputils for the argument lists of iputils-arguments.txt
# needs: iputils-ping iproute2 nftables python3
. "$HERE/lib.sh"

export LC_ALL=C
ping -V | grep -q iputils || skip "/usr/bin/ping is not iputils ping"
[[ -c /dev/net/tun ]] || skip_for_kernel "no /dev/net/tun"
PAIRS=8

# world NAME: a client, a router and a server in a row, and a TUN device at the client whose hosts misbehave.
world() {
    make_namespaces "${1}CLIENT" "${1}ROUTER" "${1}SERVER"
    local client=${1}CLIENT router=${1}ROUTER server=${1}SERVER namespace
    client=${!client} router=${!router} server=${!server}
    ip link add near0 netns "$client" type veth peer name near1 netns "$router"
    ip link add far0 netns "$router" type veth peer name far1 netns "$server"
    for namespace in "$client" "$router" "$server"; do
        ip netns exec "$namespace" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 \
            net.ipv4.icmp_msgs_burst=100000 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
            net.ipv4.icmp_echo_ignore_broadcasts=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
    done
    mkdir -p "/etc/netns/$client"
    cleanup "rm -rf '/etc/netns/$client'"
    cp hosts resolv.conf "/etc/netns/$client"
    : >"$client.responder"
    ip netns exec "$client" python3 "$HERE/ping/icmp-responder.py" >>"$client.responder" 2>&1 &
    cleanup "end $!"
    wait_until 10 grep -q ready "$client.responder" || skip_for_kernel "no TUN device: $(<"$client.responder")"
    ip -n "$client" -batch - <<'END'
addr add 10.0.1.2/24 dev near0
addr add 10.0.1.22/24 dev near0
addr add fd00:1::2/64 dev near0 nodad
addr add fd00:1::22/64 dev near0 nodad
addr add 10.99.0.1/16 dev tun0
addr add fd00:99::1/64 dev tun0 nodad
link set near0 addrgenmode none
link set tun0 addrgenmode none
link set near0 up
link set tun0 up
addr add fe80::2/64 dev near0 nodad
route add default via 10.0.1.1
route add default via fd00:1::1
route add unreachable 192.0.2.101
route add prohibit 192.0.2.102
route add blackhole 192.0.2.103
route add throw 192.0.2.104
route add unreachable 2001:db8::101
route add prohibit 2001:db8::102
route add blackhole 2001:db8::103
route add throw 2001:db8::104
END
    ip -n "$router" -batch - <<'END'
addr add 10.0.1.1/24 dev near1
addr add fd00:1::1/64 dev near1 nodad
link set near1 addrgenmode none
link set near1 up
addr add fe80::1/64 dev near1 nodad
addr add 10.0.2.1/24 dev far0
addr add fd00:2::1/64 dev far0 nodad
link set far0 mtu 1400
link set far0 up
route add 10.0.3.0/24 via 10.0.1.9 dev near1
route add 10.0.4.0/24 via 10.0.2.2
route add fd00:4::/64 via fd00:2::2
neigh add 10.0.1.9 lladdr 02:00:00:00:00:09 dev near1
END
    ip -n "$server" -batch - <<'END'
addr add 10.0.2.2/24 dev far1
addr add 10.0.2.3/24 dev far1
addr add fd00:2::2/64 dev far1 nodad
addr add fd00:2::3/64 dev far1 nodad
link set far1 mtu 1400
link set far1 up
route add default via 10.0.2.1
route add default via fd00:2::1
END
    # Address resolution of an absent neighbour fails after 300 ms.
    ip netns exec "$client" sysctl -qw net.ipv4.neigh.near0.retrans_time_ms=100 net.ipv6.neigh.near0.retrans_time_ms=100 \
        net.ipv4.ping_group_range="65534 65534"
    ip netns exec "$router" sysctl -qw net.ipv4.neigh.far0.retrans_time_ms=100 net.ipv6.neigh.far0.retrans_time_ms=100 \
        net.ipv4.conf.all.send_redirects=1 net.ipv4.conf.near1.send_redirects=1
    ip netns exec "$router" nft -f - <<'END' || skip_for_kernel "no nftables"
table ip t {
    chain forward {
        type filter hook forward priority 0
        ip daddr 10.0.4.1 reject with icmp net-unreachable
        ip daddr 10.0.4.2 reject with icmp host-unreachable
        ip daddr 10.0.4.3 reject with icmp prot-unreachable
        ip daddr 10.0.4.4 reject with icmp port-unreachable
        ip daddr 10.0.4.5 reject with icmp net-prohibited
        ip daddr 10.0.4.6 reject with icmp host-prohibited
        ip daddr 10.0.4.7 reject with icmp admin-prohibited
        ip daddr 10.0.2.3 icmp type echo-request drop
    }
}
table ip6 t {
    chain forward {
        type filter hook forward priority 0
        ip6 daddr fd00:4::1 reject with icmpv6 no-route
        ip6 daddr fd00:4::2 reject with icmpv6 admin-prohibited
        ip6 daddr fd00:4::3 reject with icmpv6 addr-unreachable
        ip6 daddr fd00:4::4 reject with icmpv6 port-unreachable
        ip6 daddr fd00:4::5 reject with icmpv6 policy-fail
        ip6 daddr fd00:4::6 reject with icmpv6 reject-route
        ip6 daddr fd00:2::3 icmpv6 type echo-request drop
    }
}
END
    ip netns exec "$client" nft -f - <<'END'
table inet t {
    chain output {
        type filter hook output priority 0
        ip daddr 10.0.2.50 drop
        ip daddr 10.0.2.51 reject
        ip6 daddr fd00:2::50 drop
        ip6 daddr fd00:2::51 reject
    }
}
END
    for address in 10.0.2.2 fd00:2::2 fe80::1%near0; do
        wait_until 10 ip netns exec "$client" ping -q -c 1 -W 1 "$address" >"$client.log" 2>&1 || fail "$address: $(<"$client.log")"
    done
}

cat >hosts <<'END'
127.0.0.1 localhost
::1 localhost ip6-localhost
10.0.1.1 router.test
10.0.2.2 web.test web
10.0.2.3 dead.test
fd00:2::2 web6.test
10.0.2.2 dual.test
fd00:2::2 dual.test
END
# No name server listens there.
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >resolv.conf

clients=()
for ((pair = 1; pair <= PAIRS; pair++)); do
    for side in A B; do
        world "$side$pair"
        client=$side${pair}CLIENT
        clients+=("${!client}")
    done
done
# Every user can run the copy.
cp "$BIN/ping" under-test
python3 "$HERE/ping/compare-with-iputils.py" "$HERE/ping/iputils-arguments.txt" "$PWD/under-test" "${clients[@]}"
