# Sendmail mode with an account for a mail server of the case, sourced by the cases.
#
#   start_receiver             starts a mail server that saves messages and envelopes in $RECEIVED; sets $PORT
#   make_home [LINE...]        makes a home with further lines in the default account; sets $HOME and $SENDMAIL
#   received N TEXT FIELD=...  compares message N with a text and header fields
#   envelope N LINE            compares sender and recipients of message N
#   dead_letters               prints the names of all dead letters
#   wait_for_message N         waits until message N is there

RECEIVED=$TMP/received

start_receiver() {
    PORT=$(free_port)
    mkdir -p "$RECEIVED"
    python3 "$HERE/smtp-send/receiving-server.py" "$PORT" "$RECEIVED" > "$TMP/receiver.log" 2>&1 &
    cleanup "end $!"
    wait_for_port "$PORT"
}

make_home() {
    export HOME=$TMP/home
    unset XDG_CONFIG_HOME XDG_STATE_HOME SMTP_SEND_ACCOUNT SMTP_PASSWORD
    SENDMAIL=$HOME/sendmail
    mkdir -p "$HOME/.config/smtp-send"
    ln -sf "$BIN/smtp-send" "$SENDMAIL"
    {
        echo '[account.default]'
        echo "server = '127.0.0.1:$PORT'"
        printf '%s\n' "$@"
    } > "$HOME/.config/smtp-send/config.toml"
    chmod 600 "$HOME/.config/smtp-send/config.toml"
}

received() {
    local number=$1
    shift
    [ -f "$RECEIVED/$number.eml" ] || fail "no message $number: $(cat "$TMP/receiver.log")"
    python3 "$HERE/smtp-send/compare-received.py" "$RECEIVED/$number.eml" "$@" || fail "message $number differs"
}

envelope() { equal "$(cat "$RECEIVED/$1.envelope")" "$2" "envelope of message $1"; }

wait_for_message() { wait_until 20 test -f "$RECEIVED/$1.envelope"; }

dead_letters() { find "$HOME/.local/state" -type f 2> /dev/null || true; }
