# proves: a phone can read the QR code of the banner from a real terminal, a dark one and a light one
# needs: xterm xvfb imagemagick zbar-tools fonts-dejavu-core xauth python3 x11-utils
. "$HERE/lib.sh"
require xterm Xvfb import zbarimg python3

mkdir site && echo x >site/index.html
PORT=$(free_port)
export DISPLAY=:$((PORT % 20000 + 100))
Xvfb "$DISPLAY" -screen 0 1000x900x24 -nolisten tcp >xvfb.log 2>&1 &
cleanup "end $!"
for ((tries = 0; tries < 200; tries++)); do xdpyinfo >/dev/null 2>&1 && break; sleep 0.05; done
for colors in "white black" "black white"; do
    read -r ink paper <<<"$colors"
    for wish in auto never; do
        xterm -fa 'DejaVu Sans Mono' -fs 10 -fg "$ink" -bg "$paper" -geometry 110x52 -e bash -c \
            "echo \$\$ >pid; exec '$BIN/httpd' --root site --port $PORT --access-log off --qr --color $wish" 2>xterm.log &
        terminal=$!
        cleanup "kill \$(<pid); end $terminal"
        wait_for_port "$PORT"
        found=
        # The window has still to be drawn.
        for ((tries = 0; tries < 60 && ${#found} == 0; tries++)); do
            import -window root screen.png && found=$(zbarimg -q --raw screen.png 2>/dev/null || true)
            sleep 0.1
        done
        # The end of a terminal is no end for a server; see SIGHUP.
        kill "$(<pid)"
        end "$terminal"
        [[ $found == http://*:$PORT/ && $found != *127.0.0.1* && $found != *localhost* ]] ||
            fail "on $paper with --color $wish: read '$found'"
        echo "on $paper, --color $wish: $found"
        for ((tries = 0; tries < 100; tries++)); do (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || break; sleep 0.05; done
    done
done
