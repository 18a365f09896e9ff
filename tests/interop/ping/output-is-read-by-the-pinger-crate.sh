# proves: the crate pinger, on which gping is based, reads times and losses from ping as from iputils
# needs: iproute2 nftables
. "$HERE/lib.sh"

require cargo nft
make_namespaces NETNS
ip netns exec "$NETNS" nft 'table ip t { chain c { type filter hook input priority 0;
    icmp type echo-request numgen inc mod 2 1 drop; }; }' || skip_for_kernel "no nftables"

mkdir -p reader/src
cat >reader/Cargo.toml <<'TOML'
[package]
name = "reader"
version = "0.1.0"
edition = "2021"
[dependencies]
pinger = "=2.2.0"
[workspace]
TOML
cat >reader/src/main.rs <<'RUST'
use pinger::{ping, PingOptions, PingResult};
fn main() {
    let options = PingOptions::new("127.0.0.1", std::time::Duration::from_millis(500), None);
    for result in ping(options).expect("ping is known").into_iter().take(6) {
        match result {
            PingResult::Pong(time, _) => println!("pong {}", time.as_millis() < 1000),
            PingResult::Timeout(_) => println!("timeout"),
            other => println!("{other:?}"),
        }
    }
}
RUST
CARGO_TARGET_DIR="$TMP/target" cargo build --quiet --manifest-path reader/Cargo.toml || skip "the crate cannot be built"
mkdir path && cp "$BIN/ping" path/ping
# The crate does not stop its ping; ping exits when its output is closed.
ip netns exec "$NETNS" env PATH="$TMP/path:$PATH" timeout 20 target/debug/reader >out.txt || fail "reader: $(cat out.txt)"
equal "$(sort out.txt | uniq -c | tr -s ' \n' ' ')" " 4 pong true 2 timeout " "results of the crate"
