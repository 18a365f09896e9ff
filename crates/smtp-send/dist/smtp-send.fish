# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_smtp_send_global_optspecs
    string join \n to= cc= bcc= from= envelope-from= s/subject= body= body-file= html= inline= attach= header= reply-to= eml= server= port= account= 4/ipv4 6/ipv6 bind= proxy= proxy-password-file= proxy-password-command= proxy-protocol= proxy-client= helo= timeout= max-time= retry= retry-max-time= dns-server= dns-trust-ad mta-sts-policy= tls= tls-ca= tls-server-name= tls-pin= tls-client-cert= tls-client-key= insecure user= password-file= password-fd= password-command= token-command= auth= allow-cleartext-login lmtp dsn-notify= dsn-ret= dsn-envid= deliver-by= require-tls no-chunking merge= merge-to= merge-separator= connections= rate= queue journal= resend-unknown keep-going csv= dkim-domain= dkim-selector= dkim-key= dry-run stop-after= json v/verbose q/quiet h/help V/version
end

function __fish_smtp_send_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_smtp_send_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_smtp_send_using_subcommand
    set -l cmd (__fish_smtp_send_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l to -d 'Recipient, as `a@b` or `Name <a@b>`; comma lists, or @FILE with one list a line; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l cc -d 'Recipient of a copy; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l bcc -d 'Recipient of a copy whom the others do not see; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l from -d 'Author [default: your user name at this host]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l envelope-from -d 'Where bounces go; \'\' for nowhere [default: the address of --from]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s s -l subject -d 'Subject, in any script' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l body -d 'The text itself' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l body-file -d 'File with the text; - for standard input' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l html -d 'File with the text in HTML; without a plain text of its own one is made from it' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l inline -d 'Picture for the HTML text, which names it as `cid:NAME` (its file name); repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l attach -d 'File to attach; its type and name for the recipient follow from its name unless they are given; - for standard input, together with --body, --body-file or --html; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l header -d 'Further header field; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l reply-to -d 'Where answers shall go; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l eml -d 'Ready messages, sent as they are to the recipients in their header unless --to, --cc or --bcc is given: a file with one, a mailbox file, a folder with files *.eml, a Maildir, or - for standard input; repeatable' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l server -d 'Mail server; an IPv6 address with a port stands in brackets; `lmtp:/path` is a unix socket that speaks LMTP [default: those of the recipients\' domains]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l port -d 'Port [default: 465 with --tls implicit, 587 with a login, 24 with --lmtp, else 25]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l account -d 'Account of ~/.config/smtp-send/config.toml or /etc/smtp-send/config.toml, whose keys are the long options [default: that of `SMTP_SEND_ACCOUNT`, else default]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l bind -d 'Address of this host to connect from' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy -d 'Proxy to go through, by SOCKS5 or by CONNECT of HTTP; it resolves the name of the server, and -4, -6 and --bind are for the way to it; `ALL_PROXY` and the like are not read' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-password-file -d 'File whose first line is the password for the proxy; nobody else may read it [default: `SMTP_PROXY_PASSWORD`, ~/.netrc or a prompt]' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-password-command -d 'Command that prints the password for the proxy' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-protocol -d 'Begin with the header of the PROXY protocol, as servers behind a load balancer demand it' -r -f -a "v1\t'A line of text'
v2\t'Binary'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-client -d 'Client to name in that header [default: this host]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l helo -d 'Name given in EHLO [default: the full name of this host, else its address]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l timeout -d 'Longest wait for one reply [default: as RFC 5321 recommends, 2 to 10 minutes]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l max-time -d 'Longest time for everything from connecting to the end' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l retry -d 'How often to try again what failed for now, after about 1, 2, 4... 300 seconds' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l retry-max-time -d 'Begin no further try later than this after the start; without --retry, try as often as that allows' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dns-server -d 'Name server to ask for the recipients\' servers; repeatable, or several with commas between them [default: those of /etc/resolv.conf]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l mta-sts-policy -d 'Policy of MTA-STS that holds for a domain, as it was fetched from there; repeatable [default domain: each]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls -d 'When to encrypt [default: auto]' -r -f -a "auto\t'From the first byte on port 465, elsewhere when the server offers STARTTLS'
starttls\t'STARTTLS, or nothing is sent'
implicit\t'TLS from the first byte'
off\t'Never'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-ca -d 'File with the certificates to trust, instead of those of this system' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-server-name -d 'Name that the certificate must carry [default: the host of --server]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-pin -d 'Key that the server must have, in place of a trusted issuer, a name and a date; with --tls-ca besides them; -v and --json show the one that it has; several with ; between them' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-client-cert -d 'File with our own certificate, for servers that know their clients by it' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-client-key -d 'File with its key, which nobody else may read [default: that of --tls-client-cert]' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l user -d 'Name to log in with; the password comes from `SMTP_PASSWORD`, one of the options below, ~/.netrc or a prompt' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l password-file -d 'File whose first line is the password; nobody else may read it' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l password-fd -d 'Open file descriptor to read the password from' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l password-command -d 'Command that prints the password' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l token-command -d 'Command that prints an OAuth 2.0 access token, for xoauth2 and oauthbearer' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l auth -d 'How to log in [default: the best that the server offers]' -r -f -a "plain\t'RFC 4616; the password goes to the server'
login\t'The same in two steps, for old servers'
cram-md5\t'RFC 2195; the password stays here, the server must know it'
scram-sha-256\t'RFC 7677; the password stays here, the server proves that it knows it'
scram-sha-256-plus\t'The same, worth nothing on any other TLS connection'
xoauth2\t'An access token, as Google and Microsoft expect it'
oauthbearer\t'RFC 7628; an access token'
external\t'RFC 4422; the server knows us already, by a certificate or a socket'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dsn-notify -d 'When the server shall report on the delivery: never, or a list of success, failure, delay' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dsn-ret -d 'What a report shall hold: the whole message or its header' -r -f -a "full\t'The whole message'
hdrs\t'Its header'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dsn-envid -d 'A name for this message that a report shall repeat' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l deliver-by -d 'When the message has to be delivered: after so many seconds it is reported as late, or comes back (DELIVERBY)' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l merge -d 'A message for each row of a table in CSV (- for standard input): the template with {column} in header fields and texts, to the address in the column email or to' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l merge-to -d 'The column with the address' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l merge-separator -d 'What stands between two columns: a character, or tab [default: ,]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l connections -d 'How many connections at once [default: 1]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l rate -d 'Send no faster than this, over all connections: so many messages a second, or N/min, N/h' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l journal -d 'File that keeps what was done, so that a run that was stopped goes on where it was' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l csv -d 'Report in CSV, a row for each recipient; - for standard output' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dkim-domain -d 'Domain to sign for; all three options belong together' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dkim-selector -d 'Name of the key: its public half is published at SELECTOR._domainkey.DOMAIN' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dkim-key -d 'File with the private key in PEM form, RSA or Ed25519; not for everybody to read' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l stop-after -d 'End the session after this step; nothing is delivered' -r -f -a "connect\t''
ehlo\t''
tls\t''
auth\t''
mail\t''
rcpt\t''"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dns-trust-ad -d 'Believe the name servers when they say that an answer is validated (DNSSEC), as those on this machine are believed; certificates named in DNS (DANE) then count'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l insecure -d 'Accept every certificate: encrypted, but with whom is not known'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l allow-cleartext-login -d 'Log in without TLS too, so that anybody on the way can read the password'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l lmtp -d 'Speak LMTP, which answers for each recipient after the message'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l require-tls -d 'Demand that every server on the way uses checked TLS (REQUIRETLS), or refuses'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l no-chunking -d 'Send by DATA even when the server offers CHUNKING, and files in base64 even when it offers BINARYMIME'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l queue -d 'In sendmail mode: keep what fails for now and try it again, by \'smtp-send queue run\''
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l resend-unknown -d 'Send again what may or may not have been delivered when a run was stopped'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l keep-going -d 'Leave out what cannot be sent, and send the rest; without this, nothing is sent then'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dry-run -d 'Print the message and send nothing'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l json -d 'Report as JSON, one object for each message'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s v -l verbose -d 'Show the dialogue with times on standard error'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s q -l quiet -d 'Print errors only'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s V -l version -d 'Print version'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -f -a "sendmail" -d 'Read a message as sendmail does'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -f -a "queue" -d 'Look after the queue of sendmail mode'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -f -a "account" -d 'Look after the accounts of config.toml'
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s f -d 'Where bounces go; \'\' for nowhere [default: envelope-from or from of the account, else the author]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s r -d 'Where bounces go; \'\' for nowhere [default: envelope-from or from of the account, else the author]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s F -d 'Your name, for a message without From' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s N -d 'Request delivery reports: never, or a list of success, failure, delay' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s R -d 'Content of a delivery report' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s V -d 'Identifier that a delivery report repeats' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -l account -d 'Account of ~/.config/smtp-send/config.toml or /etc/smtp-send/config.toml [default: SMTP_SEND_ACCOUNT, else default]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s t -d 'Also send to the addresses in To, Cc and Bcc, or in Resent-To, -Cc and -Bcc if the message has them'
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s i -d 'Do not end the message at a line with a single dot'
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -s v -d 'Show the dialogue on standard error'
complete -c smtp-send -n "__fish_seen_subcommand_from sendmail" -l queue -d 'Keep a message after a temporary failure and retry by smtp-send queue run; also a key of the account'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -s V -l version -d 'Print version'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -f -a "list" -d 'Show the messages that wait'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -f -a "run" -d 'Try the messages whose time has come; a timer does this'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -f -a "drop" -d 'Remove messages unsent'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -l give-up-after -d 'Turn what could not be sent for so many days into a dead letter' -r
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -l all -d 'Try all of them, whatever their time'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Show the dialogue with times on standard error'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print errors only'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from drop" -l all -d 'All of them'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and not __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and not __fish_seen_subcommand_from new" -s V -l version -d 'Print version'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and not __fish_seen_subcommand_from new" -f -a "new" -d 'Write a new account for an address; its domain says by SRV records which server takes its mail'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l name -d 'Name of the account [default: default, else the domain of the address]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l full-name -d 'Your own name, for From' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l server -d 'Server, in place of the one that the domain names' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l user -d 'Name to log in with [default: the address]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l password-command -d 'Command that prints the password; it is written into the account, and run whenever the account is used' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l tls-ca -d 'File with the certificates to trust, instead of those of this system' -r -F
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l dns-server -d 'Name server to ask, instead of those of this system' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l save-password -d 'Ask for the password and keep it in a file beside config.toml that only you can read'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l unchecked -d 'Write the account without connecting to the server'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -s v -l verbose -d 'Show the dialogue with times on standard error'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
