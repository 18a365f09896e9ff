# proves: apt installs the three packages, the programs run, man and bash find their files, all users can ping, removal leaves no file
# needs: lintian man-db libcap2-bin bash-completion ca-certificates dpkg-dev apt xz-utils
# needs-cargo: cargo-deb
. "$HERE/lib.sh"
require cargo-deb lintian man
[[ $EUID -eq 0 ]] || skip "only root can install packages"

# The packages contain the programs that run built.
for program in httpd smtp-send ping; do
    (cd "$HERE/../.." && CARGO_TARGET_DIR=$(dirname "$BIN") cargo deb --quiet --no-build --fast -p "$program" -o "$TMP/debs/") >/dev/null
done
# No Debian bug is closed, and bash-completion has a file for ping in the usual folder.
lintian --allow-root --no-cfg --fail-on error,warning \
    --suppress-tags initial-upload-closes-no-bugs,package-installs-into-obsolete-dir debs/*.deb || fail "lintian"

# Installs in a copy-on-write view of this machine.
cp "$HERE/packages/install-and-remove.bash" .
chmod -R go+rX debs
mkdir nothing
timeout 100 unshare --mount --pid --fork --kill-child "$HERE/layered.sh" "$TMP/nothing" "$TMP" bash "$TMP/install-and-remove.bash" "$TMP/debs"
