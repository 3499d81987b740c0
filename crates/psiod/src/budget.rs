//! How much computing one connection may have: what is shared costs it nothing, what is made for it alone is counted.

use std::time::{Duration, Instant};

use psio_api::error::{ApiError, ErrorCode};
use serde_json::json;

/// What a connection may use at once.
const BURST: Duration = Duration::from_secs(2);
/// Of each second, what it may use for good: half a core, so that one that floods leaves the others theirs.
const SHARE: f64 = 0.5;

/// What is left of a connection's computing time.
#[derive(Debug)]
pub struct Budget {
    left: Duration,
    counted: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: BURST, counted: Instant::now() }
    }
}

impl Budget {
    /// Whether something more may be computed at `now`; the refusal says when.
    pub fn check(&mut self, now: Instant) -> Result<(), ApiError> {
        self.left = BURST.min(self.left + now.saturating_duration_since(self.counted).mul_f64(SHARE));
        self.counted = now;
        if !self.left.is_zero() {
            return Ok(());
        }
        let message = "this connection has had psiod compute too much for it alone; ask less often, or for what others \
                       ask too";
        let details = json!({"burst_ms": BURST.as_millis() as u64, "ms_per_second": (SHARE * 1e3) as u64});
        Err(ApiError::new(ErrorCode::TooMany, message).with(details))
    }

    /// Counts what was computed.
    pub fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_comes_back_with_time() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        budget.check(now).unwrap();
        budget.spend(BURST);
        assert_eq!(budget.check(now).unwrap_err().code, ErrorCode::TooMany);
        budget.check(now + Duration::from_millis(10)).unwrap();
        budget.spend(Duration::from_millis(6));
        assert!(budget.check(now + Duration::from_millis(10)).is_err());
    }

    #[test]
    fn what_is_not_used_is_not_saved_up() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        budget.check(now + Duration::from_secs(3600)).unwrap();
        budget.spend(BURST);
        assert!(budget.check(now + Duration::from_secs(3600)).is_err());
    }
}
