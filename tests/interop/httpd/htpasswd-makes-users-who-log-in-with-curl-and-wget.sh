# proves: users made by htpasswd -B log in with curl and wget, changes of the file count at once, its other schemes are refused
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
equal "$(status -u 'ann:päss wörd')" 200 "the password of ann"
equal "$(cat answer)" hello "what ann gets"
equal "$(status -u bob:secret)" 200 "the password of bob, at a cost of 12"
equal "$(status -u bob:wrong)" 401 "a wrong password"
equal "$(status --anyauth -u bob:secret)" 200 "curl asks which scheme is wanted"
# wget sends nothing until it is asked, and is asked once for the whole of its visit.
wget -q -r -np -nH -P copy --user bob --password secret "$URL/" || fail "wget is not let in"
cmp copy/sub/deep.txt site/sub/deep.txt || fail "wget has another file"

# The first visit costs a check by bcrypt, the next hundred none.
urls=()
for _ in {1..100}; do urls+=(-o /dev/null "$URL/hello.txt"); done
start=$(date +%s%N)
curl -sS --fail -u bob:secret "${urls[@]}" || fail "a hundred files"
took=$((($(date +%s%N) - start) / 1000000))
[[ $took -lt 2000 ]] || fail "a hundred files took $took ms"

htpasswd -b -B users eve new 2>/dev/null
htpasswd -D users ann 2>/dev/null
for ((tries = 0; tries < 100; tries++)); do
    [[ $(status -u eve:new) == 200 ]] && break
    sleep 0.1
done
equal "$(status -u eve:new)" 200 "a user who is new"
equal "$(status -u 'ann:päss wörd')" 401 "a user who is gone"

end "$HTTPD_PID"
[[ $(awk '$9 == 200 {print $3}' access.log | sort -u | tr '\n' ' ') == "ann bob eve " ]] || fail "the log: $(cat access.log)"
for option in -m -s -d -p -5; do
    htpasswd "$option" -bc other ann secret 2>/dev/null || continue
    code=0
    "$BIN/httpd" --auth-file other site 2>refusal || code=$?
    equal "$code $(wc -l <refusal)" "2 1" "a file of htpasswd $option"
    grep -q 'line 1: the password of ann is .*; only bcrypt is supported; create one with: htpasswd -B' refusal || fail "$(cat refusal)"
done
