# Three isolated hosts, sourced by the cases: network namespaces on a bridge. The client, 192.0.2.1, has a name server; the mail
# exchangers, 192.0.2.2 and 192.0.2.3, run a Postfix each.
#
#   make_hosts                                   makes the hosts and a certificate authority, ca.pem
#   send ARGUMENT...                             runs smtp-send on the client
#   start_exchanger NUMBER NAME [SETTING...]     starts a Postfix on host 2 or 3 with the host name NAME and the certificate
#                                                $TMP/NUMBER/own.pem, signed by ca.pem
#   received NUMBER COUNT                        waits until a host has that many messages
#   write_zone NAME                              writes NAME.zone: SOA, NS and the records of standard input
#   start_nsd ADDRESS@PORT ZONE...               starts NSD on the client
#   use_name_server ADDRESS                      sets the name server in /etc/resolv.conf of the client

. "$HERE/smtp-send/postfix.bash"

make_hosts() {
    local number host
    make_namespaces CLIENT HOST2 HOST3
    ip -n "$CLIENT" link add bridge type bridge
    ip -n "$CLIENT" address add 192.0.2.1/24 dev bridge
    ip -n "$CLIENT" link set bridge up
    for number in 2 3; do
        host=HOST$number
        ip -n "$CLIENT" link add "to$number" type veth peer name eth0 netns "${!host}"
        ip -n "$CLIENT" link set "to$number" master bridge up
        ip -n "${!host}" address add "192.0.2.$number/24" dev eth0
        ip -n "${!host}" link set eth0 up
    done
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Authority -keyout ca.key -out ca.pem 2> openssl.log ||
        fail "openssl: $(cat openssl.log)"
}

on_client() { ip netns exec "$CLIENT" "$@"; }

send() { on_client "$BIN/smtp-send" --from me@sender.test "$@"; }

# wait_for_client_port ADDRESS PORT NAME LOG
wait_for_client_port() {
    wait_until 10 on_client bash -c "exec 3<> /dev/tcp/$1/$2" 2> /dev/null || fail "$3 does not listen: $(tail -5 "$4")"
}

start_exchanger() {
    local number=$1 name=$2 folder=$TMP/$1 host=HOST$1
    shift 2
    EXCHANGER=${!host}
    mkdir "$folder"
    chmod 755 "$folder"
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$folder/own.key" -out "$folder/own.csr" 2> /dev/null
    openssl x509 -req -in "$folder/own.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$folder/own.pem" \
        -extfile <(printf 'subjectAltName=DNS:%s\n' "$name") 2> /dev/null
    # Postfix of start_postfix runs on this host.
    postfix() { ip netns exec "$EXCHANGER" "$(type -P postfix)" "$@"; }
    AT=192.0.2.$number:25 TMP=$folder start_postfix "myhostname = $name" "smtpd_tls_cert_file = $folder/own.pem" \
        "smtpd_tls_key_file = $folder/own.key" "$@"
    wait_for_client_port "192.0.2.$number" 25 "$name" "$folder/postfix/log"
}

received() {
    POSTFIX=$TMP/$1/postfix MAILBOX=$TMP/$1/mail/box
    wait_for_mail "$2"
}

write_zone() {
    {
        printf '$ORIGIN %s.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n' "$1"
        cat
    } > "$1.zone"
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
    on_client nsd -d -c nsd.conf > nsd.log 2>&1 &
    cleanup "end $!"
    wait_for_client_port "${at%@*}" "${at#*@}" NSD nsd.log
}

# ip netns exec mounts this file as /etc/resolv.conf.
use_name_server() {
    mkdir -p "/etc/netns/$CLIENT"
    cleanup "rm -r '/etc/netns/$CLIENT'"
    echo "nameserver $1" > "/etc/netns/$CLIENT/resolv.conf"
}
