# proves: with --live-reload Chromium reloads a changed page, applies new styles without a reload, and reconnects after a restart
# needs: chromium chromium-driver python3 python3-venv
# needs-pip: selenium
. "$HERE/lib.sh"
. "$HERE/httpd/chromium.bash"
require_selenium

mkdir -p site/sub
page() {
    printf '<!doctype html><title>%s</title><link rel="stylesheet" href="/style.css"><body><h1>%s</h1></body>' "$1" "$1"
}
page first >site/index.html
echo 'h1 { color: rgb(1, 2, 3) }' >site/style.css
echo a >site/sub/a
serve site --live-reload
PYTHONPATH=$HERE/httpd python3 - "$URL" "$HTTPD_PID" "$BIN" <<'EOF'
import os
import signal
import socket
import subprocess
import sys
import time

import chromium

url, pid, program = sys.argv[1], int(sys.argv[2]), sys.argv[3]
port = url.split(":")[-1]
COLOR = "return getComputedStyle(document.querySelector('h1')).color"
browser = chromium.start()


def wait(description, check):
    """Waits until the check passes; nothing in this script reloads the page."""
    end, error = time.monotonic() + 15, None
    while time.monotonic() < end:
        try:
            if check():
                return
        except Exception as failure:  # The page may be loading.
            error = failure
        time.sleep(0.05)
    raise SystemExit(f"failed: {description}: {error}; the page is {browser.page_source}")


def write(name, text):
    with open(f"site/{name}.new", "w") as file:
        file.write(text)
    os.rename(f"site/{name}.new", f"site/{name}")


def page(title):
    return f'<!doctype html><title>{title}</title><link rel="stylesheet" href="/style.css"><body><h1>{title}</h1></body>'


def is_closed():
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) != 0


try:
    browser.get(url)
    assert browser.title == "first"
    for number in range(5):
        write("index.html", page(f"version {number}"))
        wait(f"version {number} is shown", lambda: browser.title == f"version {number}")
    browser.execute_script("window.mark = 'not reloaded'")
    # Written in place: a new file beside it would cause a reload.
    with open("site/style.css", "w") as file:
        file.write("h1 { color: rgb(4, 5, 6) }")
    wait("the new colour is shown", lambda: browser.execute_script(COLOR) == "rgb(4, 5, 6)")
    assert browser.execute_script("return window.mark") == "not reloaded"
    # A page whose own policy allows scripts and connections of its origin only, below a base element.
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'self'\">"
    write("policy.html", f"<!doctype html><title>one</title><head>{policy}<base href='/sub/'></head><body></body>")
    browser.get(url + "/policy.html")
    write("policy.html", f"<!doctype html><title>two</title><head>{policy}<base href='/sub/'></head><body></body>")
    wait("the page with a policy is reloaded", lambda: browser.title == "two")
    # A page that does not exist yet, as while a site is built.
    browser.get(url + "/later.html")
    write("later.html", page("built"))
    wait("the missing page is shown once it is built", lambda: browser.title == "built")
    # The Content-Security-Policy of the listing allows the script as part of the site.
    browser.get(url + "/sub/")
    with open("site/sub/later.txt", "w") as file:
        file.write("later")
    wait("the listing shows the new file", lambda: "later.txt" in browser.page_source)
    # A page that stays open while the server is down.
    browser.get(url)
    os.kill(pid, signal.SIGTERM)
    wait("the server has exited", is_closed)
    write("index.html", page("after the restart"))
    restarted = subprocess.Popen([program + "/httpd", "--root", "site", "--port", port, "-q", "--live-reload", "--access-log",
                              "off"])
    try:
        wait("the page of the new server is shown", lambda: browser.title == "after the restart")
    finally:
        restarted.terminate()
        restarted.wait()
finally:
    browser.quit()
EOF
