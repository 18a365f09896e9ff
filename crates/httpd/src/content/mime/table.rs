//! Content types for which `mime_guess` is wrong or has none, from the IANA registry and manuals of vendors.

/// Extension and media type. Formats for people to read are `text/plain`, because browsers show no other type of text:
/// Firefox offers `text/x-yaml` and `application/toml` as a download.
const BY_EXTENSION: &[(&str, &str)] = &[
    ("3mf", "model/3mf"),
    ("adoc", "text/plain"),
    ("appinstaller", "application/appinstaller"),
    ("appx", "application/appx"),
    ("cjs", "text/javascript"),
    ("cts", "text/plain"),
    ("deb", "application/vnd.debian.binary-package"),
    ("diff", "text/plain"),
    ("dtd", "application/xml-dtd"),
    ("glsl", "text/plain"),
    ("go", "text/plain"),
    ("ipynb", "text/plain"),
    ("java", "text/plain"),
    ("jsonl", "application/jsonl"),
    ("ktx2", "image/ktx2"),
    ("lock", "text/plain"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4s", "video/iso.segment"),
    ("map", "application/json"),
    ("mid", "audio/midi"),
    ("midi", "audio/midi"),
    ("mjs", "text/javascript"),
    ("mobileconfig", "application/x-apple-aspen-config"),
    ("mod", "text/plain"),
    ("msix", "application/msix"),
    ("mtl", "model/mtl"),
    ("mts", "text/plain"),
    ("ndjson", "application/x-ndjson"),
    ("obj", "model/obj"),
    ("otf", "font/otf"),
    ("patch", "text/plain"),
    ("psd", "image/vnd.adobe.photoshop"),
    ("pub", "text/plain"),
    ("rpm", "application/x-rpm"),
    ("rs", "text/plain"),
    ("rst", "text/plain"),
    ("sh", "text/plain"),
    ("sql", "text/plain"),
    ("srt", "text/plain"),
    ("step", "model/step"),
    ("stl", "model/stl"),
    ("stp", "model/step"),
    ("sxg", "application/signed-exchange;v=b3"),
    ("tex", "text/plain"),
    ("tgz", "application/gzip"),
    ("toml", "text/plain"),
    ("topojson", "application/json"),
    ("ts", "text/plain"),
    ("tsx", "text/plain"),
    ("ttml", "application/ttml+xml"),
    ("usdz", "model/vnd.usdz+zip"),
    ("vue", "text/plain"),
    ("wgsl", "text/wgsl"),
    ("whl", "application/zip"),
    ("woff", "font/woff"),
    ("xml", "application/xml"),
    ("xsd", "application/xml"),
    ("xsl", "application/xslt+xml"),
    ("xslt", "application/xslt+xml"),
    ("yaml", "text/plain"),
    ("yml", "text/plain"),
    ("zst", "application/zstd"),
];

/// Well-known URIs (RFC 8615) whose content is JSON.
const WELL_KNOWN_JSON: [&[u8]; 6] = [
    b"apple-app-site-association",
    b"assetlinks.json",
    b"nodeinfo",
    b"oauth-authorization-server",
    b"openid-configuration",
    b"webauthn",
];

/// The media type of a lower-case extension.
pub(super) fn by_extension(extension: &str) -> Option<&'static str> {
    let own = BY_EXTENSION.binary_search_by_key(&extension, |(known, _)| known).ok();
    let own = own.and_then(|index| BY_EXTENSION.get(index)).map(|(_, media_type)| *media_type);
    own.or_else(|| mime_guess::from_ext(extension).first_raw())
}

/// The media type of a path that a specification reserves.
pub(super) fn by_path(path: &[u8]) -> Option<&'static str> {
    if path == b"apple-app-site-association" {
        return Some("application/json");
    }
    match path.strip_prefix(b".well-known/")? {
        b"webfinger" => Some("application/jrd+json"),
        name if name.starts_with(b"matrix/") || WELL_KNOWN_JSON.contains(&name) => Some("application/json"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_sorted_and_differ_from_mime_guess() {
        assert!(BY_EXTENSION.is_sorted_by_key(|(extension, _)| *extension));
        let same = |(extension, own): &&(&str, &str)| mime_guess::from_ext(extension).first_raw() == Some(*own);
        let same: Vec<_> = BY_EXTENSION.iter().filter(same).collect();
        assert!(same.is_empty(), "{same:?}");
    }

    #[test]
    fn well_known_paths_are_json() {
        for path in ["apple-app-site-association", ".well-known/openid-configuration", ".well-known/matrix/client"] {
            assert_eq!(by_path(path.as_bytes()), Some("application/json"), "{path}");
        }
        assert_eq!(by_path(b".well-known/webfinger"), Some("application/jrd+json"));
        assert_eq!((by_path(b".well-known/acme-challenge/x"), by_path(b"docs/webauthn")), (None, None));
    }
}
