# proves: Debian's cron mails the output of a job through /usr/sbin/sendmail with the account of the whole system, umlauts and all
# needs: cron python3 util-linux
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
make_home "from = 'Machine <machine@example.org>'"

# The form in which cron calls it, first without cron.
printf 'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@here> true\nX-Cron-Env: <SHELL=/bin/sh>\n\nGrüße\n' > mail
"$SENDMAIL" -FCronDaemon -i -B8BITMIME -oem root < mail > output 2>&1 || fail "exit $?: $(cat output)"
[ -s output ] && fail "words: $(cat output)"
printf 'Grüße\n' > text
arrived 1 text 'Subject=Cron <root@here> true'
grep -q '^From: root@example.org (Cron Daemon)' "$RECEIVED/1.eml" || fail "$(head -5 "$RECEIVED/1.eml")"
envelope 1 'machine@example.org root@example.org'

[[ $EUID -eq 0 ]] || skip 'only root can run cron apart from this machine'
# cron itself, in a view of this machine where /etc, its spool and /usr/sbin/sendmail are ours: jobs "@reboot" run at once, and
# the account is that of the system, for the job's user has none.
mkdir crontabs run sbin over empty
cp -a /usr/sbin/. sbin/ && ln -sf "$BIN/smtp-send" sbin/sendmail
cat > inside <<END
set -e
mount -t tmpfs tmpfs "$TMP/over"
mkdir "$TMP/over/upper" "$TMP/over/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$TMP/over/upper,workdir=$TMP/over/work" /etc
mkdir -p /etc/smtp-send
cp "$HOME/.config/smtp-send/config.toml" /etc/smtp-send/config.toml
printf 'MAILTO=root\nHOME=$TMP/empty\nLC_ALL=C.UTF-8\n@reboot root echo "Grüße aus der Nacht"\n' > /etc/crontab
mount --bind "$TMP/run" /run
mount --bind "$TMP/crontabs" /var/spool/cron
mkdir -p /var/spool/cron/crontabs
mount --bind "$TMP/sbin" /usr/sbin
exec "$TMP/sbin/cron" -f
END
# unshare passes over SIGTERM; with it ends all that it began.
unshare --mount --pid --fork --kill-child sh inside > cron.log 2>&1 &
cleanup "end_layered $!"
for tries in $(seq 200); do [ -f "$RECEIVED/2.envelope" ] && break; sleep 0.1; done
[ -f "$RECEIVED/2.envelope" ] || fail "cron has mailed nothing: $(cat cron.log) $(find empty -type f)"
printf 'Grüße aus der Nacht\n' > text
arrived 2 text
envelope 2 'machine@example.org root@example.org'
grep -q '^Subject: Cron <.*=?utf-8?' "$RECEIVED/2.eml" || fail "$(head -20 "$RECEIVED/2.eml")"
