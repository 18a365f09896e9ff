# proves: in a terminal --graph draws bars and losses over themselves and ends with summary and histogram
# needs: tmux iproute2 nftables
. "$HERE/lib.sh"

require tmux nft
ip netns add "gm$$" || skip "no network namespaces"
cleanup ip netns del "gm$$"
ip -n "gm$$" link set lo up
ip netns exec "gm$$" nft 'table ip t { chain c { type filter hook input priority 0;
    icmp type echo-request numgen inc mod 4 3 drop; }; }' || skip "no nftables"

tmux -S screen new-session -d -x 80 -y 24 "ip netns exec gm$$ $BIN/ping --graph -i 0.05 -W 0.1 127.0.0.1; sleep 60"
cleanup tmux -S screen kill-server
# shown WORDS: waits until they are on the screen.
shown() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        tmux -S screen capture-pane -p >screen.txt
        grep -qE "$1" screen.txt && return
        sleep 0.1
    done
    fail "not on the screen: $1: $(cat screen.txt)"
}
shown '^127.0.0.1 .* lost  min/avg/max .* p99 '
shown '^      0 ms .*█.*│'
equal "$(grep -c ' 0 ms ' screen.txt)" 1 "pictures on the screen"
tmux -S screen resize-window -x 60 -y 10
shown '^      0 ms .*█.*│'
tmux -S screen resize-window -x 80 -y 40
tmux -S screen send-keys C-c
shown '^--- 127.0.0.1 ping statistics ---$'
shown '^ +[0-9.]+ ms +[0-9]+ █+'
