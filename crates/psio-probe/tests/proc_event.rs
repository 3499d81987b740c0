//! What the parser makes of messages of the process events connector, recorded on Linux 6.18 (x86-64), and of others.
#![cfg(target_endian = "little")]

use psio_probe::parse::ParseError;
use psio_probe::parse::proc_event::{Event, Message, exit_code_or_signal, listen, parse};

const ANSWER: &str = "4c000000030000000000000000000000010000000100000000000000010000002800000000000000010000004b336f7d1e0a0000000000000000000000000000000000000000000000000000";
const FORK: &str = "4c00000003000000010000000000000001000000010000000100000000000000280000000100000001000000e615737d1e0a0000b1120000b1120000da120000da1200000000000000000000";
const EXEC: &str = "4c000000030000000200000000000000010000000100000002000000000000002800000002000000010 00000efc6897d1e0a0000da120000da12000000000000000000000000000000000000";
const EXIT: &str = "4c00000003000000030000000000000001000000010000000300000000000000280000000000008001000000 6d1d967d1e0a0000da120000da1200000000000011000000b1120000b1120000";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// The fork with other words from the event's own part on: what, cpu, two of time, then what depends on the kind.
fn with_words(start: usize, words: &[u32]) -> Vec<u8> {
    let mut message = bytes(FORK);
    for (index, word) in words.iter().enumerate() {
        let offset = 36 + (start + index) * 4;
        message[offset..offset + 4].copy_from_slice(&word.to_ne_bytes());
    }
    message
}

fn event(message: &[u8]) -> Event {
    parse(message).expect("a message").event
}

#[test]
fn an_answer_repeats_the_number_of_the_request() {
    let expected =
        Message { seq: 0, ack: 1, cpu: Some(1), timestamp_ns: 11_126_069_736_267, event: Event::Answer { errno: 0 } };
    assert_eq!(parse(&bytes(ANSWER)), Ok(expected));
}

#[test]
fn a_fork_names_parent_and_child() {
    let expected = Message {
        seq: 1,
        ack: 0,
        cpu: Some(1),
        timestamp_ns: 11_126_069_990_886,
        event: Event::Fork { parent_tgid: 4785, tid: 4826, tgid: 4826 },
    };
    assert_eq!(parse(&bytes(FORK)), Ok(expected));
}

#[test]
fn an_exec_names_the_process() {
    assert_eq!(event(&bytes(EXEC)), Event::Exec { tgid: 4826 });
}

#[test]
fn an_exit_tells_status_and_parent() {
    assert_eq!(event(&bytes(EXIT)), Event::Exit { tid: 4826, tgid: 4826, status: 0, parent_tgid: Some(4785) });
}

#[test]
fn an_exit_whose_parent_is_not_told_has_none() {
    let exit = with_words(0, &[0x8000_0000, 0, 1, 0, 7, 7, 0x100, 17, 0, 0]);
    assert_eq!(event(&exit), Event::Exit { tid: 7, tgid: 7, status: 0x100, parent_tgid: None });
}

#[test]
fn a_change_of_user_tells_the_real_one() {
    let user = with_words(0, &[4, 0, 1, 0, 7, 6, 1000, 0]);
    assert_eq!(event(&user), Event::User { tid: 7, tgid: 6, real: 1000 });
}

#[test]
fn names_groups_and_what_is_to_come_are_of_no_interest() {
    for kind in [0x40, 0x80, 0x100, 0x200, 0x4000_0000, 0x2000_0000, 8] {
        assert_eq!(event(&with_words(0, &[kind])), Event::Other);
    }
}

#[test]
fn a_message_of_no_cpu_says_so() {
    assert_eq!(parse(&with_words(1, &[u32::MAX])).unwrap().cpu, None);
}

#[test]
fn a_status_is_an_exit_code_or_a_signal() {
    assert_eq!(exit_code_or_signal(0), (Some(0), None));
    assert_eq!(exit_code_or_signal(3 << 8), (Some(3), None));
    assert_eq!(exit_code_or_signal(255 << 8), (Some(255), None));
    assert_eq!(exit_code_or_signal(9), (None, Some(9)));
    // With a core dump.
    assert_eq!(exit_code_or_signal(11 | 0x80), (None, Some(11)));
    assert_eq!(exit_code_or_signal(u32::MAX), (None, Some(127)));
}

#[test]
fn every_cut_is_an_error_that_says_what_was_expected() {
    for message in [ANSWER, FORK, EXEC, EXIT].map(bytes) {
        for length in 0..message.len() {
            assert!(parse(&message[..length]).is_err(), "{length} bytes of {}", message.len());
        }
    }
    assert_eq!(parse(b""), Err(ParseError("a netlink header")));
}

#[test]
fn lengths_that_lie_are_errors() {
    let with = |offset: usize, value: &[u8]| {
        let mut message = bytes(FORK);
        message[offset..offset + value.len()].copy_from_slice(value);
        message
    };
    // Of the netlink message: too long, too short, none at all.
    for length in [77_u32, u32::MAX, 16, 15, 3, 0] {
        assert!(parse(&with(0, &length.to_ne_bytes())).is_err(), "netlink length {length}");
    }
    // Of the connector's data: too long, too short for a fork.
    for length in [41_u16, u16::MAX, 31, 15, 0] {
        assert!(parse(&with(32, &length.to_ne_bytes())).is_err(), "connector length {length}");
    }
}

#[test]
fn messages_of_other_kinds_are_errors() {
    let mut error = bytes(FORK);
    error[4] = 2;
    assert_eq!(parse(&error), Err(ParseError("a netlink message of type NLMSG_DONE")));
    let mut other_connector = bytes(FORK);
    other_connector[16] = 3;
    assert_eq!(parse(&other_connector), Err(ParseError("a message of the process events connector")));
}

#[test]
fn no_garbage_panics() {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut message = bytes(FORK);
        for _ in 0..3 {
            let index = usize::from(next()) % message.len();
            message[index] = next();
        }
        message.truncate(usize::from(next()));
        understood += usize::from(parse(&message).is_ok());
    }
    assert!(understood > 1_000, "some of them are still messages: {understood}");
}

#[test]
fn a_request_is_a_message_that_asks_to_listen() {
    let request = listen(0x0102_0304);
    assert_eq!(
        request,
        bytes("2800000003000000 0000000000000000 0100000001000000 00000000 04030201 04000000 01000000")
    );
}
