use super::*;

/// Text that compresses like a process list: the same words, other numbers.
fn list(size: usize) -> Vec<u8> {
    let mut seed = 12_345_u32;
    let mut text = String::new();
    while text.len() < size {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("{{\"pid\":{},\"name\":\"worker\",\"cpu_percent\":{}}},", seed >> 16, seed >> 24));
    }
    text.truncate(size);
    text.into_bytes()
}

fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(size)
    .collect()
}

fn inflated(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    inflate(packed, 1 << 24, &mut plain).unwrap();
    plain
}

/// With a decoder that has no more than the window, and hands its output out in little pieces.
fn inflated_within(packed: &[u8], window: Window) -> Vec<u8> {
    let mut decoder = Decompress::new_with_window_bits(false, window.bits());
    let mut plain = Vec::new();
    let all = [packed, &TAIL].concat();
    let mut piece = [0; 100];
    loop {
        let (read, written) = (decoder.total_in() as usize, decoder.total_out());
        decoder.decompress(&all[read..], &mut piece, FlushDecompress::None).unwrap();
        let size = (decoder.total_out() - written) as usize;
        plain.extend_from_slice(&piece[..size]);
        if size < piece.len() {
            return plain;
        }
    }
}

#[test]
fn what_is_compressed_inflates_to_itself_in_every_window() {
    for window in [Window::Full, Window::Small] {
        for size in [0, 1, 255, 5000, 65_536, 300_000] {
            for plain in [list(size), noise(size), vec![b'a'; size]] {
                let packed = compress(&[&plain], window);
                assert_eq!(inflated(&packed), plain, "{size} bytes in {window:?}");
                assert_eq!(inflated_within(&packed, window), plain, "{size} bytes in {window:?}");
            }
        }
    }
}

#[test]
fn parts_are_compressed_as_one() {
    let plain = list(3000);
    let (a, b) = plain.split_at(1234);
    assert_eq!(inflated(&compress(&[a, b"", b], Window::Full)), plain);
}

#[test]
fn any_head_may_stand_before_a_shared_body() {
    for window in [Window::Full, Window::Small] {
        let body = list(40_000);
        let packed = compress(&[&body], window);
        for size in [1, 2, 17, 255, 256, 5000, 65_535] {
            let head = noise(size);
            let message = [&stored_header(size as u16)[..], &head, &packed].concat();
            assert_eq!(inflated_within(&message, window), [&head[..], &body].concat(), "a head of {size}");
        }
    }
}

#[test]
fn lists_become_much_smaller() {
    let packed = compress(&[&list(112_000)], Window::Full);
    assert!(packed.len() < 112_000 / 2, "{}", packed.len());
}

#[test]
fn the_limit_itself_is_inflated_and_one_byte_more_is_not() {
    for size in [0, 1, 1023, 1024, 1025, 5000] {
        let packed = compress(&[&list(size)], Window::Full);
        let mut plain = Vec::new();
        assert_eq!(inflate(&packed, size, &mut plain), Ok(()));
        assert_eq!(plain.len(), size);
        if size > 0 {
            assert_eq!(inflate(&packed, size - 1, &mut Vec::new()), Err(TOO_LARGE));
        }
    }
}

#[test]
fn a_bomb_takes_no_more_than_the_limit() {
    let packed = compress(&[&vec![0; 50_000_000]], Window::Full);
    assert!(packed.len() < 1_000_000, "{}", packed.len());
    let mut plain = Vec::new();
    assert_eq!(inflate(&packed, 65_536, &mut plain), Err(TOO_LARGE));
    assert!(plain.capacity() <= 65_537, "{}", plain.capacity());
}

#[test]
fn what_is_no_deflate_data_is_refused_and_the_next_message_is_read() {
    assert_eq!(inflate(&[0xff; 20], 1000, &mut Vec::new()), Err(INVALID));
    assert_eq!(inflated(&compress(&[b"good again"], Window::Full)), b"good again");
}

#[test]
fn last_blocks_may_stand_anywhere() {
    let last = |plain: &[u8]| {
        let mut packed = Vec::with_capacity(1000);
        Compress::new(LEVEL, false).compress_vec(plain, &mut packed, FlushCompress::Finish).unwrap();
        packed
    };
    assert_eq!(inflated(&last(b"hello")), b"hello");
    assert_eq!(inflated(&[last(b"hello"), vec![0]].concat()), b"hello");
    assert_eq!(inflated(&[last(b"one "), last(b"two ")].concat()), b"one two ");
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // RFC 7692 §7.2.3.1 to §7.2.3.4, and its empty message of §7.2.3.6.
    assert_eq!(inflated(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), b"Hello");
    assert_eq!(inflated(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]), b"Hello");
    assert_eq!(inflated(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), b"Hello");
    assert_eq!(inflated(&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]), b"Hello");
    assert_eq!(inflated(&[0x00]), b"");
}

#[test]
fn peers_decide_with_whom_compression_is_agreed() {
    let peers: [IpAddr; 4] = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.1"].map(|text| text.parse().unwrap());
    assert_eq!(peers.map(|peer| Deflate::Remote.is_for(peer)), [false, false, false, true]);
    assert_eq!(peers.map(|peer| Deflate::Always.is_for(peer)), [true; 4]);
    assert_eq!(peers.map(|peer| Deflate::Never.is_for(peer)), [false; 4]);
}
