# proves: rclone reads names and sizes from the listings of httpd and copies a folder without differences
# needs: rclone python3
. "$HERE/lib.sh"
require rclone python3

mkdir -p "site/a folder/deep & low" site/empty
echo one >"site/a folder/file 1.txt"
echo two >"site/a folder/Ümlaut #2 (50%).txt"
echo three >"site/a folder/deep & low/it's \"quoted\" + <tagged>;=@~.txt"
head -c 3000000 /dev/urandom >"site/a folder/deep & low/big.bin"
: >site/nothing
for number in {1..300}; do echo "$number" >"site/a folder/n$number"; done
serve site
export RCLONE_CONFIG=$TMP/rclone.conf
touch rclone.conf

rclone lsf -R --files-only --format sp --http-url "$URL/" :http: | sort >listed
(cd site && find . -type f -printf '%s;%P\n' | sort) >expected
diff expected listed || fail "the listing differs"
rclone copy --http-url "$URL/" :http: copy || fail "rclone: exit code $?"
rmdir site/empty # rclone does not copy empty folders.
diff -r site copy || fail "the copy differs"
rclone check --download --http-url "$URL/" :http: site 2>check.out || fail "check: $(cat check.out)"
grep -q ' 0 differences found' check.out || fail "check: $(cat check.out)"
