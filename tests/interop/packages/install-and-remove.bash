# Installs the packages of a folder, tests and removes them: install-and-remove.bash FOLDER. It changes the machine.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
debs=$1

fail() {
    echo "failed: $*"
    exit 1
}

as_user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# apt removes iputils-ping first, because the packages conflict.
apt-get install -y -qq --no-install-recommends --allow-downgrades -o Dpkg::Use-Pty=0 "$debs"/*.deb >apt.log 2>&1 ||
    fail "apt: $(tail -20 apt.log)"
hash -r

echo "programs"
[[ $(command -v httpd smtp-send ping | tr '\n' ' ') == "/usr/bin/httpd /usr/bin/smtp-send /usr/bin/ping " ]] || fail "not in PATH"
mkdir site && echo hello >site/index.html
httpd --root site --port 0 --bind 127.0.0.1 >access.log 2>httpd.err &
server=$!
for _ in $(seq 100); do grep -q 'http://' httpd.err && break || sleep 0.05; done
port=$(sed -n 's/.*http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' httpd.err)
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET / HTTP/1.0\r\n\r\n' >&3
grep -q hello <&3 || fail "httpd: $(cat httpd.err)"
kill "$server" && wait "$server" || fail "httpd: exit code $?"

[[ $(getcap /usr/bin/ping) == "/usr/bin/ping cap_net_raw=ep" ]] || fail "capability: $(getcap /usr/bin/ping)"
for name in ping ping4; do as_user $name -c 1 127.0.0.1 >/dev/null || fail "$name does not work for all users"; done

mkdir -p home/.config/smtp-send
cp /usr/share/doc/smtp-send/examples/config.toml home/.config/smtp-send
HOME=$PWD/home smtp-send --to bob@example.com --subject Hi --body Hi --dry-run >message || fail "the sample account is invalid"
grep -q '^From: Ann Example' message || fail "the sample account is not used: $(cat message)"
/usr/lib/smtp-send/sendmail --help | grep -q '^Usage: sendmail' || fail "sendmail"

echo "man pages"
for page in 8/httpd 1/smtp-send 8/ping 8/ping4 8/ping6; do
    [[ $(man -w "${page%/*}" "${page#*/}") == /usr/share/man/man${page%/*}/*.gz ]] || fail "man does not find $page"
    man --warnings -P cat "${page%/*}" "${page#*/}" 2>&1 >text | grep . && fail "man reports warnings for $page"
    grep -q '^OPTIONS' text || fail "no options in $page"
done

echo "completions"
for program in httpd smtp-send ping; do
    function=$(bash -c '. /usr/share/bash-completion/bash_completion
        complete -p "$1" 2>/dev/null || { _completion_loader "$1"; complete -p "$1"; }' bash "$program")
    [[ $function == *"-F _${program//-/__} "* ]] || fail "bash completes $program by '$function'"
    [[ -f /usr/share/zsh/vendor-completions/_$program && -f /usr/share/fish/vendor_completions.d/$program.fish ]] ||
        fail "completions of $program"
done

echo "service"
# systemd-analyze also checks that the program and the man page exist.
systemd-analyze verify /usr/lib/systemd/system/httpd.{service,socket} >verify 2>&1 || fail "unit: $(cat verify)"
[[ -s verify ]] && fail "unit: $(cat verify)"
for unit in system/smtp-send-queue@root.service system/smtp-send-queue@root.timer user/smtp-send-queue.timer; do
    file=/usr/lib/systemd/${unit/@root/@}
    [[ -f $file ]] || fail "no unit $file"
done
systemd-analyze verify /usr/lib/systemd/system/smtp-send-queue@.service /usr/lib/systemd/system/smtp-send-queue@.timer >verify 2>&1 ||
    fail "queue units: $(cat verify)"
[[ -s verify ]] && fail "queue units: $(cat verify)"
systemd-analyze security --offline=true --threshold=15 /usr/lib/systemd/system/httpd.service >security ||
    fail "unit: $(tail -1 security)"

echo "removal"
owned=$(dpkg -L httpd-rs smtp-send ping-rs | sort -u)
dpkg --purge httpd-rs smtp-send ping-rs >purge.log 2>&1 || fail "$(cat purge.log)"
for path in $owned; do
    [[ -f $path || -L $path ]] && [[ ! -d $path ]] && fail "$path was not removed"
done
[[ -d /usr/share/doc/httpd-rs || -d /usr/lib/smtp-send ]] && fail "folders were not removed"
exit 0
