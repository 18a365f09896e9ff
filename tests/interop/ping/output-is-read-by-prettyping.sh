# proves: prettyping shows the replies and losses of ping as it does those of iputils
# needs: prettyping iproute2 nftables
. "$HERE/lib.sh"

require prettyping nft
make_namespaces NETNS
# nftables drops every second request.
ip netns exec "$NETNS" nft 'table ip t { chain c { type filter hook input priority 0;
    icmp type echo-request numgen inc mod 2 1 drop; }; }' || skip_for_kernel "no nftables"

# prettyping notices a loss at the next reply, so it does not count the last probe.
ip netns exec "$NETNS" prettyping --pingbin "$BIN/ping" --nolegend --nocolor -c 4 -i 0.3 -W 0.2 127.0.0.1 >out.txt ||
    fail "prettyping failed: $(cat out.txt)"
grep -qE ' 1/ +3 \(33%\) lost' out.txt || fail "not one of three lost: $(cat out.txt)"
grep -q '4 packets transmitted, 2 received, 50% packet loss' out.txt || fail "no summary: $(cat out.txt)"
