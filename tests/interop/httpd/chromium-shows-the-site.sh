# proves: Chromium shows the site of the README with its style and picture, and the listing of a folder
# needs: chromium python3
. "$HERE/lib.sh"
. "$HERE/httpd/chromium.bash"
require chromium python3

serve "$HERE/../../www"

browse --screenshot=page.png --window-size=390,844 "$URL/"
[[ $(stat -c %s page.png) -gt 10000 ]] || fail "the screenshot is nearly empty"
browse --dump-dom "$URL/hold/" >listing.html
grep -q '<bdi>bill of lading.txt</bdi>' listing.html || fail "the listing lacks a file: $(cat listing.html)"
# The script shows the filter box, so it ran and the Content-Security-Policy allows it.
grep -q '<input type="search"' listing.html && ! grep -q '<input type="search"[^>]*hidden' listing.html || fail "the script did not run"

sleep 1.2
for file in / /style.css /harbour.svg /hold/; do
    grep -qF "\"GET $file HTTP/1.1\" 200" access.log || fail "not fetched: $file in $(cat access.log)"
done
