//! How much computing one connection may have: what is shared costs it nothing, answers made for it alone are counted.
//! Ticks of subscriptions are not: they belong to a group.

use std::time::{Duration, Instant};

use psio_api::error::{ApiError, ErrorCode};
use serde_json::json;

/// Seconds that a connection may use at once.
const BURST: f64 = 2.0;
/// Of each second, what it may use for good: half a core, so that one that floods leaves the others theirs.
const SHARE: f64 = 0.5;

/// What is left of a connection's computing time.
#[derive(Debug)]
pub struct Budget {
    /// Seconds. Below zero after something that took longer than what was left.
    left: f64,
    counted: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: BURST, counted: Instant::now() }
    }
}

impl Budget {
    /// Whether something more may be computed at `now`.
    pub fn check(&mut self, now: Instant) -> Result<(), ApiError> {
        self.left = BURST.min(self.left + now.saturating_duration_since(self.counted).as_secs_f64() * SHARE);
        self.counted = now;
        if self.left > 0.0 {
            return Ok(());
        }
        let message = "this connection has had psiod compute too much for it alone; ask less often, or for what others \
                       ask too";
        let details = json!({"burst_ms": BURST * 1e3, "ms_per_second": SHARE * 1e3});
        Err(ApiError::new(ErrorCode::TooMany, message).with(details))
    }

    /// Counts what was computed.
    pub fn spend(&mut self, time: Duration) {
        self.left -= time.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_comes_back_with_time() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        budget.check(now).unwrap();
        budget.spend(Duration::from_secs(3));
        assert_eq!(budget.check(now + Duration::from_secs(1)).unwrap_err().code, ErrorCode::TooMany);
        budget.check(now + Duration::from_secs(3)).unwrap();
    }

    #[test]
    fn who_computes_all_the_time_is_refused_in_the_end() {
        let (mut budget, mut now) = (Budget::default(), Instant::now());
        let refused = (0..100).any(|_| {
            let is_refused = budget.check(now).is_err();
            now += Duration::from_millis(100);
            budget.spend(Duration::from_millis(100));
            is_refused
        });
        assert!(refused);
    }

    #[test]
    fn what_is_not_used_is_not_saved_up() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        budget.check(now + Duration::from_secs(3600)).unwrap();
        budget.spend(Duration::from_secs(3));
        assert!(budget.check(now + Duration::from_secs(3600)).is_err());
    }
}
