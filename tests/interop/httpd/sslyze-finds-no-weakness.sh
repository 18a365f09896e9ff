# proves: sslyze finds only TLS 1.2 and 1.3 with forward secrecy, and no known vulnerability
# needs: openssl python3
# needs-pip: sslyze>=6
. "$HERE/lib.sh"
require openssl python3 sslyze

# Without resumption: sslyze regards a session with a renewed ticket as a new session.
mkdir site
self_signed localhost
serve site --bind 127.0.0.1 --tls-cert cert.pem --tls-key key.pem
scans=(sslv2 sslv3 tlsv1 tlsv1_1 tlsv1_2 tlsv1_3 reneg heartbleed openssl_ccs robot compression early_data elliptic_curves ems
    fallback)
sslyze --json_out=found.json --mozilla_config=disable "${scans[@]/#/--}" "localhost:$PORT" >sslyze.log || { cat sslyze.log; fail "sslyze"; }
python3 - <<'PYTHON'
import json
scan = json.load(open("found.json"))["server_scan_results"][0]["scan_result"]
result = lambda name: scan[name]["result"] or exit(f"{name}: {scan[name]}")
for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"]:
    assert not result(version + "_cipher_suites")["accepted_cipher_suites"], version
for version in ["tls_1_2", "tls_1_3"]:
    accepted = [suite["cipher_suite"]["name"] for suite in result(version + "_cipher_suites")["accepted_cipher_suites"]]
    print(version, accepted)
    assert accepted and all("GCM" in suite or "POLY1305" in suite for suite in accepted), accepted
    assert version == "tls_1_3" or all("ECDHE" in suite for suite in accepted), accepted
assert not result("heartbleed")["is_vulnerable_to_heartbleed"]
assert not result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"]
assert not result("tls_compression")["supports_compression"]
assert not result("session_renegotiation")["is_vulnerable_to_client_renegotiation_dos"]
assert result("session_renegotiation")["supports_secure_renegotiation"]
assert result("robot")["robot_result"].startswith("NOT_VULNERABLE"), result("robot")
assert result("tls_fallback_scsv")["supports_fallback_scsv"]
assert not result("tls_1_3_early_data")["supports_early_data"]
assert result("tls_extended_master_secret")["supports_ems_extension"]
print("curves", [curve["name"] for curve in result("elliptic_curves")["supported_curves"]])
PYTHON
