# proves: Symfony Mailer, swaks and Python's smtplib send by SMTP on standard input, several messages per session, and receive the replies
# needs: php-cli php-symfony-mailer swaks python3
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
require swaks php
start_receiver
make_home "from = 'www@example.org'"

cat > send.php <<'END'
<?php
require 'Symfony/Component/Mailer/autoload.php';
use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport\SendmailTransport;
use Symfony\Component\Mime\Email;
$mailer = new Mailer(new SendmailTransport($argv[1] . ' -bs'));
foreach (array_slice($argv, 2) as $to) {
    $mail = (new Email())->from('Shop <shop@example.org>')->to($to)->bcc('archive@example.com')
        ->subject('Ihre Bestellung über 5 €')->text("Grüße\n.\n..zwei\n");
    try {
        $mailer->send($mail);
        echo "sent $to\n";
    } catch (Throwable $error) {
        echo 'not sent: ', $error->getMessage(), "\n";
    }
}
END
printf 'Grüße\n.\n..zwei\n' > text
php send.php "$SENDMAIL" bob@example.com ann@example.com later@example.com > output 2>&1 || fail "exit $?: $(cat output)"
[ "$(grep -c '^sent ' output)" = 2 ] && grep -q '^not sent: .*45[0-9]' output || fail "Symfony: $(cat output)"
received 1 text 'Subject=Ihre Bestellung über 5 €' 'From=Shop <shop@example.org>'
envelope 1 'shop@example.org bob@example.com archive@example.com'
envelope 2 'shop@example.org ann@example.com archive@example.com'

# A message with a refused recipient is kept as a dead letter for that recipient.
[ "$(dead_letters | grep -c '\.eml$')" = 1 ] || fail "dead letters: $(dead_letters)"
dead_letters | while read -r file; do rm "$file"; done
count() { find "$RECEIVED" -name '*.eml' | wc -l; }
before=$(count)
swaks --pipe "$SENDMAIL -bs" --from me@example.org --to bob@example.com --header 'Subject: swaks' --body 'by swaks' > output 2>&1 ||
    fail "swaks: exit $?: $(cat output)"
equal "$(count)" $((before + 1)) 'messages after swaks'
code=0
swaks --pipe "$SENDMAIL -bs" --from me@example.org --to later@example.com --body x > output 2>&1 || code=$?
[ $code != 0 ] && grep -q '<\*\* 45[0-9]' output || fail "swaks, refused: exit $code: $(cat output)"

cat > send.py <<'END'
import smtplib, socket, subprocess, sys
parent, child_socket = socket.socketpair()
child = subprocess.Popen([sys.argv[1], "-bs"], stdin=child_socket, stdout=child_socket)
child_socket.close()

class Pipe(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        return parent

with Pipe("child") as smtp:
    for number in range(3):
        refused = smtp.sendmail("me@example.org", ["bob@example.com", "ann@example.com"], f"Subject: {number}\n\n.dot {number}\n")
        assert not refused, refused
    try:
        smtp.sendmail("me@example.org", ["later@example.com"], "Subject: x\n\nx\n")
        sys.exit("accepted")
    except smtplib.SMTPDataError as error:
        assert 400 <= error.smtp_code < 500, error
assert child.wait() == 0
END
before=$(count)
python3 send.py "$SENDMAIL" > output 2>&1 || fail "smtplib: $(cat output)"
equal "$(count)" $((before + 3)) 'messages after smtplib'
equal "$(dead_letters)" '' 'dead letters'
