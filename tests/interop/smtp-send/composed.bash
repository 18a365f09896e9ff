# Composed messages of every kind, for the cases that parse them. Sourced after lib.sh.
# shellcheck shell=bash

# start_saving_server KEYWORD...: starts a mail server that saves messages in the folder saved; sets PORT and SAVER.
start_saving_server() {
    PORT=$(free_port)
    rm -rf saved
    mkdir saved
    python3 "$HERE/smtp-send/saving-server.py" "$PORT" saved "$@" 2> saver.log &
    SAVER=$!
    cleanup "kill $SAVER 2> /dev/null"
    wait_for_port "$PORT"
}

make_files() {
    head -c 100000 /dev/urandom > 'Übersicht "2026".pdf'
    head -c 1000 /dev/urandom > 'the logo.png'
    printf 'a,b\r\n1,2\n' > table.csv
    printf 'Hello Bob,\n\nthis is a text.\n.\n-- \nAnn\n' > plain.txt
    printf 'Grüße aus Köln, hier ist alles in Ordnung.\n.Punkt\n' > german.txt
    python3 -c 'print("日本語の文章です。" * 200)' > japanese.txt
    python3 -c 'print("a long line " * 200)' > long.txt
    printf '<!doctype html>\n<html><head><title>News</title></head><body><h1>Grüße</h1><p>Hello <b>Bob</b>, see <a href="https://example.com/?a=1&amp;b=2">our site</a>.</p></body></html>\n' > news.html
    printf 'Grüße\n\nHello Bob, see our site.\n' > news.txt
    python3 -c 'print("Wörter " * 900)' > pictures.txt
    printf '<!doctype html>\n<html><body><p>%s</p><img src="cid:the%%20logo.png" alt="Logo"></body></html>\n' "$(cat pictures.txt)" > pictures.html
    : > empty.txt
}

# send_every_kind: sends a message of each kind; line n of the file kinds names the n-th one.
send_every_kind() {
    : > kinds
    compose 'plain' --body-file plain.txt
    compose 'German' --body-file german.txt
    compose 'Japanese' --body-file japanese.txt
    compose 'a long line' --body-file long.txt
    compose 'an empty text' --body-file empty.txt
    compose 'attachments' --body-file german.txt --attach 'Übersicht "2026".pdf' --attach 'table.csv;name=a rather long name, so long that it cannot be written on a single line of a header field.csv'
    compose 'HTML' --html news.html
    compose 'HTML with a text' --html news.html --body-file news.txt
    compose 'HTML with a picture' --html pictures.html --inline 'the logo.png'
    compose 'HTML with everything' --html pictures.html --inline 'the logo.png' --body-file pictures.txt --attach table.csv
}

compose() {
    local kind=$1
    shift
    echo "$kind" >> kinds
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --helo me.example.org --from 'Jörg Müller <me@example.org>' \
        --to '"Bob, Jr." <bob@example.com>' --cc 'Ann <ann@example.com>' --bcc secret@example.com \
        --subject 'Grüße: ein Betreff, der so lang ist, dass er nicht auf eine einzige Zeile passt' \
        --reply-to answers@example.org --header 'List-Unsubscribe: <mailto:leave@example.org>' "$@" \
        > report 2> errors < /dev/null || fail "$kind: exit $?: $(cat errors)"
    [ ! -s errors ] || fail "$kind: standard error is not empty: $(cat errors)"
}
