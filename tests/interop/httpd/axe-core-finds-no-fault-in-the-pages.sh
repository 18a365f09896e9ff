# proves: axe-core finds no accessibility fault in listings and error pages, on phone and desktop, light and dark
# needs: chromium chromium-driver python3 python3-venv
# needs-pip: selenium axe-selenium-python
. "$HERE/lib.sh"
. "$HERE/httpd/chromium.bash"
require_selenium

mkdir -p "site/deep/שלום/album 1" site/empty
for name in clip.mp4 backup.tar.zst index.js README "a long name of many words that wraps on a phone and needs three lines or more.txt" "$(
    printf 'a%.0s' {1..150}
).bin" תמונה.jpg; do
    echo content >"site/deep/שלום/$name"
done
cp "$HERE/../../www/harbour.svg" site/deep/שלום/
serve site
PYTHONPATH=$HERE/httpd python3 - "$URL" <<'EOF2'
import sys

import chromium
from axe_selenium_python import Axe

url = sys.argv[1]
browser = chromium.start()
folder = "/deep/%D7%A9%D7%9C%D7%95%D7%9D/"
pages = ["/", "/empty/", folder, folder + "?view=grid&sort=size-desc", "/deep/missing", "/?format=unknown"]
faults = []
try:
    # The page allows its own script only, and axe-core is another one.
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    for scheme in ["light", "dark"]:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        for width in [320, 390, 1280]:
            size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for page in pages:
                browser.get(url + page)
                axe = Axe(browser)
                axe.inject()
                faults += [(scheme, width, page, fault["id"], fault["help"]) for fault in axe.run()["violations"]]
                if browser.execute_script("return document.documentElement.scrollWidth > innerWidth"):
                    faults.append((scheme, width, page, "the page scrolls sideways"))
finally:
    browser.quit()
if faults:
    raise SystemExit("failed: " + "\n".join(map(str, faults)))
EOF2
