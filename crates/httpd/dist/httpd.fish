complete -c httpd -l root -d 'Folder to serve, or one file' -r -F
complete -c httpd -s p -l port -d 'Port, 0 for any free one [default: 6789]' -r
complete -c httpd -s b -l bind -d 'Address or unix:PATH; repeatable [default: all]' -r
complete -c httpd -l socket-mode -d 'Permissions of unix sockets; clients need write permission' -r
complete -c httpd -l tls-cert -d 'Serve HTTPS with this certificate (PEM)' -r -F
complete -c httpd -l tls-key -d 'Private key of the certificate, in PEM without a password [default: the file of --tls-cert]' -r -F
complete -c httpd -l redirect-http -d 'Redirect HTTP on this port to HTTPS' -r
complete -c httpd -l public-port -d 'HTTPS port in redirects, if a router or container maps it to another one' -r
complete -c httpd -l index -d 'File that is served for its folder; repeatable, the first one found wins' -r
complete -c httpd -l spa -d 'Serve FILE for unknown paths [default: index.html]' -r
complete -c httpd -l symlinks -d 'Symbolic links to follow' -r -f -a "inside\t'Links within the root'
any\t'All links'
none\t'No links: a path with a link is 404'"
complete -c httpd -l header -d 'Add a field to every response; repeatable' -r
complete -c httpd -l cache -d 'Cache-Control by path; repeatable, the last match wins [default: no-cache]' -r
complete -c httpd -l mime -d 'Content type by extension, file name or glob; repeatable, the last match wins' -r
complete -c httpd -l default-type -d 'Content type of files of unknown type [default: application/octet-stream]' -r
complete -c httpd -l encoded -d 'Send files that end in .br, .gz or .zst with Content-Encoding, such as \'Build/**\' of Unity; repeatable' -r
complete -c httpd -l cache-memory -d 'Memory for small files and compressed text, in MiB' -r
complete -c httpd -l max-connections -d 'Maximum number of connections [default: 16384]' -r
complete -c httpd -l max-per-ip -d 'Maximum number of connections per address [default: 1024, none for loopback]' -r
complete -c httpd -l header-timeout -d 'Time for the head of a request' -r
complete -c httpd -l idle-timeout -d 'Idle time of a connection between two requests' -r
complete -c httpd -l min-rate -d 'Minimum rate at which a client must read a response, in bytes per second over 20 seconds' -r
complete -c httpd -l trust-proxy -d 'Trusted proxies: an address, a network, or unix; repeatable' -r
complete -c httpd -l auth-file -d 'Require a login; users in a htpasswd file' -r -F
complete -c httpd -l auth -d 'Require a login of this user' -r -f -a "(__fish_complete_users)"
complete -c httpd -l health -d 'Path of the health check: 200, or 503 after a stop was requested; without a login' -r
complete -c httpd -l metrics -d 'Path of the metrics, in the text format of Prometheus' -r
complete -c httpd -l drain -d 'Time of serving after a stop was requested, in which --health is 503' -r
complete -c httpd -l stop-timeout -d 'Time for responses to finish after a stop was requested' -r
complete -c httpd -l limit-rate -d 'Maximum rate of a connection, in bytes per second, such as 500K or 2M' -r
complete -c httpd -l workers -d 'Number of workers; with 1, requests are handled one at a time [default: number of cores]' -r
complete -c httpd -l user -d 'User after the start, by name or number, with :GROUP for another group' -r -f -a "(__fish_complete_users)"
complete -c httpd -l access-log -d 'Access log; - is standard output [default: -]' -r -F
complete -c httpd -l log-format -d 'Format of the access log [default: dev on a terminal, else combined]' -r -f -a "dev\t'Short, for a terminal'
combined\t'Combined Log Format'
common\t'Common Log Format'
json\t'One JSON object per line'"
complete -c httpd -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set and not empty or `TERM` is `dumb`'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c httpd -l tls-self-signed -d 'Make a certificate and print its fingerprint'
complete -c httpd -l no-listing -d 'Respond with 404 instead of listing a folder'
complete -c httpd -l clean-urls -d 'Serve about.html at /about, and redirect /about.html and /about/ to it'
complete -c httpd -l hidden -d 'Serve dot-files too'
complete -c httpd -l cors -d 'Let pages of other origins read everything'
complete -c httpd -l cross-origin-isolated -d 'Isolate pages from other origins, for shared memory and precise timers'
complete -c httpd -l no-precompressed -d 'Do not use the .br, .zst and .gz files beside a file'
complete -c httpd -l compress -d 'Compress text by gzip'
complete -c httpd -l proxy-protocol -d 'Require a PROXY header (version 1 or 2) at the start of connections; only trusted proxies may connect'
complete -c httpd -l log-health -d 'Write health checks to the access log too'
complete -c httpd -l no-sandbox -d 'Do not restrict the process to the root by Landlock'
complete -c httpd -l live-reload -d 'Reload pages in browsers when a file changes'
complete -c httpd -l open -d 'Open the site in a browser ($BROWSER, else xdg-open)'
complete -c httpd -l qr -d 'Show a QR code with an address for other devices'
complete -c httpd -s q -l quiet -d 'No banner, no access log on standard output, errors only'
complete -c httpd -s v -l verbose -d 'More messages; repeatable'
complete -c httpd -s h -l help -d 'Print help (see more with \'--help\')'
complete -c httpd -s V -l version -d 'Print version'
