# proves: git send-email sends 30 patches with umlauts through sendmail mode, and git am restores the same commits
# needs: git-email python3
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
PATH=/usr/bin:$PATH # the git of the package git-email
make_home "from = 'ann@example.org'"
git config --global user.name 'Ann Example'
git config --global user.email ann@example.org
git config --global init.defaultBranch main
git config --global sendemail.smtpServer "$SENDMAIL"
git config --global sendemail.confirm never

git init -q one
git -C one commit -q --allow-empty -m 'Begin'
for number in $(seq 30); do
    printf 'Zeile %s: Grüße\n.\n..\nFrom here\n' "$number" >> one/text
    [ "$number" = 7 ] && printf 'a\rb' >> one/text
    git -C one add text
    git -C one commit -q --author 'Jörg Müller <joerg@example.org>' -m "Änderung $number" -m "Mit einem Satz darüber, € $number."
done
git -C one format-patch -q -30 -o "$TMP/patches"
(cd one && git send-email --quiet --8bit-encoding=UTF-8 --to 'Bob Ü <bob@example.com>' --cc list@example.com "$TMP"/patches/*.patch) \
    > output 2> errors || fail "exit $?: $(tail -5 errors)"
[ -s errors ] && fail "standard error is not empty: $(cat errors)"
equal "$(find "$RECEIVED" -name '*.eml' | wc -l)" 30 'messages'
for number in $(seq 30); do
    envelope "$number" 'ann@example.org bob@example.com list@example.com joerg@example.org'
done
equal "$(dead_letters)" '' 'dead letters'

# This version of git am requires LF.
for number in $(seq 30); do
    python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().replace(b"\r\n", b"\n"))' \
        < "$RECEIVED/$number.eml" > "$number.mbox"
done
git init -q two
git -C two commit -q --allow-empty -m 'Begin'
(cd two && git am -q $(seq -f "$TMP/%g.mbox" 30)) > am 2>&1 || fail "git am: $(tail -5 am)"
equal "$(git -C two rev-parse 'HEAD^{tree}')" "$(git -C one rev-parse 'HEAD^{tree}')" 'files'
# The dates of the commits differ.
log() { git -C "$1" log --max-count=30 --format='%an <%ae> %B'; }
equal "$(log two)" "$(log one)" 'history'

code=0
(cd one && git send-email --quiet --to refused@example.com "$TMP"/patches/0001-*.patch) > output 2> errors || code=$?
[ $code -ne 0 ] || fail 'git send-email succeeds for a refused patch'
grep -q '550 5.1.1' errors || fail "git does not show the reply: $(cat errors)"
[ "$(dead_letters | wc -l)" = 1 ] || fail "dead letters: $(dead_letters)"
