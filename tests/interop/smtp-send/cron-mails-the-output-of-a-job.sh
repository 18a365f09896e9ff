# proves: Debian's cron mails the output of a job, with umlauts, through /usr/sbin/sendmail and the account of the system
# needs: cron python3 util-linux
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
make_home "from = 'Machine <machine@example.org>'"

# First the command line of cron, without cron.
printf 'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@here> true\nX-Cron-Env: <SHELL=/bin/sh>\n\nGrüße\n' > mail
"$SENDMAIL" -FCronDaemon -i -B8BITMIME -oem root < mail > output 2>&1 || fail "exit $?: $(cat output)"
[ -s output ] && fail "output is not empty: $(cat output)"
printf 'Grüße\n' > text
received 1 text 'Subject=Cron <root@here> true'
grep -q '^From: root@example.org (Cron Daemon)' "$RECEIVED/1.eml" || fail "$(head -5 "$RECEIVED/1.eml")"
envelope 1 'machine@example.org root@example.org'

[[ $EUID -eq 0 ]] || skip 'only root can run cron in a mount namespace'
# cron in a mount namespace with its own /etc, spool and /usr/sbin/sendmail: "@reboot" jobs run at once. The user of the job
# has no account, so that of the system is used.
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
unshare --mount --pid --fork --kill-child sh inside > cron.log 2>&1 &
cleanup "end_layered $!"
wait_for_message 2 || fail "cron has sent no mail: $(cat cron.log) $(find empty -type f)"
printf 'Grüße aus der Nacht\n' > text
received 2 text
envelope 2 'machine@example.org root@example.org'
grep -q '^Subject: Cron <.*=?utf-8?' "$RECEIVED/2.eml" || fail "$(head -20 "$RECEIVED/2.eml")"
