# proves: the service and the socket of the package start under systemd, serve, log, reload and stop, without capabilities, under seccomp
# needs: systemd systemd-container
. "$HERE/lib.sh"
require systemd-nspawn
[[ $EUID -eq 0 ]] || skip "only root can boot a container"

# Control groups of this case only, so that two cases can run at once.
groups=()
for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [[ -w $root/cgroup.procs ]] && mkdir "$root/interop-$$" 2>/dev/null && groups+=("$root/interop-$$")
done
[[ ${#groups[@]} -gt 0 ]] || skip_for_kernel "no control groups"
cleanup "find ${groups[*]} -depth -type d -exec rmdir {} ';' 2>/dev/null"

cp "$HERE/../../crates/httpd/dist/debian/httpd.service" "$HERE/../../crates/httpd/dist/debian/httpd.socket" "$HERE/../../crates/httpd/dist/debian/httpd.default" "$BIN/httpd" .
cat >probe.service <<'END'
[Unit]
Wants=httpd.service
After=httpd.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/bash /probe
StandardOutput=file:/probed/log
StandardError=file:/probed/log
END
cat >probe <<'END'
echo started
for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/6789) 2>/dev/null && break || sleep 0.05; done
exec 3<>/dev/tcp/127.0.0.1/6789
printf 'GET / HTTP/1.0\r\n\r\n' >&3
tail -n 1 <&3
grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$(systemctl show -p MainPID --value httpd)/status
systemctl reload httpd && echo reloaded
sleep 0.2
systemctl is-active httpd
systemctl stop httpd
systemctl show -p Result -p ExecMainStatus httpd
systemctl start httpd.socket
systemctl is-active httpd >/dev/null && echo "too early"
exec 3<>/dev/tcp/127.0.0.1/80
printf 'GET /?by-socket HTTP/1.0\r\n\r\n' >&3
tail -n 1 <&3
echo "by socket: $(systemctl is-active httpd)"
systemctl stop httpd.socket httpd
journalctl -q -u httpd -o cat --no-pager
END
cat >boot <<'END'
set -e
mount -t tmpfs run /run
for group in "$@"; do echo $$ >"$group/cgroup.procs"; done
mkdir layer probed && mount -t tmpfs layer layer && mkdir layer/upper layer/work layer/root
mount -t overlay overlay -o lowerdir=/,upperdir=layer/upper,workdir=layer/work layer/root
root=layer/root
cp httpd $root/usr/bin/httpd && chmod 755 $root/usr/bin/httpd
cp httpd.service httpd.socket probe.service $root/etc/systemd/system && cp probe $root/probe
sed 's/OPTIONS="/&-v /' httpd.default >$root/etc/default/httpd
rm -rf $root/var/www/html && mkdir -p $root/var/www/html && echo hello >$root/var/www/html/index.html
# systemd-nspawn blocks the system calls of Landlock by default.
exec timeout 50 systemd-nspawn -q --register=no --keep-unit --boot --private-network --link-journal=no -D $root \
    --bind="$PWD/probed:/probed" --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
    systemd.unit=probe.service
END
unshare --mount --pid --fork --kill-child bash boot "${groups[@]}" >boot.log 2>&1 </dev/null || true
[[ -f probed/log ]] || skip_for_kernel "no container boots: $(tail -n 1 boot.log)"

cat probed/log
for line in 'hello' 'CapEff:.0000000000000000' 'CapBnd:.0000000000000000' 'NoNewPrivs:.1' 'Seccomp:.2' 'reloaded' 'active' \
    'Result=success' 'by socket: active' '.*"GET /?by-socket HTTP/1.0" 200 .*' 'ExecMainStatus=0' '.*Landlock: reads /var/www/html.*' '.*"GET / HTTP/1.0" 200 .*'; do
    grep -qx -- "$line" probed/log || fail "no line '$line'"
done
# The range of dynamic users of systemd.
uid=$(awk '/^Uid:/ {print $2}' probed/log)
((uid >= 61184 && uid <= 65519)) || fail "not a dynamic user: $uid"
grep -q 'openat2 is not available' probed/log || fail "openat2 is available, so the fallback was not tested"
