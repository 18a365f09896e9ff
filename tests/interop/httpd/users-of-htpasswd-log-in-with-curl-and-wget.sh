# proves: users made by htpasswd -B log in with curl and wget, changes of the file apply at once, other schemes are refused
# needs: apache2-utils curl wget python3
. "$HERE/lib.sh"
require htpasswd curl wget python3

mkdir site site/sub
echo hello >site/hello.txt
echo deep >site/sub/deep.txt
htpasswd -Bbc users ann 'päss wörd' 2>/dev/null
htpasswd -Bb -C 12 users bob secret 2>/dev/null
serve site --auth-file users --log-format combined
status() { curl -sS -o answer -w '%{http_code}' "$@" "$URL/hello.txt"; }

equal "$(status)" 401 "without a login"
equal "$(status -u 'ann:päss wörd')" 200 "status for ann"
equal "$(cat answer)" hello "file for ann"
equal "$(status -u bob:secret)" 200 "status for bob, bcrypt cost 12"
equal "$(status -u bob:wrong)" 401 "a wrong password"
equal "$(status --anyauth -u bob:secret)" 200 "curl --anyauth"
# wget sends credentials after the first 401.
wget -q -r -np -nH -P copy --user bob --password secret "$URL/" || fail "wget cannot log in"
cmp copy/sub/deep.txt site/sub/deep.txt || fail "the file of wget differs"

# bcrypt runs for the first request only.
urls=()
for _ in {1..100}; do urls+=(-o /dev/null "$URL/hello.txt"); done
start=$(date +%s%N)
curl -sS --fail -u bob:secret "${urls[@]}" || fail "100 requests of bob"
took=$((($(date +%s%N) - start) / 1000000))
[[ $took -lt 2000 ]] || fail "100 requests took $took ms"

htpasswd -b -B users eve new 2>/dev/null
htpasswd -D users ann 2>/dev/null
eve_can_log_in() { [[ $(status -u eve:new) == 200 ]]; }
wait_until 10 eve_can_log_in || fail "an added user cannot log in"
equal "$(status -u 'ann:päss wörd')" 401 "status for a removed user"

end "$HTTPD_PID"
[[ $(awk '$9 == 200 {print $3}' access.log | sort -u | tr '\n' ' ') == "ann bob eve " ]] || fail "users in the log: $(cat access.log)"
for option in -m -s -d -p -5; do
    htpasswd "$option" -bc other ann secret 2>/dev/null || continue
    code=0
    "$BIN/httpd" --auth-file other site 2>errors || code=$?
    equal "$code $(wc -l <errors)" "2 1" "a file of htpasswd $option"
    grep -q 'line 1: the password of ann is .*; only bcrypt is supported; create one with: htpasswd -B' errors || fail "$(cat errors)"
done
