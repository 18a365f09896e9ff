# proves: apt-get updates from an unsigned repository, installs from it, revalidates the index, and finds a new version
# needs: apt apt-utils dpkg gzip python3
. "$HERE/lib.sh"
require apt-get apt-ftparchive dpkg-deb dpkg gzip python3

# publish VERSION: builds a package of one file and the index of the repository.
publish() {
    mkdir -p pkg/DEBIAN pkg/usr/share/hello-example site/pool
    echo "$1" >pkg/usr/share/hello-example/version
    printf 'Package: hello-example\nVersion: %s\nArchitecture: all\nMaintainer: Ann <ann@example.com>\nDescription: a test\n' \
        "$1" >pkg/DEBIAN/control
    dpkg-deb --root-owner-group --build pkg "site/pool/hello-example_$1_all.deb" >/dev/null
    (cd site && apt-ftparchive packages pool >Packages && gzip -9nkf Packages && rm -f Release &&
        apt-ftparchive release . >../Release && mv ../Release Release)
}

# apt and dpkg with separate folders, so that the machine does not change.
mkdir -p root/var/lib/dpkg/{info,updates} apt/{lists/partial,archives/partial,parts}
touch root/var/lib/dpkg/{status,available}
publish '1.0~rc+1'
sleep 2 # HTTP dates have whole seconds, so a file can be "not modified" only after the second of its last change.
serve site
echo "deb [trusted=yes] $URL ./" >apt/sources.list
cat >apt.conf <<EOF
Dir::Etc "$TMP/apt";
Dir::Etc::Parts "$TMP/apt/parts";
Dir::Etc::SourceList "$TMP/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "$TMP/apt";
Dir::State::Lists "$TMP/apt/lists";
Dir::State::Status "$TMP/root/var/lib/dpkg/status";
Dir::Cache "$TMP/apt";
Dir::Log "$TMP/apt";
DPkg::Options { "--root=$TMP/root"; "--log=$TMP/dpkg.log"; "--force-not-root"; "--force-unsafe-io"; };
APT::Architecture "$(dpkg --print-architecture)";
APT::Sandbox::User "";
Acquire::http::Proxy "DIRECT";
EOF
export APT_CONFIG=$TMP/apt.conf DEBIAN_FRONTEND=noninteractive
update() { apt-get update >update.out 2>&1 || fail "update: $(cat update.out)"; }
install() { apt-get install -y hello-example >install.out 2>&1 || fail "install: $(cat install.out)"; }

update
grep -q '^Get:.* Packages' update.out || fail "the index was not fetched: $(cat update.out)"
install
equal "$(cat root/usr/share/hello-example/version)" '1.0~rc+1' "installed version"

update
grep -q '^Hit:' update.out || fail "the index was fetched twice: $(cat update.out)"

publish 1.1
update
install
equal "$(cat root/usr/share/hello-example/version)" 1.1 "installed version after an update"
end "$HTTPD_PID"
grep -q '"GET /./Release HTTP/1.1" 304' access.log || fail "no response was 304: $(cat access.log)"
