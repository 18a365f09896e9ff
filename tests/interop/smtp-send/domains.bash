# Three hosts of our own for one case, sourced by the cases: network namespaces on a bridge, which nothing else reaches. The
# sender, 192.0.2.1, has a name server; the exchangers, 192.0.2.2 and 192.0.2.3, have a Postfix each.
#
#   make_hosts                                   makes the hosts
#   send ARGUMENT...                             runs smtp-send on the host of the sender
#   start_exchanger NUMBER NAME [SETTING...]     starts a Postfix on host 2 or 3 that calls itself NAME; its certificate is
#                                                $TMP/NUMBER/own.pem, signed by $TMP/ca.pem
#   arrived NUMBER COUNT                         waits until so many messages are there
#   start_nsd ADDRESS@PORT ZONE...               starts NSD on the host of the sender for files in $TMP

. "$HERE/smtp-send/postfix.bash"

make_hosts() {
    local number
    SENDER=smtp$$-1
    for number in 1 2 3; do
        ip netns add "smtp$$-$number" 2> ip.log || skip "no network namespaces: $(cat ip.log)"
        cleanup ip netns del "smtp$$-$number"
        ip -n "smtp$$-$number" link set lo up
    done
    ip -n "$SENDER" link add bridge type bridge
    ip -n "$SENDER" address add 192.0.2.1/24 dev bridge
    ip -n "$SENDER" link set bridge up
    for number in 2 3; do
        ip -n "$SENDER" link add "to$number" type veth peer name eth0 netns "smtp$$-$number"
        ip -n "$SENDER" link set "to$number" master bridge up
        ip -n "smtp$$-$number" address add "192.0.2.$number/24" dev eth0
        ip -n "smtp$$-$number" link set eth0 up
    done
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Authority -keyout ca.key -out ca.pem 2> openssl.log ||
        fail "openssl: $(cat openssl.log)"
}

send() {
    ip netns exec "$SENDER" "$BIN/smtp-send" --from me@sender.test "$@"
}

start_exchanger() {
    local number=$1 name=$2 folder=$TMP/$1
    shift 2
    mkdir "$folder"
    chmod 755 "$folder"
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$folder/own.key" -out "$folder/own.csr" 2> /dev/null
    openssl x509 -req -in "$folder/own.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$folder/own.pem" \
        -extfile <(printf 'subjectAltName=DNS:%s\n' "$name") 2> /dev/null
    # The first Postfix is on the path, and its host is that of whoever starts it.
    postfix() { ip netns exec "smtp$$-$number" "$(type -P postfix)" "$@"; }
    AT=192.0.2.$number:25 TMP=$folder start_postfix "myhostname = $name" "smtpd_tls_cert_file = $folder/own.pem" \
        "smtpd_tls_key_file = $folder/own.key" "$@"
    local tries
    for tries in $(seq 200); do
        ip netns exec "$SENDER" bash -c "exec 3<> /dev/tcp/192.0.2.$number/25" 2> /dev/null && return
        sleep 0.05
    done
    fail "$name does not listen: $(tail -5 "$folder/postfix/log")"
}

arrived() {
    POSTFIX=$TMP/$1/postfix MAILBOX=$TMP/$1/mail/box
    wait_for_mail "$2"
}

start_nsd() {
    local at=$1 zone
    shift
    {
        printf 'server:\n  ip-address: %s\n  username: ""\n  zonesdir: "%s"\n' "$at" "$TMP"
        printf '  database: ""\n  pidfile: "%s/nsd.pid"\n  xfrdfile: ""\n  zonelistfile: "%s/zones"\n' "$TMP" "$TMP"
        printf 'remote-control:\n  control-enable: no\n'
        for zone in "$@"; do printf 'zone:\n  name: %s\n  zonefile: %s.zone\n' "$zone" "$zone"; done
    } > nsd.conf
    ip netns exec "$SENDER" nsd -d -c nsd.conf > nsd.log 2>&1 &
    cleanup "end $!"
    local tries
    for tries in $(seq 200); do
        ip netns exec "$SENDER" bash -c "exec 3<> /dev/tcp/${at%@*}/${at#*@}" 2> /dev/null && return
        sleep 0.05
    done
    fail "NSD does not listen: $(cat nsd.log)"
}
