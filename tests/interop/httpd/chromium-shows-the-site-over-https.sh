# proves: Chromium trusts the self-signed certificate by its key, follows the redirect to HTTPS, and shows the site
# needs: chromium openssl python3
. "$HERE/lib.sh"
. "$HERE/httpd/chromium.bash"
require chromium openssl python3

REDIRECT=$(free_port)
serve "$HERE/../../www" --bind 127.0.0.1 --tls-self-signed --redirect-http "$REDIRECT"
key=$(openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null | openssl x509 -pubkey -noout |
    openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
printed=$(sed -n 's/.*certificate SHA-256 //p' httpd.err)
equal "$(openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 |
    cut -d= -f2)" "$printed" "fingerprint"

browse --ignore-certificate-errors-spki-list="$key" --dump-dom "http://127.0.0.1:$REDIRECT/hold/" >listing.html
grep -q '<bdi>bill of lading.txt</bdi>' listing.html || fail "the listing lacks a file: $(cat listing.html)"
browse --ignore-certificate-errors-spki-list="$key" --screenshot=page.png --window-size=390,844 "https://127.0.0.1:$PORT/"
[[ $(stat -c %s page.png) -gt 10000 ]] || fail "the screenshot is nearly empty"
sleep 1.2
for line in '"GET /hold/ HTTP/1.1" 308' '"GET /hold/ HTTP/1.1" 200' '"GET /style.css HTTP/1.1" 200'; do
    grep -qF "$line" access.log || fail "not in the log: $line: $(cat access.log)"
done
