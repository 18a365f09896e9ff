# proves: tar and bsdtar unpack the archive of a folder with the contents, names, modes and times of the original
# needs: curl tar libarchive-tools diffutils python3
. "$HERE/lib.sh"
require curl tar bsdtar diff python3

mkdir -p site/tree/empty "site/tree/$(printf 'deep/%.0s' {1..40})"
python3 - <<'PY'
import os, random
random.seed(7)
for number in range(300):
    folder = f"site/tree/f{number % 17}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{'n' * (number % 180)}{number}", "wb") as file:
        file.write(random.randbytes(random.choice([0, 1, 511, 512, 513, 4096, 16384, 16385, 200000])))
os.makedirs(b"site/tree/odd")
for name in [b"not \xff utf-8", "Grüße".encode(), b"line\nbreak", b"-dash", b"quote\"'", b" space ", b"n" * 255]:
    open(b"site/tree/odd/" + name, "wb").write(name)
os.chmod("site/tree/f1", 0o755)
PY
echo '#!/bin/sh' >site/tree/run && chmod 755 site/tree/run
echo end >"site/tree/$(printf 'deep/%.0s' {1..40})end"
list() { (cd "$1" && find tree -printf '%y %m %Ts %p\0' | sort -z | tr '\0\n' '\n?'); }
serve site
for reader in tar bsdtar; do
    for version in --http1.0 --http1.1; do
        rm -rf out && mkdir out
        curl -sS -f "$version" "$URL/tree/?download=tar" | $reader -x -f - -C out
        diff -r --no-dereference site/tree out/tree || fail "$reader $version: contents differ"
        equal "$(list out)" "$(list site)" "$reader $version: names, modes and times"
    done
done
[[ -x out/tree/run ]] || fail "the execute permission is missing"
# Sizes above 8 GiB: a sparse file, of which the header is read.
mkdir site/huge && truncate -s 9G site/huge/hole
for reader in tar bsdtar; do
    listed=$( (curl -sS "$URL/huge/?download=tar" 2>/dev/null || true) | head -c 3000 | $reader -tvf - 2>/dev/null || true)
    [[ $listed == *9663676416*huge/hole* ]] || fail "$reader reads another size: $listed"
done
# The file name in Content-Disposition.
curl -sS -O -J "$URL/tree/?download=tar" && [[ -s tree.tar ]] || fail "curl did not save tree.tar"
