# proves: the three Debian packages install by apt, run, are found by man and bash, ping works for everybody, removal leaves nothing
# needs: lintian man-db libcap2-bin bash-completion ca-certificates dpkg-dev apt xz-utils
# needs-cargo: cargo-deb
. "$HERE/lib.sh"
require cargo-deb lintian man
[[ $EUID -eq 0 ]] || skip "only root can install packages"

# The programs are those that were built for the other cases.
for program in httpd smtp-send ping; do
    (cd "$HERE/../.." && CARGO_TARGET_DIR=$(dirname "$BIN") cargo deb --quiet --no-build --fast -p "$program" -o "$TMP/debs/") >/dev/null
done
# There is no bug of Debian's to close, and bash-completion itself has the file of the usual place for ping.
lintian --allow-root --no-cfg --fail-on error,warning \
    --suppress-tags initial-upload-closes-no-bugs,package-installs-into-obsolete-dir debs/*.deb || fail "lintian"

# What follows happens in a view of this machine that is gone with it.
cp "$HERE/packages/inside.bash" .
chmod -R go+rX debs
mkdir nothing
timeout 100 unshare --mount --pid --fork --kill-child "$HERE/layered.sh" "$TMP/nothing" "$TMP" bash "$TMP/inside.bash" "$TMP/debs"
