//! Medians and other quantiles of small samples.

/// The value below which `share` (0 to 1) of the samples lie, nearest rank; NaN of no samples.
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    sorted[((share * last as f64).round() as usize).min(last)]
}

/// The middle one; NaN of no samples.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The median of `a[i] / b[i]`: round by round, so that drift of the machine cancels out.
pub fn median_ratio(a: &[f64], b: &[f64]) -> f64 {
    let ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / b).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&samples), 3.0);
        assert_eq!(quantile(&samples, 0.99), 5.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn drift_common_to_both_cancels_out() {
        assert_eq!(median_ratio(&[2.0, 20.0, 6.0], &[1.0, 10.0, 3.0]), 2.0);
    }
}
