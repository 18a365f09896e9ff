# proves: curl downloads files, resumes a download, revalidates with an ETag, and requests several ranges
# needs: curl python3
. "$HERE/lib.sh"
require curl python3

mkdir site
head -c 5000000 /dev/urandom >site/big
echo "hello" >site/hello.txt
serve site

curl -sS --fail -o whole "$URL/big" && cmp whole site/big
equal "$(curl -sS -o /dev/null -w '%{http_code} %{num_connects}' "$URL/hello.txt")" "200 1" "one request"
equal "$(curl -sS -o /dev/null -o /dev/null -w '%{num_connects}' "$URL/hello.txt" "$URL/big")" "10" "connections of two requests"

head -c 1234567 site/big >part
curl -sS --fail -C - -o part "$URL/big" && cmp part site/big

curl -sS --fail --etag-save tag -o first "$URL/hello.txt"
equal "$(curl -sS --etag-compare tag -o again -w '%{http_code}' "$URL/hello.txt")" 304 "an unchanged file"
sleep 0.01 && echo "hello again" >site/hello.txt
equal "$(curl -sS --etag-compare tag -w '%{http_code}' "$URL/hello.txt")" $'hello again\n200' "a changed file"
equal "$(curl -sS -o /dev/null -w '%{http_code}' -z "$(date -uR -d '+1 hour')" "$URL/hello.txt")" 304 "If-Modified-Since"

curl -sS --fail -r 0-9,100-109 "$URL/big" >ranges
[[ $(grep -ac '^Content-Range: bytes' ranges) -eq 2 ]] || fail "not two parts: $(cat ranges)"

equal "$(curl -sS -I -o /dev/null -w '%{http_code}' "$URL/big")" 200 HEAD
equal "$(curl -sS --http1.0 "$URL/hello.txt")" "hello again" "HTTP/1.0"
equal "$(curl -sS --path-as-is -o /dev/null -w '%{http_code}' "$URL/../../etc/passwd")" 400 "a path above the root"
equal "$(curl -sS -X DELETE -o /dev/null -w '%{http_code}' "$URL/hello.txt")" 405 DELETE
equal "$(curl -sS -T site/big -o /dev/null -w '%{http_code}' "$URL/new" 2>/dev/null)" 405 "an upload of 5 MB"
