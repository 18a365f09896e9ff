# proves: in a terminal --graph redraws bars and losses in place and ends with summary and histogram
# needs: tmux iproute2 nftables
. "$HERE/lib.sh"

require tmux nft
make_namespaces NETNS
ip netns exec "$NETNS" nft 'table ip t { chain c { type filter hook input priority 0;
    icmp type echo-request numgen inc mod 4 3 drop; }; }' || skip_for_kernel "no nftables"

tmux -S screen new-session -d -x 80 -y 24 "ip netns exec $NETNS $BIN/ping --graph -i 0.05 -W 0.1 127.0.0.1; sleep 60"
cleanup tmux -S screen kill-server
# shown PATTERN: waits for a line on the screen.
is_shown() { tmux -S screen capture-pane -p >screen.txt && grep -qE "$1" screen.txt; }
shown() { wait_until 10 is_shown "$1" || fail "not on the screen: $1: $(cat screen.txt)"; }
shown '^127.0.0.1 .* lost  min/avg/max .* p99 '
shown '^      0 ms .*█.*│'
equal "$(grep -c ' 0 ms ' screen.txt)" 1 "graphs on the screen"
tmux -S screen resize-window -x 60 -y 10
shown '^      0 ms .*█.*│'
tmux -S screen resize-window -x 80 -y 40
tmux -S screen send-keys C-c
shown '^--- 127.0.0.1 ping statistics ---$'
shown '^ +[0-9.]+ ms +[0-9]+ █+'
