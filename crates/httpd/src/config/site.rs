//! Options of the site: files, fields, types, caching, and the paths of health check and metrics.

use common::Error;

use super::usage;
use crate::cli::Cli;
use crate::content::mime::MimeTypes;
use crate::content::routing::{CacheRules, Site};
use crate::handler::MonitoringPaths;
use crate::proto::field;
use crate::proto::response;
use crate::proto::target::{self, Path};

/// The rules of the site.
pub(super) fn site(cli: &Cli) -> Result<Site, Error> {
    for name in cli.index.iter().chain(&cli.spa) {
        if name.is_empty() || name.starts_with('/') || name.split('/').any(|segment| segment == "..") {
            return Err(usage("--index or --spa", name, "is not a file name below the root"));
        }
    }
    Ok(Site {
        index: cli.index.iter().map(|name| name.clone().into_bytes()).collect(),
        listing: !cli.no_listing,
        hidden: cli.hidden,
        spa: cli.spa.clone().map(String::into_bytes),
        clean_urls: cli.clean_urls,
        precompressed: !cli.no_precompressed,
        compress: cli.compress,
        types: MimeTypes::new(cli.mime.iter().map(|text| media_type(text)).collect::<Result<Vec<_>, _>>()?),
        cache: CacheRules::new(cli.cache.iter().map(|text| cache_rule(text)).collect::<Result<Vec<_>, _>>()?),
        cors: cli.cors,
        extra_headers: extra_headers(cli)?,
    })
}

/// The field lines of every response.
fn extra_headers(cli: &Cli) -> Result<Vec<u8>, Error> {
    let mut extra_headers = Vec::new();
    response::field(&mut extra_headers, "X-Content-Type-Options", "nosniff");
    if cli.cors {
        response::field(&mut extra_headers, "Access-Control-Allow-Origin", "*");
        response::field(&mut extra_headers, "Access-Control-Expose-Headers", "*");
    }
    if cli.cross_origin_isolated {
        response::field(&mut extra_headers, "Cross-Origin-Opener-Policy", "same-origin");
        response::field(&mut extra_headers, "Cross-Origin-Embedder-Policy", "require-corp");
        response::field(&mut extra_headers, "Cross-Origin-Resource-Policy", "cross-origin");
    }
    for header in &cli.header {
        let (name, value) = header_field(header)?;
        // Browsers reject duplicates of these fields.
        let is_set = |line: &[u8]| {
            line.split(|byte| *byte == b':').next().unwrap_or_default().eq_ignore_ascii_case(name.as_bytes())
        };
        if name.to_ascii_lowercase().starts_with("access-control-")
            && extra_headers.split(|byte| *byte == b'\n').any(is_set)
        {
            return Err(usage("--header", header, "--cors sets this field already"));
        }
        response::field(&mut extra_headers, name, value);
    }
    Ok(extra_headers)
}

/// Fields that the server sets; a second one would contradict the first.
const OWN_FIELDS: [&str; 13] = [
    "accept-ranges",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "transfer-encoding",
    "x-content-type-options",
];

fn header_field(text: &str) -> Result<(&str, &str), Error> {
    let (name, value) = text.split_once(':').ok_or_else(|| usage("--header", text, "has no colon"))?;
    let value = value.trim();
    if name.is_empty() || !name.bytes().all(field::is_token) {
        return Err(usage("--header", text, "the name is not a token"));
    }
    if !value.bytes().all(field::is_value) {
        return Err(usage("--header", text, "the value contains a control character"));
    }
    if name.eq_ignore_ascii_case("cache-control") {
        return Err(usage("--header", text, "use --cache '**=VALUE' for this field"));
    }
    if name.eq_ignore_ascii_case("content-type") {
        return Err(usage("--header", text, "use --mime for this field"));
    }
    if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(usage("--header", text, "the server sets this field itself"));
    }
    Ok((name, value))
}

fn media_type(text: &str) -> Result<(String, String), Error> {
    let (extension, media_type) = text.split_once('=').ok_or_else(|| usage("--mime", text, "is not EXT=TYPE"))?;
    let extension = extension.trim_start_matches('.').to_ascii_lowercase();
    if extension.is_empty() || !media_type.contains('/') || !media_type.bytes().all(field::is_value) {
        return Err(usage("--mime", text, "is not EXT=TYPE"));
    }
    Ok((extension, media_type.to_owned()))
}

fn cache_rule(text: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((glob, value)) if !glob.is_empty() && !value.is_empty() && value.bytes().all(field::is_value) => {
            Ok((glob.to_owned(), value.to_owned()))
        }
        _ => Err(usage("--cache", text, "is not GLOB=VALUE")),
    }
}

/// The paths of health check and metrics.
pub(super) fn monitoring_paths(cli: &Cli) -> Result<MonitoringPaths, Error> {
    let path = |option, text: &Option<String>| text.as_deref().map(|text| own_path(option, text)).transpose();
    let paths = MonitoringPaths { health: path("--health", &cli.health)?, metrics: path("--metrics", &cli.metrics)? };
    if let (Some(text), true) = (&cli.metrics, paths.health == paths.metrics) {
        return Err(usage("--metrics", text, "is already the path of --health"));
    }
    Ok(paths)
}

/// A path that is answered by the server itself.
fn own_path(option: &'static str, text: &str) -> Result<Path<'static>, Error> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !text.starts_with('/') || !is_visible {
        return Err(usage(option, text, "is not a path such as /status without a query"));
    }
    match target::decode_path(text.as_bytes()) {
        Ok(path) if path.relative().is_empty() => Err(usage(option, text, "would hide the index page of the site")),
        Ok(path) => Ok(path.into_owned()),
        Err(rejection) => Err(usage(option, text, rejection.reason)),
    }
}
