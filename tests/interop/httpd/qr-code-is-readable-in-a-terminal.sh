# proves: zbar reads the QR code of the banner from a screenshot of a dark and of a light terminal
# needs: xterm xvfb imagemagick zbar-tools fonts-dejavu-core xauth python3 x11-utils
. "$HERE/lib.sh"
require xterm Xvfb import zbarimg python3

mkdir site && echo x >site/index.html
PORT=$(free_port)
is_closed() { ! is_listening "$PORT"; }
export DISPLAY=:$((PORT % 20000 + 100))
Xvfb "$DISPLAY" -screen 0 1000x900x24 -nolisten tcp >xvfb.log 2>&1 &
cleanup "end $!"
wait_until 10 xdpyinfo >/dev/null 2>&1 || fail "Xvfb does not start: $(cat xvfb.log)"
for colors in "white black" "black white"; do
    read -r foreground background <<<"$colors"
    for color in auto never; do
        xterm -fa 'DejaVu Sans Mono' -fs 10 -fg "$foreground" -bg "$background" -geometry 110x52 -e bash -c \
            "echo \$\$ >pid; exec '$BIN/httpd' --root site --port $PORT --access-log off --qr --color $color" 2>xterm.log &
        terminal=$!
        cleanup "kill \$(<pid); end $terminal"
        wait_for_port "$PORT"
        found=
        for ((tries = 0; tries < 60 && ${#found} == 0; tries++)); do
            import -window root screen.png && found=$(zbarimg -q --raw screen.png 2>/dev/null || true)
            sleep 0.1
        done
        # SIGHUP reopens the log, so the end of the terminal does not stop httpd.
        kill "$(<pid)"
        end "$terminal"
        [[ $found == http://*:$PORT/ && $found != *127.0.0.1* && $found != *localhost* ]] ||
            fail "on $background with --color $color: read '$found'"
        echo "on $background, --color $color: $found"
        wait_until 5 is_closed || fail "the server still listens"
    done
done
