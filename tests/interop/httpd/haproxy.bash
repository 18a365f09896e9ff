# HAProxy in front of httpd; sourced after lib.sh.
# shellcheck shell=bash

PATH=$PATH:/usr/sbin

# write_haproxy_configuration [LINE...]: writes haproxy.cfg; the arguments are lines of "global", frontends and backends are
# read from standard input.
write_haproxy_configuration() {
    {
        printf 'global\n'
        printf '    %s\n' "$@"
        printf 'defaults\n    mode http\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n'
        cat
    } >haproxy.cfg
}

# start_haproxy PORT...: starts HAProxy with haproxy.cfg and waits for these ports.
start_haproxy() {
    local port
    haproxy -f haproxy.cfg -db >haproxy.out 2>&1 &
    cleanup "end $!"
    for port in "$@"; do wait_for_port "$port"; done
}
