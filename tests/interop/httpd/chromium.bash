# A headless Chromium, sourced after lib.sh. chromium.py controls one by ChromeDriver.
# shellcheck shell=bash

# browse OPTION... URL: runs Chromium once.
browse() {
    chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$TMP/profile" "$@" 2>/dev/null
}

require_selenium() {
    require chromium chromedriver python3
    python3 -c 'import selenium' 2>/dev/null || skip "selenium is not installed"
}
