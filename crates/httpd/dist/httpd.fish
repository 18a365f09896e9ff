complete -c httpd -l root -d 'Folder to serve, or one file' -r -F
complete -c httpd -s p -l port -d 'Port to listen on; 0 takes any free one and prints it. Default: 6789, or on a terminal the next free one' -r
complete -c httpd -s b -l bind -d 'Address to listen on: `IP`, `localhost`, `:PORT`, `ADDRESS:PORT`, `[IPv6]:PORT` or `unix:PATH`; may be repeated. Default: all of IPv4 and IPv6, or the sockets of systemd socket activation' -r
complete -c httpd -l socket-mode -d 'Permissions of unix sockets; connecting takes the right to write' -r
complete -c httpd -l tls-cert -d 'Serve HTTPS with the certificate in FILE (PEM, its issuers behind it), read again when it changes. Unix sockets stay in clear. A browser that shall never come back in clear is told so by --header \'Strict-Transport-Security: max-age=31536000\'' -r -F
complete -c httpd -l tls-key -d 'The private key of the certificate (PEM, not encrypted). Default: the file of --tls-cert' -r -F
complete -c httpd -l redirect-http -d 'Answer HTTP on this port with a redirect to HTTPS' -r
complete -c httpd -l public-port -d 'The HTTPS port that clients see, if a router or a container maps it to another one; used in redirects' -r
complete -c httpd -l index -d 'File that stands for its folder; may be repeated, the first one found wins' -r
complete -c httpd -l spa -d 'Answer unknown paths with FILE and 200, except those with the extension of a known file type. A name with a dot gets it only if the client names text/html in Accept, as browsers do' -r
complete -c httpd -l symlinks -d 'Which symbolic links are followed' -r -f -a "inside\t'Those that stay beneath the root'
any\t'All of them, wherever they lead'
none\t'None: a path with a link in it does not exist'"
complete -c httpd -l header -d 'Add a field to every answer; may be repeated' -r
complete -c httpd -l cache -d 'Cache-Control by path, such as \'/assets/**=max-age=31536000, immutable\'; may be repeated, the last one that fits wins. Default: no-cache' -r
complete -c httpd -l mime -d 'Content type by extension, file name or glob, such as \'foo=text/x-foo\' or \'*.d.ts=text/plain\'; may be repeated, the last one that fits wins' -r
complete -c httpd -l default-type -d 'Content type of files whose type is unknown. Default: application/octet-stream' -r
complete -c httpd -l encoded -d 'Files that end in .br, .gz or .zst and are sent as what they contain, with Content-Encoding, such as \'Build/**\' of Unity; may be repeated' -r
complete -c httpd -l cache-memory -d 'Memory for small files and compressed text, in MiB' -r
complete -c httpd -l access-log -d 'Where the access log goes: a file, - for standard output, or off. Default: standard output, with -q off' -r
complete -c httpd -l log-format -d 'Form of the access log. Default: dev on a terminal, else combined' -r -f -a "dev\t'Short, for people who watch'
combined\t'Combined Log Format'
common\t'Common Log Format'
json\t'One JSON object per line'"
complete -c httpd -l max-connections -d 'Connections at once; at the limit idle ones are closed, else new ones are answered with 503. Default: 16384' -r
complete -c httpd -l max-per-ip -d 'Connections at once from one address. Default: 1024, loopback not counted' -r
complete -c httpd -l header-timeout -d 'Seconds a client has for the head of a request' -r
complete -c httpd -l idle-timeout -d 'Seconds a connection may be idle between two requests' -r
complete -c httpd -l min-rate -d 'Bytes a second a client must take of an answer, measured over 20 seconds' -r
complete -c httpd -l trust-proxy -d 'Address or network of proxies in front, or unix for those that come by a unix socket; may be repeated. The client that they name in X-Forwarded-For, else Forwarded, is that of the log, the limits and the login' -r
complete -c httpd -l auth-file -d 'Ask for a login; the users are those of this htpasswd file with bcrypt hashes, made by \'htpasswd -B\'. It is read again when it changes. bcrypt looks at the first 72 bytes of a password' -r -F
complete -c httpd -l auth -d 'Ask for a login; this is the only user. The password is that of HTTPD_PASSWORD, else it is asked for' -r
complete -c httpd -l health -d 'Answer this path with 200 while all is well, with 503 once a stop was asked for; open to everybody, also beside a login' -r
complete -c httpd -l metrics -d 'Answer this path with what was counted, in the text format of Prometheus' -r
complete -c httpd -l drain -d 'Seconds to go on serving after a stop was asked for, so that a balancer that asks for --health looks elsewhere first' -r
complete -c httpd -l stop-timeout -d 'Time for responses to finish after a stop was requested; what takes longer is cut and logged, and the exit code is 3' -r
complete -c httpd -l limit-rate -d 'Bytes a second each connection is sent at most, such as 500K or 2M (K, M and G count by 1024). Default: no limit' -r
complete -c httpd -l workers -d 'Workers. Default: as many as cores; with 1, requests are handled strictly one at a time' -r
complete -c httpd -l user -d 'User to become once the port is bound and the log is open: a name or number, with `:GROUP` for another group' -r
complete -c httpd -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set and not empty or `TERM` is `dumb`'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c httpd -l tls-self-signed -d 'Serve HTTPS with a certificate made at the start for the names and addresses of this host; its fingerprint is printed'
complete -c httpd -l no-listing -d 'Answer 404 instead of listing a folder'
complete -c httpd -l clean-urls -d 'Serve about.html at /about, and redirect /about.html and /about/ to it'
complete -c httpd -l hidden -d 'Also serve files whose names begin with a dot'
complete -c httpd -l cors -d 'Let pages of other origins read everything'
complete -c httpd -l cross-origin-isolated -d 'Isolate the pages from other origins, as shared memory and precise timers need it'
complete -c httpd -l no-precompressed -d 'Do not use .br, .zst and .gz files that lie beside a file'
complete -c httpd -l compress -d 'Compress text of 1 KiB to 8 MiB by gzip, once for each version of a file; compressed files beside it win'
complete -c httpd -l proxy-protocol -d 'Those proxies begin each connection with a PROXY header, version 1 or 2; nobody else may connect'
complete -c httpd -l log-health -d 'Write health checks to the access log as well'
complete -c httpd -l no-sandbox -d 'Do not confine the process to the root by Landlock'
complete -c httpd -l live-reload -d 'Reload pages in the browser when a file below the root changes'
complete -c httpd -l open -d 'Open the site in a browser ($BROWSER, else xdg-open)'
complete -c httpd -l qr -d 'On a terminal, show a QR code of an address under which other machines reach this one'
complete -c httpd -s q -l quiet -d 'Say less: no banner, no access log on standard output, errors only'
complete -c httpd -s v -l verbose -d 'Say more; may be repeated'
complete -c httpd -s h -l help -d 'Print help (see more with \'--help\')'
complete -c httpd -s V -l version -d 'Print version'
