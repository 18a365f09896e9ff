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

complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l to -d 'Recipient, `a@b` or `Name <a@b>`; repeatable' -r -f
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l cc -d 'Recipient of a copy; repeatable' -r -f
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l bcc -d 'Recipient of a blind copy, not named in the message; repeatable' -r -f
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l from -d 'Author [default: the user at this host]' -r -f
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l envelope-from -d 'Envelope sender, which receives bounces; \'\' for none [default: the address of --from]' -r -f
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s s -l subject -d 'Subject, in any script' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l body -d 'Text of the message' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l body-file -d 'File with the text; - for standard input' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l html -d 'File with the text in HTML' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l inline -d 'Image of the HTML text, referenced as `cid:NAME` (its file name); repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l attach -d 'File to attach; repeatable' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l header -d 'Additional header field; repeatable' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l reply-to -d 'Address for replies; repeatable' -r -f
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l eml -d 'Complete messages, sent to the recipients in their header' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l server -d 'Mail server [default: mail exchangers of each domain]' -r -f -a "(__fish_print_hostnames)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l port -d 'Port [default: 465 with --tls implicit, 587 with a login, 24 with --lmtp, else 25]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l account -d 'Account in config.toml [default: default]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l bind -d 'Local address to connect from' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy -d 'Proxy (SOCKS5 or HTTP CONNECT); the proxy resolves the name of the server, and -4, -6 and --bind apply to the connection to the proxy; `ALL_PROXY` and `HTTP_PROXY` are not read' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-password-file -d 'File whose first line is the password for the proxy, readable only by its owner [default: `SMTP_PROXY_PASSWORD`, ~/.netrc or a prompt]' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-password-command -d 'Command that prints the password for the proxy' -r -f -a "(__fish_complete_command)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-protocol -d 'Begin the connection with a PROXY protocol header, which servers behind a load balancer require' -r -f -a "v1\t'The text format'
v2\t'The binary format'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l proxy-client -d 'Client address in the PROXY protocol header [default: the local address]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l helo -d 'Name in EHLO [default: the full name of this host, else its address]' -r -f -a "(__fish_print_hostnames)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l timeout -d 'Timeout of one reply [default: 2 to 10 minutes, as RFC 5321 recommends]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l max-time -d 'Time limit of the whole run' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l retry -d 'Retries after temporary failures' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l retry-max-time -d 'Start no retry later than this after the start; without --retry, the number of retries is unlimited' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dns-server -d 'Name server for MX, address and TLSA records; repeatable, or separated by commas [default: those of /etc/resolv.conf]' -r -f -a "(__fish_print_hostnames)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l mta-sts-policy -d 'MTA-STS policy file of a domain; repeatable [default domain: every domain]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls -d 'Use of TLS [default: auto]' -r -f -a "auto\t'Implicit on port 465, otherwise STARTTLS if the server offers it'
starttls\t'Require STARTTLS'
implicit\t'TLS from the first byte'
off\t'Never'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-ca -d 'File with the trusted certificates' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-server-name -d 'Name that the certificate must contain [default: the host of --server]' -r -f -a "(__fish_print_hostnames)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-pin -d 'Required public key of the server, checked in place of issuer, name and validity; with --tls-ca, in addition to them; -v and --json show the key of the server; several are separated by ;' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-client-cert -d 'File with a client certificate' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l tls-client-key -d 'File with the key of the client certificate, readable only by its owner [default: the file of --tls-client-cert]' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l user -d 'User name for authentication' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l password-file -d 'File with the password, readable only by its owner' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l password-fd -d 'Open file descriptor to read the password from' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l password-command -d 'Command that prints the password' -r -f -a "(__fish_complete_command)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l token-command -d 'Command that prints an OAuth 2.0 access token, for xoauth2 and oauthbearer' -r -f -a "(__fish_complete_command)"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l auth -d 'SASL mechanism [default: the strongest that the server offers]' -r -f -a "plain\t'RFC 4616; sends the password to the server'
login\t'PLAIN in two steps, for old servers'
cram-md5\t'RFC 2195; proves knowledge of the password without sending it'
scram-sha-256\t'RFC 7677; client and server prove knowledge of the password'
scram-sha-256-plus\t'SCRAM-SHA-256 bound to the TLS connection'
xoauth2\t'OAuth 2.0 access token, for Google and Microsoft'
oauthbearer\t'RFC 7628; OAuth 2.0 access token'
external\t'RFC 4422; the client certificate or the socket authenticates the client'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dsn-notify -d 'Events for which the server sends a delivery report: never, or a list of success, failure, delay' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dsn-ret -d 'Content of a delivery report: the whole message or its header' -r -f -a "full\t'The whole message'
hdrs\t'Its header'"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dsn-envid -d 'Identifier of the message, repeated in delivery reports' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l deliver-by -d 'Time limit of the delivery, after which the message is reported as delayed or returned (DELIVERBY)' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l merge -d 'A message for each row of a table' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l merge-to -d 'The column with the address' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l merge-separator -d 'Separator of columns: a character, or tab [default: ,]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l connections -d 'Number of simultaneous connections [default: 1]' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l rate -d 'Maximum rate over all connections: messages per second, or N/min, N/h' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l journal -d 'File that records the results, so that an interrupted run can be continued' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l csv -d 'Report in CSV, one row for each recipient; - for standard output' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dkim-domain -d 'Signing domain; requires the other two options' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dkim-selector -d 'Selector: the public key is published at SELECTOR._domainkey.DOMAIN' -r
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dkim-key -d 'File with the private key in PEM format (RSA or Ed25519), not readable by others' -r -F
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l stop-after -d 'End the session after this step, without delivery' -r -f -a "connect\t''
ehlo\t''
tls\t''
auth\t''
mail\t''
rcpt\t''"
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dns-trust-ad -d 'Trust the AD bit of the name servers (DNSSEC), as that of local ones is trusted, and use TLSA records (DANE)'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l insecure -d 'Accept every certificate'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l allow-cleartext-login -d 'Log in even without TLS; the password can then be read on the network'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l lmtp -d 'Use LMTP, which has a reply for each recipient after the message'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l require-tls -d 'Require authenticated TLS from every server that relays the message (REQUIRETLS)'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l no-chunking -d 'Do not use CHUNKING and BINARYMIME'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l queue -d 'In sendmail mode: queue messages after temporary failures, for \'smtp-send queue run\''
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l resend-unknown -d 'Send messages with an unknown result again'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l keep-going -d 'Skip messages that cannot be sent; without this option one such message stops the run before anything is sent'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l dry-run -d 'Print the message and send nothing'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -l json -d 'Report in JSON, one object for each message'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s v -l verbose -d 'Show the SMTP dialogue with times on standard error'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s q -l quiet -d 'Print errors only'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -s V -l version -d 'Print version'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -f -a "sendmail" -d 'Read a message as sendmail does'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -f -a "queue" -d 'Manage the queue of sendmail mode'
complete -c smtp-send -n "not __fish_seen_subcommand_from sendmail queue account" -f -a "account" -d 'Manage the accounts of config.toml'
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
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -f -a "list" -d 'List the queued messages'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -f -a "run" -d 'Send the messages that are due; run by a timer'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and not __fish_seen_subcommand_from list run drop" -f -a "drop" -d 'Remove messages without sending them'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -l give-up-after -d 'Move a message to the dead letters after so many days in the queue' -r
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -l all -d 'Send all queued messages, also those not yet due'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Show the SMTP dialogue with times on standard error'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print errors only'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from drop" -l all -d 'All messages'
complete -c smtp-send -n "__fish_seen_subcommand_from queue; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and not __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and not __fish_seen_subcommand_from new" -s V -l version -d 'Print version'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and not __fish_seen_subcommand_from new" -f -a "new" -d 'Write a new account for an address; SRV records of its domain name the submission server'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l name -d 'Name of the account [default: default, else the domain of the address]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l full-name -d 'Your own name, for From' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l server -d 'Submission server [default: the one in the SRV records]' -r -f -a "(__fish_print_hostnames)"
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l user -d 'User name [default: the address]' -r
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l password-command -d 'Command that prints the password, written into the account and run at each use' -r -f -a "(__fish_complete_command)"
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l tls-ca -d 'File with the trusted certificates, in place of those of this system' -r -F
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l dns-server -d 'Name server, in place of those of this system' -r -f -a "(__fish_print_hostnames)"
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l save-password -d 'Ask for the password and save it in a file beside config.toml, readable only by its owner'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -l unchecked -d 'Write the account without connecting to the server'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -s v -l verbose -d 'Show the SMTP dialogue with times on standard error'
complete -c smtp-send -n "__fish_seen_subcommand_from account; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
