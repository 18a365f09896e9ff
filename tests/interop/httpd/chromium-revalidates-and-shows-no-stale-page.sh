# proves: Chromium revalidates cached files, receives 304, and shows each new version at once
# needs: chromium chromium-driver python3 python3-venv
# needs-pip: selenium
. "$HERE/lib.sh"
. "$HERE/httpd/chromium.bash"
require_selenium

mkdir -p site/sub
page() {
    printf '<!doctype html><title>%s</title><link rel="stylesheet" href="/style.css"><h1>%s</h1><a href="/sub/">on</a>' "$1" "$1"
}
page first >site/index.html
page second >site/sub/index.html
echo 'h1 { color: rgb(1, 2, 3) }' >site/style.css
head -c 200000 /dev/urandom >site/sub/big
serve site
PYTHONPATH=$HERE/httpd python3 - "$URL" <<'EOF'
import sys
import chromium

url = sys.argv[1]
COLOR = "return getComputedStyle(document.querySelector('h1')).color"
FETCH = "const done = arguments[1]; fetch(arguments[0]).then(r => r.text()).then(t => done(t.length))"
browser = chromium.start()


def shows(title, color="rgb(1, 2, 3)"):
    assert (browser.title, browser.execute_script(COLOR)) == (title, color), (browser.title, browser.execute_script(COLOR))


try:
    browser.get(url)
    shows("first")
    browser.find_element("tag name", "a").click()
    shows("second")
    browser.back()
    shows("first")
    browser.forward()
    shows("second")
    browser.refresh()
    shows("second")
    browser.get(url)
    shows("first")
    before = browser.execute_async_script(FETCH, "/sub/big")
    assert browser.execute_async_script(FETCH, "/sub/big") == before
    page, style, big = (chromium.requests(path) for path in ["/", "/style.css", "/sub/big"])
    print(page, style, big)
    assert page[0][0] == 200 and (304, 0) in page, "the page is revalidated"
    assert style[0][0] == 200 and (304, 0) in style, "the style is revalidated"
    assert [status for status, _ in big] == [200, 304], "a file sent from the disk is revalidated"

    # New versions within the second of the old request, one of them of the same length.
    old = open("site/sub/index.html").read()
    open("site/sub/index.html", "w").write(old.replace("second", "newest"))
    open("site/style.css", "w").write("h1 { color: rgb(4, 5, 6) }\n")
    browser.find_element("tag name", "a").click()
    shows("newest", "rgb(4, 5, 6)")
    browser.back()
    browser.refresh()
    shows("first", "rgb(4, 5, 6)")
    assert chromium.requests("/sub/")[-1][0] == 200
finally:
    browser.quit()
EOF
