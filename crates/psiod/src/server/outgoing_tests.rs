use super::super::deflate::inflate;
use super::*;

#[test]
fn the_header_is_in_its_shortest_form() {
    assert_eq!(Header::new(TEXT, 0).as_bytes(), b"\x81\x00");
    assert_eq!(Header::new(TEXT, 125).as_bytes(), b"\x81\x7d");
    assert_eq!(Header::new(TEXT, 126).as_bytes(), b"\x81\x7e\x00\x7e");
    assert_eq!(Header::new(TEXT, 65_535).as_bytes(), b"\x81\x7e\xff\xff");
    assert_eq!(Header::new(TEXT, 65_536).as_bytes(), b"\x81\x7f\0\0\0\0\0\x01\0\0");
}

#[test]
fn parts_are_one_payload() {
    let message = Outgoing::text([Bytes::from("{"), Bytes::from("1"), Bytes::from("}")]);
    assert_eq!(&message.into_frame()[..], b"\x81\x03{1}");
    assert_eq!(&Outgoing::binary([]).into_frame()[..], b"\x82\x00");
}

/// The bytes that go to a connection that compresses in `window`.
fn sent(message: Outgoing, window: Option<Window>) -> Vec<u8> {
    let frame = message.frame(window);
    let bytes = [frame.header.as_bytes(), &frame.parts.concat()].concat();
    assert_eq!(Some(bytes.len()), frame_len(&bytes));
    assert_eq!(bytes.len(), frame.len());
    bytes
}

/// What a client makes of a compressed frame of 126 to 65535 bytes.
fn understood(frame: &[u8]) -> Vec<u8> {
    assert_eq!((frame[0] & 0xf0, frame[1]), (FIN | COMPRESSED, 126));
    let mut plain = Vec::new();
    inflate(&frame[4..], usize::MAX, &mut plain).unwrap();
    plain
}

fn list(rows: usize) -> Bytes {
    (0..rows).map(|pid| format!("{{\"pid\":{pid},\"name\":\"worker\"}},")).collect::<String>().into()
}

#[test]
fn a_shared_body_is_compressed_once_whatever_the_heads() {
    let body = Arc::new(Shared::new(list(1000)));
    for window in [Window::Full, Window::Small] {
        let frames = ["", "{\"id\":1,", "{\"id\":\"another\",\"seq\":12345,"].map(|head| {
            let message = Outgoing::shared(Kind::Text, Head::from_slice(head.as_bytes()), &body);
            assert_eq!(understood(&sent(message.clone(), Some(window))), [head.as_bytes(), body.plain()].concat());
            message.frame(Some(window))
        });
        assert!(frames.iter().all(|frame| frame.parts[1].as_ptr() == frames[0].parts[1].as_ptr()));
    }
}

#[test]
fn other_messages_are_compressed_for_their_connection() {
    let message = Outgoing::text([Bytes::from("{\"id\":1,"), list(100), Bytes::from("}")]);
    let plain = [b"{\"id\":1,", &list(100)[..], b"}"].concat();
    assert_eq!(understood(&sent(message.clone(), Some(Window::Full))), plain);
    assert_eq!(&sent(message, None)[4..], plain);
}

#[test]
fn what_compression_does_not_help_goes_as_it_is() {
    let incompressible: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let messages = [
        Outgoing::text([list(3)]),
        Outgoing::binary([Bytes::from(incompressible.clone())]),
        Outgoing::shared(Kind::Binary, Head::from_slice(b"head"), &Arc::new(Shared::new(incompressible))),
        Outgoing::shared(Kind::Text, Head::from_slice(&list(3)), &Arc::new(Shared::new(""))),
        Outgoing::preframed(Outgoing::text([list(100)]).into_frame()),
        Outgoing::shared(Kind::Text, Head::from_elem(b'h', 70_000), &Arc::new(Shared::new(list(100)))),
    ];
    for message in messages {
        assert_eq!(sent(message.clone(), Some(Window::Full)), sent(message, None));
    }
}

#[test]
fn a_preframed_message_is_shared_not_copied() {
    let frame = Outgoing::text([Bytes::from("shared")]).into_frame();
    let again = Outgoing::preframed(frame.clone()).into_frame();
    assert_eq!(again.as_ptr(), frame.as_ptr());
}

#[test]
fn a_long_close_reason_is_cut_between_characters() {
    let mut frame = BytesMut::new();
    put_close(&mut frame, Some(1002), &"é".repeat(100));
    assert_eq!(frame.len(), 2 + 2 + 122);
    assert!(std::str::from_utf8(&frame[4..]).is_ok());
}

#[test]
fn a_close_without_a_code_is_empty() {
    let mut frame = BytesMut::new();
    put_close(&mut frame, None, "ignored");
    assert_eq!(&frame[..], b"\x88\x00");
}
