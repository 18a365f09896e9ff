# proves: Chromium plays a video and jumps about in it by ranges, also with parts it has kept
# needs: chromium chromium-driver ffmpeg python3 python3-venv
# needs-pip: selenium
. "$HERE/lib.sh"
require chromium chromedriver ffmpeg python3
python3 -c 'import selenium' 2>/dev/null || skip "selenium is not installed"

mkdir site
# Noise cannot be compressed, so a few seconds of it are more than a browser reads ahead.
ffmpeg -loglevel error -f lavfi -i "color=size=480x360:rate=10:duration=40,noise=alls=100:allf=t" \
    -c:v libvpx -deadline realtime -cpu-used 8 -b:v 12M -g 10 site/noise.webm
size=$(stat -c %s site/noise.webm)
[[ $size -gt 20000000 ]] || fail "the video is too small to show anything: $size"
echo '<!doctype html><title>video</title><video src="noise.webm" preload="metadata" muted></video>' >site/index.html
serve site
PYTHONPATH=$HERE/httpd python3 - "$URL" "$size" <<'EOF'
import sys
import chromium

url, size = sys.argv[1], int(sys.argv[2])
SEEK = """
const [time, done] = arguments, video = document.querySelector('video');
const seek = () => {
    video.onseeked = () => done([video.currentTime, video.videoWidth, video.duration]);
    video.onerror = () => done(video.error.message);
    video.currentTime = time;
};
if (video.readyState >= 1) seek(); else video.onloadedmetadata = seek;
"""
browser = chromium.start()
try:
    browser.get(url)
    for time in [35, 5, 20]:
        answer = browser.execute_async_script(SEEK, time)
        assert isinstance(answer, list) and abs(answer[0] - time) < 0.2 and answer[1] == 480, answer
        assert abs(answer[2] - 40) < 1, answer
finally:
    browser.quit()
answers = chromium.requests("/noise.webm")
print(answers)
assert {status for status, _ in answers} <= {206, 304}, "only parts were asked for, or whether they are still good"
assert [status for status, _ in answers].count(206) >= 3, "each jump is a range of its own"
EOF
