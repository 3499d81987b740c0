//! The watch from its first to its last holder.

use futures_util::StreamExt;
use psio_api::data::access::Viewer;
use psio_api::request::Mode;
use serde_json::{Map, Value};

use super::fake::{Account, Kernel, Machine, events, lost, started};
use super::*;
use crate::dispatch::Service;
use crate::subscriptions::{Feed, Said};

const PATIENCE: Duration = Duration::from_secs(10);

async fn until(mut condition: impl FnMut() -> bool, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn tell(kernel: &Kernel, batch: psio_probe::LifecycleBatch) {
    kernel.send(Ok(batch)).unwrap();
}

/// What there is to tell: a source, whether there is a list, and of whom.
fn told(watch: &Watch, place: Place) -> Vec<(Option<WatchSource>, bool, Vec<u32>)> {
    let tellings = watch.log().tell(place, None).unwrap();
    let pids = |event: &ProcessWatchEvent| event.events.iter().map(|event| event.pid).collect();
    tellings.iter().map(Telling::event).map(|event| (event.source, event.list.is_some(), pids(&event))).collect()
}

#[tokio::test]
async fn everybody_shares_one_watch_and_its_thread_ends_with_the_last() {
    let (machine, (kernel, account)) = (Machine::new(&[1]), Account::new());
    let (sampler, lifecycle) = (machine.sampler(), account.lifecycle());
    let watch = lifecycle.watch(&sampler).await.unwrap();
    assert!(Arc::ptr_eq(&watch, &lifecycle.watch(&sampler).await.unwrap()));
    let (_, place) = watch.begin(&sampler).await.unwrap();
    tell(&kernel, started([7]));
    until(|| !told(&watch, place).is_empty(), "it is told").await;
    assert_eq!(told(&watch, place), [(None, false, vec![7])]);
    drop(watch);
    until(|| kernel.send(Ok(started([8]))).is_err(), "the thread has let go of its source").await;
    assert_eq!(lifecycle.watch(&sampler).await.unwrap().log().source(), WatchSource::Sweeps);
}

#[tokio::test]
async fn who_begins_within_the_same_moment_shares_the_list() {
    let (machine, (_kernel, account)) = (Machine::new(&[1]), Account::new());
    let sampler = machine.sampler();
    let watch = account.lifecycle().watch(&sampler).await.unwrap();
    let ((first, _), (second, _)) = (watch.begin(&sampler).await.unwrap(), watch.begin(&sampler).await.unwrap());
    assert!(Arc::ptr_eq(&first, &second));
}

#[tokio::test]
async fn coming_and_going_does_not_cause_more_sweeps_than_anything_else_may() {
    let machine = Machine::new(&[1]);
    let (sampler, lifecycle) = (machine.sampler(), Account::new().1.lifecycle());
    lifecycle.watch(&sampler).await.unwrap();
    let (began, before) = (Instant::now(), machine.sweeps());
    for _ in 0..5 {
        lifecycle.watch(&sampler).await.unwrap();
    }
    assert!(began.elapsed() >= MIN_MAX_AGE * 4, "{:?}", began.elapsed());
    assert!(machine.sweeps() - before <= 5);
}

#[tokio::test]
async fn after_a_loss_the_source_is_seeded_again_and_the_list_told() {
    let (machine, (kernel, account)) = (Machine::new(&[1]), Account::new());
    let (sampler, seeds) = (machine.sampler(), account.seeds.clone());
    let watch = account.lifecycle().watch(&sampler).await.unwrap();
    let (_, place) = watch.begin(&sampler).await.unwrap();
    machine.become_home_of(&[1, 2]);
    tell(&kernel, lost(Some(3)));
    until(|| !told(&watch, place).is_empty(), "the list is told").await;
    assert_eq!(*seeds.lock().unwrap(), [vec![1], vec![1, 2]]);
    let tellings = watch.log().tell(place, None).unwrap();
    let event = serde_json::to_value(tellings[0].event()).unwrap();
    assert_eq!((&event["lost"], &event["list"][1]["pid"]), (&3.into(), &2.into()));
}

#[tokio::test]
async fn when_the_kernel_ceases_to_tell_sweeps_go_on() {
    let (machine, (kernel, account)) = (Machine::new(&[1]), Account::new());
    let sampler = machine.sampler();
    let watch = account.lifecycle().watch(&sampler).await.unwrap();
    let (_, place) = watch.begin(&sampler).await.unwrap();
    kernel.send(Err(LifecycleUnavailable::NoAnswer(PATIENCE))).unwrap();
    until(|| watch.log().source() == WatchSource::Sweeps, "the source is another").await;
    watch.sweep(&sampler, Duration::ZERO).await.unwrap();
    assert_eq!(told(&watch, place), [(Some(WatchSource::Sweeps), true, vec![])]);
    machine.become_home_of(&[1, 6]);
    watch.sweep(&sampler, Duration::ZERO).await.unwrap();
    assert_eq!(told(&watch, place)[1], (None, false, vec![6]));
}

#[tokio::test]
async fn who_begins_later_is_not_told_what_their_list_shows() {
    let (machine, (_kernel, account)) = (Machine::new(&[1]), Account::new());
    let sampler = machine.sampler();
    let watch = account.lifecycle().watch(&sampler).await.unwrap();
    watch.log().append(events([4]), Instant::now());
    tokio::time::sleep(MIN_MAX_AGE).await;
    let (_, place) = watch.begin(&sampler).await.unwrap();
    assert!(told(&watch, place).is_empty());
}

async fn next(feed: &mut Feed) -> (u64, Value) {
    match tokio::time::timeout(PATIENCE, feed.next()).await.unwrap() {
        Some(Said::Event(seq, answer)) => (seq, serde_json::from_slice(&answer.data()).unwrap()),
        _ => panic!("the feed has ended"),
    }
}

#[tokio::test]
async fn a_feed_tells_what_happens_and_nobody_listens_when_it_is_dropped() {
    let (machine, (kernel, account)) = (Machine::new(&[1]), Account::new());
    let service = Arc::new(Service::new(machine.sampler(), Arc::default(), account.lifecycle()));
    let ticking = tokio::spawn(service.clone().tick());
    let mut feed = service.subscribe("process.watch", Map::new(), 100, Mode::Delta, Viewer::STRANGER).await.unwrap();
    let (seq, first) = next(&mut feed).await;
    assert_eq!((seq, &first["source"], &first["list"][0]["pid"]), (1, &"proc_connector".into(), &1.into()));
    for (number, pid) in [(2, 7), (3, 8)] {
        tell(&kernel, started([pid]));
        let (seq, event) = next(&mut feed).await;
        assert_eq!((seq, &event["events"][0]["pid"]), (number, &pid.into()));
    }
    drop(feed);
    until(|| kernel.send(Ok(started([9]))).is_err(), "the thread has let go of its source").await;
    ticking.abort();
}

#[tokio::test]
async fn it_cannot_be_asked_for() {
    let service = Arc::new(Service::new(Machine::new(&[1]).sampler(), Arc::default(), Account::new().1.lifecycle()));
    let error = service.read("process.watch", Map::new(), Viewer::STRANGER).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
}
