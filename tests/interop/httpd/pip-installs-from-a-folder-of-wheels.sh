# proves: pip uses the listings of httpd as a package index (PEP 503), chooses the newest wheel, and installs its dependency
# needs: python3 python3-pip python3-venv
. "$HERE/lib.sh"
require python3

# wheel NAME VERSION [DEPENDENCY]: writes a wheel with one module.
wheel() {
    python3 - "$@" <<'EOF'
import sys, zipfile, pathlib
name, version, *requires = sys.argv[1:]
folder = pathlib.Path("site/simple") / name.replace("_", "-")
folder.mkdir(parents=True, exist_ok=True)
info = f"{name}-{version}.dist-info"
with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
    archive.writestr(f"{name}.py", f"version = '{version}'\n")
    requirements = "".join(f"Requires-Dist: {other}\n" for other in requires)
    archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirements}")
    archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    archive.writestr(f"{info}/RECORD", "")
EOF
}
wheel hello_example 1.0
wheel hello_example 1.10+local.1 'greeting-example>=2'
wheel hello_example 1.9
wheel greeting_example 2.0
serve site

python3 -m venv --without-pip venv
python3 -m pip --disable-pip-version-check --isolated --python venv/bin/python install -q --no-cache-dir \
    --index-url "$URL/simple/" hello-example || fail "pip: exit code $?: $(cat access.log httpd.err)"
equal "$(venv/bin/python -c 'import hello_example, greeting_example; print(hello_example.version, greeting_example.version)')" \
    "1.10+local.1 2.0" "installed versions"
