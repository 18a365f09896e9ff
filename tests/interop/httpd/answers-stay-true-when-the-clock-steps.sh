# proves: when the wall clock steps by days in both directions, Date follows, nobody is cut off, and no answer is stale
# needs: faketime curl python3
. "$HERE/lib.sh"
require faketime curl python3
LIBRARY=$(dpkg -L libfaketime | grep '/libfaketimeMT.so' | head -1)
[[ -n $LIBRARY ]] || skip "no library of faketime"

mkdir site && echo one >site/a
PORT=$(free_port) URL=http://127.0.0.1:$PORT
echo "+0" >offset
# Its offset is read from a file at every call, outside the root; hence without the sandbox.
LD_PRELOAD=$LIBRARY FAKETIME_TIMESTAMP_FILE=$PWD/offset FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
    "$BIN/httpd" --root site -b 127.0.0.1 -p "$PORT" --no-sandbox --workers 1 --access-log access.log 2>httpd.err &
cleanup "end $!"
wait_for_port "$PORT"

python3 - "$PORT" <<'PYTHON' || fail "$(cat httpd.err)"
import calendar, email.utils, http.client, sys, time

def seconds(text):
    return calendar.timegm(email.utils.parsedate(text))

kept = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)

def get(content, fields={}):
    kept.request("GET", "/a", headers=fields)
    answer = kept.getresponse()
    body = answer.read()
    assert answer.status == 304 or body == content, (answer.status, body, content)
    return answer

content = b"one\n"
get(content)
socket = kept.sock
for number, days in enumerate([3, -400, 0, 3650, 0]):
    with open("offset", "w") as out:
        out.write(f"{days:+}d\n")
    answer = get(content)
    date = seconds(answer.headers["Date"])
    assert abs(date - (time.time() + days * 86400)) < 5, (days, answer.headers["Date"])
    # RFC 9110 section 8.8.2.1: never later than the time of the answer.
    assert seconds(answer.headers.get("Last-Modified", answer.headers["Date"])) <= date, answer.headers
    tag = answer.headers["ETag"]
    assert get(None, {"If-None-Match": tag}).status == 304
    content = b"two %d\n" % number
    with open("site/a", "wb") as out:
        out.write(content)
    assert get(content, {"If-None-Match": tag}).status == 200
    # The same length, in place: only a look at the file tells.
    content = content.replace(b"two", b"too")
    with open("site/a", "wb") as out:
        out.write(content)
    get(content)
assert kept.sock is socket, "the connection was closed by a step of the clock"
PYTHON
