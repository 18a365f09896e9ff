# proves: wget mirrors a site by its pages and listings, resumes a download, and fetches no unchanged file
# needs: wget python3
. "$HERE/lib.sh"
require wget python3

mkdir -p "site/a folder/deep"
echo '<a href="a%20folder/">folder</a>' >site/index.html
echo one >"site/a folder/file 1.txt"
echo zwei >"site/a folder/Ümlaut.txt"
head -c 300000 /dev/urandom >"site/a folder/deep/100%.bin"
serve site

wget -q --recursive --level=5 --no-parent --no-host-directories --reject 'index.html*' -P mirror "$URL/" ||
    fail "wget: exit code $?"
diff -r --exclude index.html site mirror || fail "the mirror differs"
# The server writes its log at least once a second.
sleep 1.2
grep -q 'GET [^ ]*?' access.log && fail "wget pressed a button of a listing: $(grep 'GET [^ ]*?' access.log)"
for file in file%201.txt %C3%9Cmlaut.txt deep/100%25.bin; do
    equal "$(grep -cF "\"GET /a%20folder/$file HTTP/1.1\"" access.log)" 1 "requests for $file"
done

head -c 100000 "site/a folder/deep/100%.bin" >100%.bin
wget -q -c "$URL/a%20folder/deep/100%25.bin" && cmp 100%.bin "site/a folder/deep/100%.bin"
grep -q '"GET /a%20folder/deep/100%25.bin HTTP/1.1" 206 200000' <(sleep 1.2 && cat access.log) || fail "not resumed"

wget -q -N "$URL/a%20folder/file%201.txt"
wget -N "$URL/a%20folder/file%201.txt" 2>again.out || fail "wget: exit code $?: $(cat again.out)"
grep -qE "304 Not Modified|not modified" again.out || fail "fetched twice: $(cat again.out)"
