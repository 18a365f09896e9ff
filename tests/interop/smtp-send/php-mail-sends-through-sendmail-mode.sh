# proves: mail() of PHP sends through sendmail mode as sendmail_path and returns whether the server accepted the message
# needs: php-cli python3
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
make_home "from = 'www@example.org'"
cat > send.php <<'END'
<?php
[, $to, $extra] = $argv;
$headers = ['From' => 'Shop <shop@example.org>', 'Bcc' => 'archive@example.com', 'MIME-Version' => '1.0',
    'Content-Type' => 'text/plain; charset=utf-8', 'Content-Transfer-Encoding' => '8bit'];
$subject = '=?UTF-8?B?' . base64_encode('Ihre Bestellung über 5 €') . '?=';
exit(mail($to, $subject, "Grüße\r\n.\r\n..zwei\r\n", $headers, $extra) ? 0 : 3);
END
send() { php -n -d sendmail_path="$SENDMAIL -t -i" send.php "$@" > output 2>&1; }

printf 'Grüße\n.\n..zwei\n' > text
send 'Bob <bob@example.com>, ann@example.com' '' || fail "exit $?: $(cat output)"
received 1 text 'Subject=Ihre Bestellung über 5 €' 'From=Shop <shop@example.org>'
envelope 1 'www@example.org bob@example.com ann@example.com archive@example.com'
send bob@example.com -fbounce@example.org || fail "exit $?: $(cat output)"
envelope 2 'bounce@example.org bob@example.com archive@example.com'
[ -s output ] && fail "output is not empty: $(cat output)"
equal "$(dead_letters)" '' 'dead letters'

code=0
send later@example.com '' || code=$?
equal $code 3 'exit code when the server refuses'
[ "$(dead_letters | wc -l)" = 1 ] || fail "dead letters: $(dead_letters)"
