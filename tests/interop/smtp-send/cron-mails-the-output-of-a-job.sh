# proves: Debian's cron mails the output of a job through the program, under the name /usr/sbin/sendmail
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
# cron itself, in a view of this machine where its spool and /usr/sbin/sendmail are ours: jobs "@reboot" run at once.
mkdir crontabs run sbin etc
cp -a /usr/sbin/. sbin/ && ln -sf "$BIN/smtp-send" sbin/sendmail
printf 'MAILTO=root\nHOME=%s\nLC_ALL=C.UTF-8\n@reboot root echo "Grüße aus der Nacht"\n' "$HOME" > etc/crontab
cat > inside <<END
mount --bind "$TMP/run" /run
mount --bind "$TMP/crontabs" /var/spool/cron
mount --bind "$TMP/sbin" /usr/sbin
touch "$TMP/etc/crontab"
[ -e /etc/crontab ] || exit 77
mount --bind "$TMP/etc/crontab" /etc/crontab
mkdir -p /var/spool/cron/crontabs
export HOME=$HOME
exec "$TMP/sbin/cron" -f
END
unshare --mount --pid --fork --kill-child sh inside > cron.log 2>&1 &
cleanup "kill -KILL $! 2> /dev/null"
for tries in $(seq 200); do [ -f "$RECEIVED/2.envelope" ] && break; sleep 0.1; done
[ -f "$RECEIVED/2.envelope" ] || fail "cron has mailed nothing: $(cat cron.log) $(letters)"
printf 'Grüße aus der Nacht\n' > text
arrived 2 text
envelope 2 'machine@example.org root@example.org'
grep -q '^Subject: Cron <' "$RECEIVED/2.eml" || fail "$(head -20 "$RECEIVED/2.eml")"
