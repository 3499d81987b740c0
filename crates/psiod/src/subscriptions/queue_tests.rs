//! Who is told what, however slowly they read.

use psio_api::commands::process_watch::WatchSource;
use psio_api::data::access::Viewer;
use psio_api::request::Mode;
use serde_json::{Value, json};

use super::*;
use crate::answers::Question;
use crate::lifecycle::fake::{Machine, events, table, watch};
use crate::stats::Stats;
use crate::subscriptions::group::{GroupKey, Told};
use crate::subscriptions::subscriber::{Listener, Seat, Subscriber};

/// A group whose log a test writes.
struct Group {
    hub: Arc<Hub>,
    watch: Arc<Watch>,
    queue: Arc<Queue>,
    machine: Machine,
    sampler: Sampler,
}

impl Group {
    fn new() -> Self {
        let machine = Machine::new(&[1]);
        let table = table(&[1]);
        let watch = watch(WatchSource::ProcConnector, table.clone());
        let place = watch.log().place_after(&table).unwrap();
        let queue = Arc::new(Queue::new(watch.clone(), place));
        let hub = Arc::new(Hub::new(Arc::new(Stats::default())));
        Self { hub, watch, queue, sampler: machine.sampler(), machine }
    }

    /// Somebody whose list shows what has happened up to now.
    fn join(&self) -> QueueListener {
        self.join_with(&table(&[1]))
    }

    fn join_with(&self, table: &Table) -> QueueListener {
        self.join_as(Seat::new(self.hub.clone()).clone(), table)
    }

    fn join_as(&self, member: Arc<Subscriber>, table: &Table) -> QueueListener {
        let viewer = Viewer::STRANGER;
        let question = Question { command: "process.watch", params: Box::default(), mode: Mode::Whole, viewer };
        let key = GroupKey { question, interval_ms: 100 };
        let membership = self.hub.join(key, || Told::Queue(self.queue.clone()), 0, member);
        let place = self.watch.log().place_after(table).unwrap();
        let first = rendered(&ProcessWatchEvent::first(WatchSource::ProcConnector, &table.sample.value), 5);
        QueueListener::new(self.hub.clone(), self.queue.clone(), membership, first, place)
    }

    fn happens(&self, pids: impl IntoIterator<Item = u32>) {
        self.watch.log().append(events(pids), Instant::now());
    }

    async fn tick(&self) -> bool {
        self.queue.tick(&self.sampler, Duration::ZERO).await.unwrap()
    }

    /// One tick more than is kept, each with one event.
    async fn overflow(&self) {
        for pid in 0..=MAX_TICKS as u32 {
            self.happens([pid]);
            self.tick().await;
        }
    }
}

fn heard(listener: &mut QueueListener) -> Vec<(u64, Value)> {
    let mut heard = Vec::new();
    listener.hear(&mut |said| match said {
        Said::Event(seq, answer) => heard.push((seq, serde_json::from_slice(&answer.data()).unwrap())),
        Said::End(error) => panic!("ended: {error}"),
    });
    heard
}

fn pids(event: &Value) -> Vec<u64> {
    event["events"].as_array().unwrap().iter().map(|event| event["pid"].as_u64().unwrap()).collect()
}

fn seqs_and_pids(heard: &[(u64, Value)]) -> Vec<(u64, Vec<u64>)> {
    heard.iter().map(|(seq, event)| (*seq, pids(event))).collect()
}

#[tokio::test]
async fn silence_is_not_counted() {
    let group = Group::new();
    let mut listener = group.join();
    assert_eq!(heard(&mut listener)[0].1["source"], "proc_connector");
    for pid in [2, 3] {
        assert!(!group.tick().await);
        group.happens([pid]);
        assert!(group.tick().await);
    }
    assert_eq!(seqs_and_pids(&heard(&mut listener)), [(2, vec![2]), (3, vec![3])]);
    assert!(heard(&mut listener).is_empty());
}

#[tokio::test]
async fn the_bytes_are_shared() {
    let group = Group::new();
    let (mut one, mut other) = (group.join(), group.join());
    group.happens([2]);
    group.tick().await;
    let mut answers = Vec::new();
    for listener in [&mut one, &mut other] {
        listener.hear(&mut |said| {
            if let Said::Event(2, answer) = said {
                answers.push(answer);
            }
        });
    }
    assert!(answers.len() == 2 && Arc::ptr_eq(&answers[0], &answers[1]));
}

#[tokio::test]
async fn a_newcomer_is_not_told_what_their_list_shows_and_misses_nothing_of_the_rest() {
    let group = Group::new();
    let _first = group.join();
    group.happens([2]);
    let mut newcomer = group.join();
    group.tick().await;
    group.happens([3]);
    let mut another = group.join();
    group.happens([4]);
    group.tick().await;
    assert_eq!(seqs_and_pids(&heard(&mut newcomer)), [(1, vec![]), (2, vec![3, 4])]);
    assert_eq!(seqs_and_pids(&heard(&mut another)), [(1, vec![]), (2, vec![4])]);
}

#[tokio::test]
async fn a_newcomer_with_an_older_list_is_told_what_the_others_know_already() {
    let group = Group::new();
    let older = table(&[1]);
    group.happens([2]);
    group.tick().await;
    let mut newcomer = group.join_with(&older);
    assert_eq!(seqs_and_pids(&heard(&mut newcomer)), [(1, vec![]), (2, vec![2])]);
}

#[tokio::test]
async fn a_slow_reader_is_told_all_that_is_kept() {
    let group = Group::new();
    let mut slow = group.join();
    for pid in 0..MAX_TICKS as u32 {
        group.happens([pid]);
        group.tick().await;
    }
    let heard = heard(&mut slow);
    assert!(heard.iter().map(|(seq, _)| *seq).eq(1..=1 + MAX_TICKS as u64));
}

#[tokio::test]
async fn one_who_is_slower_is_told_how_much_is_lost_and_the_list() {
    let group = Group::new();
    let mut slow = group.join();
    heard(&mut slow);
    let ticks = MAX_TICKS as u32 + 5;
    for pid in 0..ticks {
        group.happens([2 * pid, 2 * pid + 1]);
        group.tick().await;
    }
    assert!(heard(&mut slow).is_empty(), "there is no list yet");
    group.machine.become_home_of(&[1, 77]);
    assert!(group.queue.relieve(&group.sampler).await.unwrap());
    assert!(!group.queue.relieve(&group.sampler).await.unwrap(), "nobody else waits");
    group.happens([500]);
    group.tick().await;
    let heard = heard(&mut slow);
    let (seq, event) = &heard[0];
    assert_eq!((*seq, &event["lost"], &event["events"]), (1 + u64::from(ticks), &json!(2 * ticks), &json!([])));
    assert_eq!((&event["list"][1]["pid"], event.get("source")), (&json!(77), None));
    assert_eq!(seqs_and_pids(&heard[1..]), [(2 + u64::from(ticks), vec![500])]);
}

#[tokio::test]
async fn a_list_serves_everybody_who_waits_until_it_is_too_old() {
    let group = Group::new();
    let (mut slow, mut slower, mut slowest) = (group.join(), group.join(), group.join());
    for listener in [&mut slow, &mut slower, &mut slowest] {
        heard(listener);
    }
    group.overflow().await;
    assert!(heard(&mut slow).is_empty());
    group.queue.relieve(&group.sampler).await.unwrap();
    for listener in [&mut slow, &mut slower] {
        assert_eq!(heard(listener)[0].1["lost"], 65);
    }
    group.overflow().await;
    assert!(heard(&mut slowest).is_empty(), "what followed that list is not kept any more");
    group.queue.relieve(&group.sampler).await.unwrap();
    assert_eq!(heard(&mut slowest)[0].1["lost"], 130);
}

#[tokio::test]
async fn what_the_kernel_lost_is_told_to_everybody() {
    let group = Group::new();
    let mut listener = group.join();
    heard(&mut listener);
    group.happens([2]);
    let fresh = table(&[1, 2]);
    group.happens([3]);
    group.watch.log().begin_afresh(Lost(None), fresh);
    group.tick().await;
    let heard = heard(&mut listener);
    assert_eq!(seqs_and_pids(&heard), [(2, vec![2]), (3, vec![3])]);
    assert_eq!((heard[0].1.get("lost"), &heard[0].1["list"][1]["pid"]), (Some(&Value::Null), &json!(2)));
    assert_eq!(heard[1].1.get("lost"), None);
}

#[tokio::test]
async fn what_is_more_than_the_log_keeps_is_counted() {
    let group = Group::new();
    let mut listener = group.join();
    heard(&mut listener);
    group.happens(0..20_000);
    group.tick().await;
    let heard = heard(&mut listener);
    let (seq, event) = &heard[0];
    let lost = event["lost"].as_u64().unwrap();
    assert_eq!((*seq, lost + pids(event).len() as u64), (2, 20_000));
    assert!(lost > 0 && event["list"].is_array());
}

#[tokio::test]
async fn a_seat_that_is_given_up_leaves_nothing_behind() {
    let group = Group::new();
    let seat = Seat::new(group.hub.clone());
    let (early, late) = (seat.reserve(&1.into()).unwrap(), seat.reserve(&2.into()).unwrap());
    let [first, second] = [(); 2].map(|()| Listener::Queue(Box::new(group.join_as(seat.clone(), &table(&[1])))));
    seat.begin(early, first);
    let subscriber = Arc::clone(&seat);
    drop(seat);
    subscriber.begin(late, second);
    assert!(group.hub.groups().is_empty());
    assert_eq!(Arc::strong_count(&subscriber), 1);
}
