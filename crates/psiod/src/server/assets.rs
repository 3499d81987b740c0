//! The web UI, carried in the executable.
//!
//! By the crate memory-serve, because it is well kept and does just this: brotli at build time, gzip at start,
//! content negotiation and ETags. rust-embed would leave all of that to us. build.rs embeds in debug builds
//! too, so that tests meet what is shipped.

use std::sync::LazyLock;

use axum::Router;
use axum::response::Response;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use memory_serve::{CacheControl, MemoryServe};

/// The files of web/dist, written by build.rs.
static FILES: &[memory_serve::Asset] = include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Where Vite puts files whose names carry a hash of their content, and nothing else.
const HASHED: &str = "/assets/";

/// One for the process: memory-serve leaks what it unpacks.
static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    MemoryServe::new(FILES)
        .index_file(Some("/index.html"))
        .enable_gzip(true)
        .enable_brotli(true)
        .html_cache_control(CacheControl::NoCache)
        .cache_control(CacheControl::Long)
        .into_router()
});

/// A route for every file, and `/` for the page itself.
pub(super) fn routes() -> Router {
    ROUTES.clone()
}

/// Corrects what memory-serve cannot tell apart: only hashed files may be kept for ever.
pub(super) fn limit_caching(path: &str, response: &mut Response) {
    if !path.starts_with(HASHED)
        && let Some(value) = response.headers_mut().get_mut(CACHE_CONTROL)
        && value.as_bytes().ends_with(b"immutable")
    {
        *value = HeaderValue::from_static("no-cache");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_there() {
        assert!(FILES.iter().any(|file| file.route == "/index.html"));
    }

    #[test]
    fn only_hashed_files_are_kept_for_ever() {
        let caching = |path| {
            let mut response = Response::default();
            let forever = HeaderValue::from_static("max-age=31536000, immutable");
            response.headers_mut().insert(CACHE_CONTROL, forever);
            limit_caching(path, &mut response);
            response.headers()[CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert_eq!(caching("/favicon.svg"), "no-cache");
        assert_eq!(caching("/assets/index-B3x.js"), "max-age=31536000, immutable");
    }
}
