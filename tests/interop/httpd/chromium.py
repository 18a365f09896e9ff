"""A headless Chromium, controlled by ChromeDriver."""
import os
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def start():
    """Starts a browser with a new profile in $TMP."""
    options = webdriver.ChromeOptions()
    for option in ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--mute-audio",
                   "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={os.environ['TMP']}/profile"]:
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    browser.set_page_load_timeout(20)
    browser.set_script_timeout(20)
    return browser


def requests(path):
    """Requests for `path` in the access log, as (status, bytes), after the next write of the log."""
    time.sleep(1.2)
    lines = [line.split('"') for line in open("access.log") if f" {path} HTTP/1.1" in line]
    return [tuple(int(word) for word in line[2].split()) for line in lines]
