# proves: Chromium seeks in a video by range requests, also with cached parts
# needs: chromium chromium-driver ffmpeg python3 python3-venv
# needs-pip: selenium
. "$HERE/lib.sh"
. "$HERE/httpd/chromium.bash"
require_selenium
require ffmpeg

mkdir site
# Noise cannot be compressed, so the video is larger than the read-ahead of a browser.
ffmpeg -loglevel error -f lavfi -i "color=size=480x360:rate=10:duration=40,noise=alls=100:allf=t" \
    -c:v libvpx -deadline realtime -cpu-used 8 -b:v 12M -g 10 site/noise.webm
size=$(stat -c %s site/noise.webm)
[[ $size -gt 20000000 ]] || fail "the video is too small for this test: $size"
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
        result = browser.execute_async_script(SEEK, time)
        assert isinstance(result, list) and abs(result[0] - time) < 0.2 and result[1] == 480, result
        assert abs(result[2] - 40) < 1, result
finally:
    browser.quit()
responses = chromium.requests("/noise.webm")
print(responses)
assert {status for status, _ in responses} <= {206, 304}, "only ranges and revalidations"
assert [status for status, _ in responses].count(206) >= 3, "at least one range request per seek"
EOF
