//! Errors over HTTP: the same object as on the WebSocket, under the status that fits its code.

use axum::extract::Request;
use axum::response::Response;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use psio_api::error::{ApiError, ErrorCode, shortened};

use super::{is_for_people, json, layout};

/// The status of an error.
pub(super) fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadJson | ErrorCode::BadRequest | ErrorCode::BadParams => StatusCode::BAD_REQUEST,
        ErrorCode::UnknownCommand | ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Denied => StatusCode::FORBIDDEN,
        ErrorCode::Unsupported => StatusCode::NOT_IMPLEMENTED,
        // Only a request's line can be too large: bodies are not read.
        ErrorCode::TooLarge => StatusCode::URI_TOO_LONG,
        ErrorCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error as a response.
pub(super) fn refuse(error: &ApiError, status: StatusCode, for_people: bool) -> Response {
    let body = serde_json::to_vec(error).expect("invariant: an error is always JSON");
    let mut response = json(if for_people { layout::for_people(&body) } else { body });
    *response.status_mut() = status;
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Where somebody guessed a path below `/api/`.
pub(super) async fn nothing_there(request: Request) -> Response {
    let message = format!(
        "nothing at {}; commands are at /api/v1/NAME (GET /api/v1/ lists them), their schema at /api/schema.json",
        shortened(request.uri().path())
    );
    let error = ApiError::new(ErrorCode::NotFound, message);
    refuse(&error, StatusCode::NOT_FOUND, is_for_people(request.headers()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_at_fault_is_told_by_the_hundreds() {
        let at_fault = |code| status(code).as_u16() / 100;
        for code in [ErrorCode::BadParams, ErrorCode::UnknownCommand, ErrorCode::Conflict, ErrorCode::TooMany] {
            assert_eq!(at_fault(code), 4, "{code:?}");
        }
        for code in [ErrorCode::Unsupported, ErrorCode::Unavailable, ErrorCode::Internal] {
            assert_eq!(at_fault(code), 5, "{code:?}");
        }
    }

    #[test]
    fn what_asks_for_a_token_says_so() {
        let error = ApiError::new(ErrorCode::Unauthorized, "needs the scope inspect");
        let response = refuse(&error, status(error.code), false);
        assert_eq!(
            (response.status().as_u16(), &response.headers()[WWW_AUTHENTICATE]),
            (401, &HeaderValue::from_static("Bearer"))
        );
    }
}
