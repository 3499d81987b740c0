use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const TEXT: u8 = 0x81;
const TEXT_START: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

const MAX_MESSAGE: usize = 64 * 1024;

/// A masked frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        size @ 0..126 => bytes.push(0x80 | size as u8),
        size @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((size as u16).to_be_bytes());
        }
        size => {
            bytes.push(0x80 | 127);
            bytes.extend((size as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// Everything a reader says about `bytes` when they arrive in pieces of `step`.
fn read_in_steps(bytes: &[u8], step: usize) -> (Vec<String>, Option<Violation>) {
    read_with(Reader::new(MAX_MESSAGE), bytes, step)
}

fn read_with(mut reader: Reader, bytes: &[u8], step: usize) -> (Vec<String>, Option<Violation>) {
    let mut events = Vec::new();
    for piece in bytes.chunks(step) {
        reader.room().extend_from_slice(piece);
        let (more, violation) = read_all(&mut reader);
        events.extend(more);
        if violation.is_some() {
            return (events, violation);
        }
    }
    (events, None)
}

/// What a reader makes of the bytes it has.
fn read_all(reader: &mut Reader) -> (Vec<String>, Option<Violation>) {
    let mut events = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(event)) => events.push(format!("{event:?}")),
            Ok(None) => return (events, None),
            Err(violation) => return (events, Some(violation)),
        }
    }
}

fn read(bytes: &[u8]) -> (Vec<String>, Option<Violation>) {
    let whole = read_in_steps(bytes, bytes.len().max(1));
    for step in [1, 2, 3, 7, 130] {
        assert_eq!(read_in_steps(bytes, step), whole, "in pieces of {step}");
    }
    whole
}

/// The same where compression was agreed, cut at every byte and everywhere else.
fn read_deflate(bytes: &[u8]) -> (Vec<String>, Option<Violation>) {
    let reader = || Reader::new(MAX_MESSAGE).with_deflate(true);
    let whole = read_with(reader(), bytes, bytes.len());
    for step in [1, 2, 3, 7, 130] {
        assert_eq!(read_with(reader(), bytes, step), whole, "in pieces of {step}");
    }
    for cut in 1..bytes.len().min(500) {
        let mut reader = reader();
        reader.room().extend_from_slice(&bytes[..cut]);
        let (mut events, violation) = read_all(&mut reader);
        if violation.is_some() {
            assert_eq!((events, violation), whole, "cut at {cut}");
            continue;
        }
        reader.room().extend_from_slice(&bytes[cut..]);
        let (more, violation) = read_all(&mut reader);
        events.extend(more);
        assert_eq!((events, violation), whole, "cut at {cut}");
    }
    whole
}

fn violation_of(bytes: &[u8]) -> u16 {
    read(bytes).1.expect("a violation").code
}

#[test]
fn a_text_message_is_unmasked() {
    assert_eq!(read(&frame(TEXT, b"Hello")).0, [r#"Text("Hello")"#]);
}

#[test]
fn every_length_encoding_is_read() {
    for size in [0, 1, 7, 8, 9, 125, 126, 127, 4096, 65_535, 65_536] {
        let payload: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
        let expected = [format!("{:?}", Event::Binary(&payload))];
        for step in [1 << 20, 1000] {
            let (events, violation) = read_in_steps(&frame(0x82, &payload), step);
            assert_eq!((&events[..], violation), (&expected[..], None), "{size} in pieces of {step}");
        }
    }
}

#[test]
fn many_messages_in_one_read_come_out_one_by_one() {
    let bytes: Vec<u8> = (0..100).flat_map(|n| frame(TEXT, format!("{n}").as_bytes())).collect();
    let (events, violation) = read(&bytes);
    assert_eq!((events.len(), violation), (100, None));
    assert_eq!(events[99], r#"Text("99")"#);
}

#[test]
fn fragments_are_joined_and_control_frames_may_stand_between() {
    let bytes =
        [frame(TEXT_START, b"one "), frame(0x89, b"ping"), frame(MORE, b""), frame(0x8a, b""), frame(LAST, b"two")]
            .concat();
    assert_eq!(read(&bytes).0, [format!("{:?}", Event::Ping(b"ping")), "Pong([])".into(), r#"Text("one two")"#.into()]);
}

#[test]
fn a_character_may_be_cut_by_a_fragment_border() {
    let kappa = "κόσμε".as_bytes();
    for cut in 0..kappa.len() {
        let bytes = [frame(TEXT_START, &kappa[..cut]), frame(LAST, &kappa[cut..])].concat();
        assert_eq!(read(&bytes).0, [r#"Text("κόσμε")"#], "cut at {cut}");
    }
}

#[test]
fn bad_utf8_fails_at_its_first_wrong_byte() {
    // F4 90 can never become a character, though two more bytes are announced.
    let start = frame(TEXT, b"\xce\xba\xf4\x90\x80\x80");
    let (events, violation) = read_in_steps(&start[..start.len() - 2], 1);
    assert_eq!((events.len(), violation), (0, Some(NOT_UTF8)));
    assert_eq!(violation_of(&[frame(TEXT_START, b"\xed"), frame(MORE, b"\xa0")].concat()), 1007);
}

#[test]
fn a_character_cut_by_the_end_of_a_message_is_bad_utf8() {
    assert_eq!(violation_of(&frame(TEXT, b"\xce")), 1007);
    assert_eq!(violation_of(&[frame(TEXT_START, b"\xce"), frame(LAST, b"")].concat()), 1007);
}

#[test]
fn binary_messages_need_not_be_text() {
    assert_eq!(read(&frame(0x82, b"\xff\xfe")).0, ["Binary([255, 254])"]);
}

#[test]
fn framing_violations_are_1002() {
    let cases: [(&str, Vec<u8>); 14] = [
        ("unmasked", b"\x81\x02hi".to_vec()),
        ("RSV1", frame(0xc1, b"")),
        ("RSV2", frame(0xa1, b"")),
        ("RSV3", frame(0x91, b"")),
        ("reserved data opcode", frame(0x83, b"")),
        ("reserved control opcode", frame(0x8b, b"")),
        ("fragmented ping", frame(0x09, b"")),
        ("long ping", frame(0x89, &[0; 126])),
        ("continuation of nothing", frame(LAST, b"x")),
        ("text inside a fragmented text", [frame(TEXT_START, b"a"), frame(TEXT, b"b")].concat()),
        ("continuation after the end", [frame(TEXT_START, b"a"), frame(LAST, b""), frame(LAST, b"b")].concat()),
        ("16-bit length for 125", [&[0x82, 0xfe, 0, 125], &KEY[..]].concat()),
        ("64-bit length for 65535", [&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], &KEY[..]].concat()),
        ("highest bit of the length", [&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], &KEY[..]].concat()),
    ];
    for (name, bytes) in cases {
        assert_eq!(violation_of(&bytes), 1002, "{name}");
    }
}

#[test]
fn a_wrong_first_byte_is_refused_before_the_header_is_complete() {
    assert_eq!(violation_of(&[0xff, 0xff]), 1002);
    assert_eq!(violation_of(&[0x81, 0x7f]), 1002);
}

#[test]
fn an_oversize_message_is_refused_on_its_declared_length() {
    let declared = |size: u64| [&[0x81, 0xff], &size.to_be_bytes()[..], &KEY[..]].concat();
    assert_eq!(violation_of(&declared(64 * 1024 + 1)), 1009);
    assert_eq!(violation_of(&declared(u64::MAX >> 1)), 1009);
    assert_eq!(read(&declared(64 * 1024)), (vec![], None), "the limit itself is awaited");
}

#[test]
fn fragments_count_together_towards_the_limit() {
    let bytes = [frame(TEXT_START, &[b'a'; 40_000]), frame(LAST, &[b'a'; 40_000])].concat();
    assert_eq!(read_in_steps(&bytes, 4096).1, Some(TOO_LARGE));
}

#[test]
fn close_frames_are_checked() {
    let close = |payload: &[u8]| read(&frame(0x88, payload));
    let code = |code: u16| close(&code.to_be_bytes());
    assert_eq!(close(b"").0, ["Close(None)"]);
    assert_eq!(close(b"\x03\xe8bye").0, [r#"Close(Some(CloseReason { code: 1000, text: "bye" }))"#]);
    assert_eq!(close(b"\x03").1.map(|v| v.code), Some(1002));
    assert_eq!(close(b"\x03\xe8\xff").1.map(|v| v.code), Some(1007));
    for good in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        assert_eq!(code(good).1, None, "{good}");
    }
    for bad in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert_eq!(code(bad).1.map(|v| v.code), Some(1002), "{bad}");
    }
}

#[test]
fn nothing_is_read_after_a_close_or_a_violation() {
    let (events, _) = read(&[frame(0x88, b""), frame(TEXT, b"late")].concat());
    assert_eq!(events, ["Close(None)"]);

    let mut reader = Reader::new(64);
    reader.room().extend_from_slice(&[frame(0x83, b""), frame(TEXT, b"late")].concat());
    assert!(reader.next().is_err());
    assert_eq!(reader.next(), Ok(None));
}

#[test]
fn a_resting_reader_holds_no_buffer() {
    let mut reader = Reader::new(64 * 1024);
    for piece in frame(TEXT, &[b'a'; 60_000]).chunks(4096) {
        reader.room().extend_from_slice(piece);
        while reader.next().is_ok_and(|event| event.is_some()) {}
    }
    reader.release();
    assert_eq!((reader.input.capacity(), reader.message.capacity()), (0, 0));
}

const COMPRESSED_TEXT: u8 = 0xc1;
const COMPRESSED_TEXT_START: u8 = 0x41;

fn packed(plain: &[u8]) -> Vec<u8> {
    super::super::deflate::compress(&[plain], super::super::deflate::Window::Full).to_vec()
}

#[test]
fn a_compressed_message_is_inflated_whole_or_in_fragments() {
    let text = r#"{"type":"command","data":{"name":"cpu.getall"}}"#.repeat(5);
    let (payload, expected) = (packed(text.as_bytes()), format!("{:?}", Event::Text(&text)));
    let twice = [frame(COMPRESSED_TEXT, &payload), frame(COMPRESSED_TEXT, &payload)].concat();
    assert_eq!(read_deflate(&twice), (vec![expected.clone(), expected.clone()], None));
    for cut in 0..=payload.len() {
        let (first, second) = payload.split_at(cut);
        let bytes =
            [frame(COMPRESSED_TEXT_START, first), frame(0x89, b"ping"), frame(LAST, second), frame(TEXT, b"plain")];
        let events = [format!("{:?}", Event::Ping(b"ping")), expected.clone(), r#"Text("plain")"#.into()];
        let reader = Reader::new(MAX_MESSAGE).with_deflate(true);
        assert_eq!(read_with(reader, &bytes.concat(), 50), (events.to_vec(), None), "cut at {cut}");
    }
}

#[test]
fn an_empty_compressed_message_is_empty() {
    assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &[0])).0, [r#"Text("")"#]);
    assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &[])).0, [r#"Text("")"#]);
    let fragments = [frame(COMPRESSED_TEXT_START, &[]), frame(MORE, &[]), frame(LAST, &[0])].concat();
    assert_eq!(read_deflate(&fragments).0, [r#"Text("")"#]);
}

#[test]
fn the_limit_holds_for_what_a_message_inflates_to() {
    let just = vec![b'a'; MAX_MESSAGE];
    for payload in [&just[..], &[&just[..], b"a"].concat()] {
        let expected = if payload.len() > MAX_MESSAGE { Some(TOO_LARGE) } else { None };
        assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &packed(payload))).1, expected);
    }
    let noise: Vec<u8> = (0..MAX_MESSAGE as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let stored: Vec<u8> = noise
        .chunks(100)
        .flat_map(|part| [&[0, part.len() as u8, 0, !(part.len() as u8), 0xff], part].concat())
        .chain([0])
        .collect();
    assert!(stored.len() > MAX_MESSAGE);
    let reader = Reader::new(MAX_MESSAGE).with_deflate(true);
    assert_eq!(read_with(reader, &frame(0xc2, &stored), 4096).0, [format!("{:?}", Event::Binary(&noise))]);
    assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &vec![0; 2 * MAX_MESSAGE])).1, Some(TOO_LARGE));
}

#[test]
fn compressed_text_is_checked_when_it_is_inflated() {
    assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &packed(b"\xce"))).1, Some(NOT_UTF8));
    assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &packed("κόσμε".as_bytes()))).0, [r#"Text("κόσμε")"#]);
    assert_eq!(read_deflate(&frame(COMPRESSED_TEXT, &[0xff; 30])).1.map(|v| v.code), Some(1007));
}

#[test]
fn reserved_bits_mean_compression_only_where_they_may() {
    for (name, bytes) in [
        ("a compressed ping", frame(0xc9, b"")),
        ("a compressed pong", frame(0xca, b"")),
        ("a compressed close", frame(0xc8, b"")),
        ("a compressed continuation", [frame(COMPRESSED_TEXT_START, b""), frame(0xc0, b"")].concat()),
        ("a continuation that begins to be", [frame(TEXT_START, b""), frame(0xc0, b"")].concat()),
        ("RSV2", frame(0xa1, b"")),
        ("RSV3", frame(0x91, b"")),
        ("RSV1 and RSV2", frame(0xe1, b"")),
    ] {
        assert_eq!(read_deflate(&bytes).1.map(|v| v.code), Some(1002), "{name}");
    }
}

#[test]
fn a_reader_that_inflated_holds_no_buffer_at_rest() {
    let mut reader = Reader::new(MAX_MESSAGE).with_deflate(true);
    for size in [100, 3000, 60_000] {
        reader.room().extend_from_slice(&frame(COMPRESSED_TEXT, &packed(&vec![b'a'; size])));
        assert_eq!(read_all(&mut reader).0.len(), 1);
        reader.release();
        assert_eq!((reader.input.capacity(), reader.message.capacity()), (0, 0));
    }
}

#[test]
fn unmasking_agrees_with_the_definition_at_every_length_and_offset() {
    for size in 0..40 {
        let plain: Vec<u8> = (0..size).map(|n| (n as u8).wrapping_mul(7)).collect();
        let masked: Vec<u8> = plain.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for cut in 0..=size {
            let (mut head, mut tail) = (masked[..cut].to_vec(), masked[cut..].to_vec());
            let mut key = KEY;
            unmask(&mut head, key);
            key.rotate_left(cut % 4);
            unmask(&mut tail, key);
            assert_eq!([head, tail].concat(), plain);
        }
    }
}
