# A home with the release binary under the name of sendmail and an account for a receiver of its own, sourced by the cases.
#
#   start_receiver            starts it; messages and envelopes come into $RECEIVED; sets $PORT
#   make_home [LINE...]       makes a home with these further lines in the default account; sets $HOME and $SENDMAIL
#   arrived N TEXT FIELD=...  compares message N with a text and with fields
#   envelope N LINE           demands this sender and these recipients of message N
#   letters                   the names of all dead letters

RECEIVED=$TMP/received

start_receiver() {
    PORT=$(free_port)
    mkdir -p "$RECEIVED"
    python3 "$HERE/smtp-send/receiver.py" "$PORT" "$RECEIVED" > "$TMP/receiver.log" 2>&1 &
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

arrived() {
    local number=$1
    shift
    [ -f "$RECEIVED/$number.eml" ] || fail "message $number has not arrived: $(cat "$TMP/receiver.log")"
    python3 "$HERE/smtp-send/arrived.py" "$RECEIVED/$number.eml" "$@" || fail "message $number differs"
}

envelope() { equal "$(cat "$RECEIVED/$1.envelope")" "$2" "envelope of message $1"; }

letters() { find "$HOME/.local/state" -type f 2> /dev/null || true; }
