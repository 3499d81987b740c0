//! The metrics of the made-up machine, and of machines that know less.

use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::example_machine;

fn openmetrics(view: &View, top: usize) -> String {
    text(view, top, Syntax::OpenMetrics)
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// The pids whose resident size is told.
fn pids(text: &str) -> HashSet<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("psio_process_resident_memory_bytes{pid=\""));
    lines.filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

#[test]
fn cpu_time_is_told_in_seconds_by_cpu_and_mode() {
    let text = openmetrics(&example_machine::view(), 0);
    // 52,036 ticks of 10 ms.
    assert_eq!(value(&text, r#"psio_cpu_seconds_total{cpu="0",mode="user"}"#), Some(520.36));
    assert_eq!(value(&text, r#"psio_cpu_usage_ratio{cpu="0"}"#), Some(0.42));
}

#[test]
fn a_source_that_has_no_cpu_seconds_tells_usage_alone() {
    let view = example_machine::view();
    let mut now = (*view.now).clone();
    Arc::make_mut(now.daemon.as_mut().unwrap()).value.source = "portable".into();
    let text = openmetrics(&View::new(Arc::new(now), view.base.clone(), view.viewer), 0);
    assert!(!text.contains("psio_cpu_seconds"));
    assert!(text.contains("psio_cpu_usage_ratio{"));
}

#[test]
fn what_is_unknown_is_left_out() {
    let view = example_machine::view();
    let mut now = (*view.now).clone();
    let memory = &mut Arc::make_mut(now.memory.as_mut().unwrap()).value;
    memory.wired_bytes = None;
    Arc::make_mut(now.host.as_mut().unwrap()).value.load_average = None;
    let text = openmetrics(&View::new(Arc::new(now), view.base.clone(), view.viewer), 0);
    assert!(!text.contains("psio_memory_wired_bytes") && !text.contains("psio_load"));
    assert_eq!(value(&text, "psio_memory_slab_bytes"), Some((420_u64 << 20) as f64));
}

#[test]
fn a_view_that_lacks_topics_tells_of_the_others() {
    let view = example_machine::view();
    let mut now = (*view.now).clone();
    (now.host, now.processes) = (None, None);
    let text = openmetrics(&View::new(Arc::new(now), view.base.clone(), view.viewer), 3);
    assert!(text.contains("psio_memory_total_bytes") && !text.contains("psio_processes"));
}

#[test]
fn rates_without_an_earlier_sample_are_left_out() {
    let mut view = example_machine::view();
    view.base = Arc::default();
    let text = openmetrics(&View::new(view.now, view.base, view.viewer), 3);
    assert!(!text.contains("usage_ratio"));
    assert_eq!(pids(&text).len(), 3);
}

#[test]
fn no_process_is_named_unless_asked_for() {
    assert!(!openmetrics(&example_machine::view(), 0).contains("psio_process_"));
}

#[test]
fn the_busiest_and_the_largest_are_named_and_no_more() {
    let text = openmetrics(&example_machine::view(), 1);
    // 2210 uses most CPU, 1893 holds most memory.
    assert_eq!(pids(&text), HashSet::from(["2210", "1893"]));
    assert!(text.contains(r#"name="firefox",username="marcus"} "#), "{text}");
}

#[test]
fn processes_are_counted_by_status_and_common_ones_even_when_there_are_none() {
    let text = openmetrics(&example_machine::view(), 0);
    assert_eq!(value(&text, r#"psio_processes{status="stopped"}"#), Some(0.0));
    let counts = text.lines().filter_map(|line| line.strip_prefix("psio_processes{")?.rsplit(' ').next());
    assert_eq!(counts.map(|count| count.parse::<usize>().unwrap()).sum::<usize>(), example_machine::PROCESS_COUNT);
}

#[test]
fn every_family_stands_once_and_each_series_once() {
    let text = openmetrics(&example_machine::view(), 100);
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(family) => assert!(families.insert(family), "{line}"),
            None => assert!(line.starts_with('#') || series.insert(line.rsplit_once(' ').unwrap().0), "{line}"),
        }
    }
    assert!(text.ends_with("# EOF\n"));
}
