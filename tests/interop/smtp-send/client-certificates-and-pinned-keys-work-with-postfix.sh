# proves: Postfix accepts a client certificate by its fingerprint and refuses others with a reason; a pin computed by openssl replaces the issuer
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
client_certificate() {
    openssl req -x509 -newkey "$2" -pkeyopt "$3" -nodes -days 2 -subj "/CN=$1" -addext basicConstraints=critical,CA:FALSE \
        -keyout "$1.key" -out "$1.crt" 2> openssl.log || fail "openssl: $(cat openssl.log)"
    chmod 600 "$1.key"
}
client_certificate known ec ec_paramgen_curve:prime256v1
client_certificate unknown rsa rsa_keygen_bits:2048
fingerprint=$(openssl x509 -in known.crt -noout -fingerprint -sha256 | cut -d= -f2)
start_postfix 'smtpd_tls_security_level = encrypt' 'smtpd_tls_ask_ccert = yes' 'smtpd_tls_fingerprint_digest = sha256' \
    "relay_clientcerts = inline:{$fingerprint=known}" 'smtpd_relay_restrictions = permit_tls_clientcerts, reject' \
    'smtpd_recipient_restrictions = permit_tls_clientcerts, reject'
pin=sha256//$(openssl x509 -in cert.pem -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
hex=sha256:$(openssl x509 -in cert.pem -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -r | cut -d' ' -f1)

# The certificate of the server is self-signed.
send() { "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x -v "$@" > report 2> dialogue; }
known=(--tls-client-cert known.crt --tls-client-key known.key)
send "${known[@]}" --tls-pin "$pin" || fail "pin: exit $?: $(tail -3 dialogue)"
wait_for_mail 1
grep -qF "certificate checked, its key is $pin" dialogue || fail "the pin of the key differs from that of openssl: $(cat dialogue)"
cat known.crt known.key > both.pem && chmod 600 both.pem
send --tls-client-cert both.pem --tls-pin "$hex" || fail "one file, a pin in hex: exit $?: $(tail -3 dialogue)"
wait_for_mail 2

# refused CODE TEXT OPTION...
refused() {
    local expected=$1 text=$2 code=0
    shift 2
    send "$@" || code=$?
    [ $code = "$expected" ] && tail -1 dialogue | grep -qF -- "$text" || fail "$*: exit $code: $(tail -3 dialogue)"
}
refused 69 'Access denied' --tls-pin "$pin"
refused 69 'Access denied' --tls-pin "$pin" --tls-client-cert unknown.crt --tls-client-key unknown.key
refused 77 "its key is $pin" "${known[@]}" --tls-pin "sha256//$(head -c 32 /dev/zero | base64)"
refused 78 'does not belong to this certificate' --tls-client-cert known.crt --tls-client-key unknown.key

# A server that requires a client certificate.
postconf -c "$POSTFIX/etc" 'smtpd_tls_req_ccert = yes' 'smtpd_tls_CAfile = '"$TMP/known.crt"
postfix -c "$POSTFIX/etc" reload > reload.log 2>&1
refused 75 'No client certificate presented' --tls-pin "$pin"
refused 75 'Client certificate not trusted' --tls-pin "$pin" --tls-client-cert unknown.crt --tls-client-key unknown.key
send "${known[@]}" --tls-pin "$pin" || fail "a required certificate: exit $?: $(tail -3 dialogue)"
wait_for_mail 3
