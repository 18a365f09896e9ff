# proves: prettyping draws our replies and counts our losses as it does those of iputils
# needs: prettyping iproute2 nftables
. "$HERE/lib.sh"

require prettyping nft
ip netns add "pp$$" || skip "no network namespaces"
cleanup ip netns del "pp$$"
ip -n "pp$$" link set lo up
# Every second request is thrown away.
ip netns exec "pp$$" nft 'table ip t { chain c { type filter hook input priority 0;
    icmp type echo-request numgen inc mod 2 1 drop; }; }' || skip "no nftables"

# It sees a loss at the next reply, so the last probe is not in its count.
ip netns exec "pp$$" prettyping --pingbin "$BIN/ping" --nolegend --nocolor -c 4 -i 0.3 -W 0.2 127.0.0.1 >out.txt ||
    fail "prettyping failed: $(cat out.txt)"
grep -qE ' 1/ +3 \(33%\) lost' out.txt || fail "not one of three lost: $(cat out.txt)"
grep -q '4 packets transmitted, 2 received, 50% packet loss' out.txt || fail "no summary: $(cat out.txt)"
