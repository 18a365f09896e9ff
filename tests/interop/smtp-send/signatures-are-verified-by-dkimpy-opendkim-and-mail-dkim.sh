# proves: after delivery by Postfix, dkimpy, Mail::DKIM and OpenDKIM verify RSA signatures, dkimpy those with Ed25519, and a changed message fails
# needs: postfix openssl opendkim libmail-dkim-perl python3
# needs-pip: dkimpy dnspython pynacl
. "$HERE/lib.sh"
require openssl opendkim perl python3
. "$HERE/smtp-send/postfix.bash"
start_postfix
openssl genrsa -out rsa.pem 2048 2> /dev/null
openssl genrsa -traditional -out rsa1.pem 2048 2> /dev/null
openssl genpkey -algorithm ed25519 -out ed25519.pem
chmod 600 ./*.pem
head -c 300000 /dev/urandom > noise.bin
printf 'Gr\303\274\303\237e  \t aus  K\303\266ln \n.\n..dot\n\nFrom here \n\n\n \n' > text
printf 'From: Me <me@example.org>\nTo: bob@example.com\nBcc: bob@example.com\nSubject: several\n  lines \t here\n\nbody  \n\n\n' > ready.eml

verified() { # KEY: all messages in the mailbox are verified, and a changed one is not
    local file known
    known=$(sed -n 's/.*DNS record of the key: \([^ ]*\) TXT "\(.*\)"$/\1=\2/p' log | head -1)
    [ -n "$known" ] || fail "no record in: $(cat log)"
    for file in "$MAILBOX"/new/*; do
        sed 's/\r*$/\r/' "$file" > message
        python3 "$HERE/smtp-send/verify-dkim.py" message "$known" || fail "dkimpy does not verify with $1: $(cat message)"
        # In Debian 12 the other two support RSA only.
        [ "$1" != ed25519 ] || continue
        perl "$HERE/smtp-send/verify-dkim.pl" message "$known" > perl.log 2>&1 || fail "Mail::DKIM, $1: $(cat perl.log)"
        echo "${known%%=*} ${known#*=}" > keys
        printf 'TestDNSData %s/keys\nMode v\nSocket local:%s/socket\n' "$TMP" "$TMP" > opendkim.conf
        opendkim -x opendkim.conf -t message > opendkim.log 2>&1 || fail "OpenDKIM, $1: $(cat opendkim.log)"
        grep -q 'verification .*succeeded' opendkim.log || fail "OpenDKIM: $(cat opendkim.log)"
    done
    sed 's/^From: /&x/' message > changed
    ! python3 "$HERE/smtp-send/verify-dkim.py" changed "$known" 2> /dev/null || fail "dkimpy verifies a changed message"
}

for key in rsa rsa1 ed25519; do
    send() {
        "$BIN/smtp-send" -v --server "127.0.0.1:$PORT" --dkim-domain example.org --dkim-selector s1 --dkim-key "$key.pem" "$@" \
            > report 2> log || fail "exit $?: $(cat log)"
    }
    send --from me@example.org --to bob@example.com --subject 'Grüße' --body-file text
    send --from 'Jörg <me@example.org>' --to bob@example.com --bcc ann@example.com --body '' --attach noise.bin
    send --from me@example.org --to bob@example.com --html <(printf '<p>Hi <b>there</b></p>')
    send --eml ready.eml
    wait_for_mail 4
    verified "$key"
    rm "$MAILBOX"/new/*
done
