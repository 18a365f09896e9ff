# proves: mail reaches Postfix with TLS through MicroSocks, Dante and Tinyproxy, with and without a login, and their refusals are reported as such
# needs: postfix openssl python3 microsocks dante-server tinyproxy-bin
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
require microsocks danted tinyproxy
start_postfix

free=$(free_port) login=$(free_port) dante=$(free_port) http=$(free_port)
microsocks -i 127.0.0.1 -p "$free" 2> microsocks.log & cleanup "end $!"
microsocks -i 127.0.0.1 -p "$login" -u joe -P 'pr0xy secret' 2>> microsocks.log & cleanup "end $!"
cat > danted.conf <<END
logoutput: $TMP/danted.log
internal: 127.0.0.1 port = $dante
external: lo
clientmethod: none
socksmethod: none
user.unprivileged: proxy
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = 26 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
END
danted -f "$TMP/danted.conf" -p "$TMP/danted.pid" > danted.out 2>&1 & cleanup "end $!"
cat > tinyproxy.conf <<END
Port $http
Listen 127.0.0.1
Timeout 20
BasicAuth joe pr0xy-secret
ConnectPort $PORT
ConnectPort 1
Allow 127.0.0.1
END
tinyproxy -d -c "$TMP/tinyproxy.conf" > tinyproxy.log 2>&1 & cleanup "end $!"
for port in $free $login $dante $http; do wait_for_port "$port"; done

sent=0
# send PROXY OPTION...: sends through a proxy.
send() {
    local proxy=$1 server=${SERVER:-localhost:$PORT}
    shift
    "$BIN/smtp-send" --server "$server" --proxy "$proxy" --from me@example.org --to bob@example.com --body "$proxy" \
        --tls starttls --tls-ca "$TMP/cert.pem" --tls-server-name mail.example.com -v "$@" > report 2> dialogue
}
carries() {
    send "$@" || fail "$1: exit $?: $(tail -3 dialogue)"
    sent=$((sent + 1))
    wait_for_mail $sent
}
# refuses CODE TEXT PROXY
refuses() {
    local code=0
    send "$3" || code=$?
    [ $code = "$1" ] && tail -1 dialogue | grep -qF -- "$2" || fail "$3: exit $code: $(tail -3 dialogue)"
}

carries "socks5://127.0.0.1:$free"
carries "socks5h://localhost:$free"
carries "socks5://127.0.0.1:$dante"
export SMTP_PROXY_PASSWORD='pr0xy secret'
carries "socks5://joe@127.0.0.1:$login"
SMTP_PROXY_PASSWORD=pr0xy-secret carries "http://joe@127.0.0.1:$http"
grep -q pr0xy dialogue report && fail "the password is shown: $(cat dialogue)"

refuses 77 'it demands a login' "socks5://127.0.0.1:$login"
refuses 77 'it demands a login' "http://127.0.0.1:$http"
SMTP_PROXY_PASSWORD=wrong refuses 77 'it refuses the login' "socks5://joe@127.0.0.1:$login"
SMTP_PROXY_PASSWORD=wrong refuses 77 "proxy 127.0.0.1:$http: it" "http://joe@127.0.0.1:$http"
SERVER=127.0.0.1:1 refuses 75 'connection refused' "socks5://127.0.0.1:$free"
SERVER=no-such-host.invalid:25 refuses 75 "proxy 127.0.0.1:$free: it cannot connect to no-such-host.invalid:25" "socks5://127.0.0.1:$free"
SERVER=127.0.0.1:26 refuses 77 'it does not allow a connection to 127.0.0.1:26' "socks5://127.0.0.1:$dante"
export SMTP_PROXY_PASSWORD=pr0xy-secret
SERVER=127.0.0.1:1 refuses 75 "it cannot connect to 127.0.0.1:1" "http://joe@127.0.0.1:$http"
SERVER=127.0.0.1:26 refuses 77 'it does not allow a connection to 127.0.0.1:26: 403' "http://joe@127.0.0.1:$http"
# The mail server in place of a proxy.
refuses 76 'it does not speak SOCKS5' "socks5://127.0.0.1:$PORT"
