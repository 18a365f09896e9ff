//! Options of the site: files, fields, types, caching, and the paths of health check and metrics.

use common::Error;

use super::usage;
use crate::cli::Cli;
use crate::content::glob::PathPattern;
use crate::content::mime::MimeTypes;
use crate::content::routing::{CacheRules, Site};
use crate::handler::MonitoringPaths;
use crate::proto::field;
use crate::proto::response;
use crate::proto::target::{self, Path};

/// The rules of the site.
pub(super) fn site(cli: &Cli) -> Result<Site, Error> {
    for (option, name) in
        cli.index.iter().map(|name| ("--index", name)).chain(cli.spa.iter().map(|name| ("--spa", name)))
    {
        if name.split('/').any(|segment| matches!(segment, "" | "." | "..") || segment.contains('\0')) {
            return Err(usage(option, name, "is not a file name below the root"));
        }
    }
    Ok(Site {
        only: None,
        index: cli.index.iter().map(|name| name.clone().into_bytes()).collect(),
        listing: !cli.no_listing,
        hidden: cli.hidden,
        spa: cli.spa.clone().map(String::into_bytes),
        clean_urls: cli.clean_urls,
        precompressed: !cli.no_precompressed,
        compress: cli.compress,
        types: types(cli)?,
        cache: CacheRules::new(cli.cache.iter().map(|text| cache_rule(text, cli.hidden)).collect::<Result<_, _>>()?),
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
        let name_in_lower_case = name.to_ascii_lowercase();
        let options = [("access-control-", "--cors"), ("cross-origin-", "--cross-origin-isolated")];
        let option = options.iter().find(|(start, _)| name_in_lower_case.starts_with(start));
        if let Some((_, option)) = option
            && extra_headers.split(|byte| *byte == b'\n').any(is_set)
        {
            return Err(usage("--header", header, &format!("{option} sets this field already")));
        }
        response::field(&mut extra_headers, name, value);
    }
    Ok(extra_headers)
}

/// Fields that the server sets; a second one would contradict the first.
const OWN_FIELDS: [&str; 24] = [
    "accept-ranges",
    "allow",
    "alt-svc",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-authenticate",
    "proxy-connection",
    "retry-after",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
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

/// Options of content types.
fn types(cli: &Cli) -> Result<MimeTypes, Error> {
    let encoded = cli.encoded.iter().map(|text| checked("--encoded", text, PathPattern::new(text), cli.hidden));
    if let Some(text) = cli.default_type.as_ref().filter(|text| !is_media_type(text)) {
        return Err(usage("--default-type", text, "is not a media type, such as text/plain"));
    }
    Ok(MimeTypes {
        overrides: cli.mime.iter().map(|text| media_type(text, cli.hidden)).collect::<Result<_, _>>()?,
        default: cli.default_type.clone(),
        encoded: encoded.collect::<Result<_, _>>()?,
    })
}

fn media_type(text: &str, hidden: bool) -> Result<(PathPattern, String), Error> {
    match text.split_once('=') {
        Some((pattern, media_type)) if is_media_type(media_type) => {
            Ok((checked("--mime", text, PathPattern::of_type(pattern), hidden)?, media_type.to_owned()))
        }
        _ => Err(usage("--mime", text, "is not EXT=TYPE or GLOB=TYPE, with a type such as text/plain")),
    }
}

/// Whether text is a media type (RFC 9110, section 8.3.1), with parameters or without.
fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(field::is_token);
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && text.bytes().all(field::is_value)
}

fn cache_rule(text: &str, hidden: bool) -> Result<(PathPattern, String), Error> {
    match text.split_once('=') {
        Some((glob, value)) if !value.is_empty() && value.bytes().all(field::is_value) => {
            Ok((checked("--cache", text, PathPattern::new(glob), hidden)?, value.to_owned()))
        }
        _ => Err(usage("--cache", text, "is not GLOB=VALUE")),
    }
}

/// Refuses a pattern that matches no path that is served.
fn checked(option: &'static str, text: &str, pattern: PathPattern, hidden: bool) -> Result<PathPattern, Error> {
    match pattern.why_useless(hidden) {
        Some(why) => Err(usage(option, text, why)),
        None => Ok(pattern),
    }
}

/// The paths of health check and metrics.
pub(super) fn monitoring_paths(cli: &Cli) -> Result<MonitoringPaths, Error> {
    let path = |option, text: &Option<String>| text.as_deref().map(|text| own_path(option, text)).transpose();
    let (health, metrics) = (path("--health", &cli.health)?, path("--metrics", &cli.metrics)?);
    let paths = MonitoringPaths { health, metrics, log_health: cli.log_health };
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
