# proves: when the system clock steps by days in both directions, Date follows, connections stay open, and no response is stale
# needs: faketime curl python3
. "$HERE/lib.sh"
require faketime curl python3
LIBRARY=$(dpkg -L libfaketime | grep '/libfaketimeMT.so' | head -1)
[[ -n $LIBRARY ]] || skip "no library libfaketimeMT"

mkdir site && echo one >site/a
PORT=$(free_port) URL=http://127.0.0.1:$PORT
echo "+0" >offset
# faketime reads the offset at every call from a file outside the root, so the sandbox is off.
LD_PRELOAD=$LIBRARY FAKETIME_TIMESTAMP_FILE=$PWD/offset FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
    "$BIN/httpd" --root site -b 127.0.0.1 -p "$PORT" --no-sandbox --workers 1 --access-log access.log 2>httpd.err &
cleanup "end $!"
wait_for_port "$PORT"

python3 - "$PORT" <<'PYTHON' || fail "$(cat httpd.err)"
import calendar, email.utils, http.client, sys, time

def seconds(text):
    return calendar.timegm(email.utils.parsedate(text))

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)

def get(content, fields={}):
    connection.request("GET", "/a", headers=fields)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 304 or body == content, (response.status, body, content)
    return response

content = b"one\n"
get(content)
socket = connection.sock
for number, days in enumerate([3, -400, 0, 3650, 0]):
    with open("offset", "w") as out:
        out.write(f"{days:+}d\n")
    response = get(content)
    date = seconds(response.headers["Date"])
    assert abs(date - (time.time() + days * 86400)) < 5, (days, response.headers["Date"])
    # RFC 9110, section 8.8.2.1: not later than the time of the response.
    assert seconds(response.headers.get("Last-Modified", response.headers["Date"])) <= date, response.headers
    tag = response.headers["ETag"]
    assert get(None, {"If-None-Match": tag}).status == 304
    content = b"two %d\n" % number
    with open("site/a", "wb") as out:
        out.write(content)
    assert get(content, {"If-None-Match": tag}).status == 200
    # The same length, written in place.
    content = content.replace(b"two", b"too")
    with open("site/a", "wb") as out:
        out.write(content)
    get(content)
assert connection.sock is socket, "the connection was closed when the clock stepped"
PYTHON
