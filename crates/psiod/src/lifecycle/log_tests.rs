//! What is told from which place.

use psio_api::data::lifecycle::LifecycleKind;
use serde_json::{Value, json};

use super::super::fake::{events, table};
use super::*;

fn log(pids: &[u32]) -> (Log, Place) {
    let table = table(pids);
    let log = Log::new(WatchSource::ProcConnector, table.clone());
    let place = log.place_after(&table).unwrap();
    (log, place)
}

fn pids(telling: &Telling) -> Vec<u32> {
    telling.event().events.iter().map(|event| event.pid).collect()
}

fn listed(telling: &Telling) -> Option<Vec<u32>> {
    telling.event().list.map(|list| list.iter().map(|row| row.pid).collect())
}

#[test]
fn everybody_is_told_once_what_happened_and_nothing_when_nothing_did() {
    let (mut log, place) = log(&[1]);
    log.append(events([2, 3]), Instant::now());
    let told = log.tell(place, None).unwrap();
    assert_eq!(told.iter().map(pids).collect::<Vec<_>>(), [[2, 3]]);
    assert!(log.tell(told[0].upto, None).unwrap().is_empty());
}

#[test]
fn what_a_table_shows_is_not_told_to_who_begins_with_it() {
    let (mut log, _) = log(&[1]);
    log.append(events([2]), Instant::now());
    let begun = table(&[1, 2]);
    log.append(events([3]), Instant::now());
    let told = log.tell(log.place_after(&begun).unwrap(), None).unwrap();
    assert_eq!(told.iter().map(pids).collect::<Vec<_>>(), [[3]]);
}

#[test]
fn after_a_loss_the_list_follows_what_came_before_it_and_the_rest_follows_the_list() {
    let (mut log, place) = log(&[1]);
    log.append(events([2]), Instant::now());
    let fresh = table(&[1, 2, 7]);
    log.append(events([8]), Instant::now());
    log.begin_afresh(Lost(Some(4)), fresh);
    let told = log.tell(place, None).unwrap();
    assert_eq!(told.iter().map(pids).collect::<Vec<_>>(), [[2], [8]]);
    assert_eq!((told[0].event().lost, listed(&told[0])), (Some(Lost(Some(4))), Some(vec![1, 2, 7])));
    assert_eq!((told[1].event().lost, listed(&told[1])), (None, None));
    assert!(log.tell(told[1].upto, None).unwrap().is_empty());
}

#[test]
fn what_was_told_since_the_list_was_read_is_told_again_after_it() {
    let (mut log, place) = log(&[1]);
    let fresh = table(&[1]);
    log.append(events([2]), Instant::now());
    let place = log.tell(place, None).unwrap()[0].upto;
    log.begin_afresh(Lost(None), fresh);
    let told = log.tell(place, None).unwrap();
    assert_eq!((listed(&told[0]), pids(&told[0])), (Some(vec![1]), vec![]));
    assert_eq!(pids(&told[1]), [2]);
}

#[test]
fn losses_add_up_and_one_that_is_unknown_makes_the_sum_unknown() {
    let (mut log, place) = log(&[1]);
    log.begin_afresh(Lost(Some(4)), table(&[1]));
    log.begin_afresh(Lost(Some(5)), table(&[1]));
    assert_eq!(log.tell(place, None).unwrap()[0].event().lost, Some(Lost(Some(9))));
    log.begin_afresh(Lost(None), table(&[1]));
    assert_eq!(log.tell(place, None).unwrap()[0].event().lost, Some(Lost(None)));
}

#[test]
fn who_begins_with_a_list_older_than_a_loss_is_told_of_it() {
    let (mut log, _) = log(&[1]);
    let begun = table(&[1]);
    log.begin_afresh(Lost(Some(4)), table(&[1, 2]));
    let told = log.tell(log.place_after(&begun).unwrap(), None).unwrap();
    assert_eq!((told[0].event().lost, listed(&told[0])), (Some(Lost(Some(4))), Some(vec![1, 2])));
    assert!(log.tell(log.place_after(&table(&[1, 2])).unwrap(), None).unwrap().is_empty());
}

#[test]
fn what_is_not_kept_is_counted_and_needs_a_newer_table() {
    let (mut log, place) = log(&[1]);
    let old = table(&[1]);
    log.append(events(0..MAX_EVENTS as u32 + 10), Instant::now());
    assert_eq!(log.tell(place, None).unwrap_err(), Forgotten);
    assert_eq!(log.tell(place, Some(&old)).unwrap_err(), Forgotten);
    assert_eq!(log.place_after(&old), Err(Forgotten));
    let told = log.tell(place, Some(&table(&[1, 2]))).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].event().lost, listed(&told[0])), (Some(Lost(Some(10))), Some(vec![1, 2])));
    assert_eq!((pids(&told[0]).len(), pids(&told[0])[0]), (MAX_EVENTS, 10));
}

#[test]
fn long_command_lines_are_forgotten_sooner() {
    let (mut log, _) = log(&[1]);
    let mut long = events(0..100);
    for event in &mut long {
        event.cmdline = Some(vec![Arc::from("x".repeat(MAX_BYTES / 20))].into());
    }
    log.append(long, Instant::now());
    assert_eq!(log.events.len(), 19);
}

#[test]
fn without_the_kernel_sweeps_are_compared() {
    let first = table(&[1, 5]);
    let mut log = Log::new(WatchSource::Sweeps, first.clone());
    let place = log.place_after(&first).unwrap();
    let second = table(&[1, 9]);
    log.compare(&second);
    log.compare(&first);
    let told = log.tell(place, None).unwrap();
    let kinds: Vec<_> = told[0].event().events.iter().map(|event| (event.kind, event.pid)).collect();
    assert_eq!(kinds, [(LifecycleKind::Exited, 5), (LifecycleKind::Started, 9)]);
    assert!(log.tell(log.place_after(&second).unwrap(), None).unwrap().is_empty());
}

#[test]
fn when_the_kernel_ceases_to_tell_the_next_sweep_is_a_new_beginning() {
    let (mut log, place) = log(&[1]);
    let early = table(&[1]);
    log.append(events([2]), Instant::now());
    log.lose_the_kernel();
    log.compare(&early);
    assert!(log.afresh.is_none(), "it does not show what was told already");
    log.compare(&table(&[1, 2, 3]));
    log.compare(&table(&[1, 2, 3, 4]));
    let told = log.tell(place, None).unwrap();
    let first: Value = serde_json::to_value(told[0].event()).unwrap();
    assert_eq!((&first["source"], &first["lost"]), (&json!("sweeps"), &Value::Null));
    assert_eq!((pids(&told[0]), listed(&told[0])), (vec![2], Some(vec![1, 2, 3])));
    assert_eq!((told[1].event().source, pids(&told[1])), (None, vec![4]));
}
