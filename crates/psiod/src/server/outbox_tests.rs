use std::task::Waker;

use super::*;

/// Takes at most `limit` bytes per write.
struct Sink {
    limit: usize,
    taken: Vec<u8>,
    writes: usize,
}

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let size = bytes.len().min(self.limit);
        self.taken.extend_from_slice(&bytes[..size]);
        self.writes += 1;
        Poll::Ready(Ok(size))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(self.limit).collect();
        self.taken.extend_from_slice(&all);
        self.writes += 1;
        Poll::Ready(Ok(all.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn drain(outbox: &mut Outbox, limit: usize) -> Sink {
    let mut sink = Sink { limit, taken: Vec::new(), writes: 0 };
    let mut cx = Context::from_waker(Waker::noop());
    while !outbox.is_empty() {
        assert!(matches!(outbox.poll_write(&mut sink, &mut cx), Poll::Ready(Ok(_))));
    }
    sink
}

fn messages() -> Vec<Outgoing> {
    let large = Bytes::from(vec![b'x'; 5000]);
    (0..40)
        .map(|n| match n % 3 {
            0 => Outgoing::text([Bytes::from(format!("small {n}"))]),
            1 => Outgoing::text([Bytes::from("{"), large.clone(), Bytes::from("}")]),
            _ => Outgoing::preframed(Outgoing::text([large.clone()]).into_frame()),
        })
        .collect()
}

#[test]
fn bytes_leave_in_order_however_the_socket_cuts_them() {
    let expected: Vec<u8> = messages().into_iter().flat_map(Outgoing::into_frame).collect();
    for limit in [1, 7, 1000, 4999, 5001, usize::MAX] {
        let mut outbox = Outbox::default();
        messages().into_iter().for_each(|message| outbox.push(message));
        assert_eq!(outbox.len(), expected.len());
        assert_eq!(drain(&mut outbox, limit).taken, expected, "limit {limit}");
    }
}

#[test]
fn a_batch_of_small_replies_is_one_write() {
    let mut outbox = Outbox::default();
    (0..1000).for_each(|_| outbox.push(Outgoing::text([Bytes::from("{}"), Bytes::from("[]")])));
    outbox.push_pong(b"ping");
    outbox.push_close(Some(1000), "");
    assert_eq!(drain(&mut outbox, usize::MAX).writes, 1);
}

#[test]
fn a_begun_frame_is_finished_and_nothing_after_it_is_kept() {
    let frames: Vec<Bytes> = messages().into_iter().map(Outgoing::into_frame).collect();
    let all = frames.concat();
    let borders: Vec<usize> = frames
        .iter()
        .scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        })
        .collect();
    let around =
        borders.iter().flat_map(|border| [-4_isize, -1, 0, 1, 3, 2000].map(|by| border.wrapping_add_signed(by)));
    for taken in around.chain([0, 1]).filter(|taken| *taken < all.len()) {
        for step in [97, 5003] {
            let mut outbox = Outbox::default();
            messages().into_iter().for_each(|message| outbox.push(message));
            let mut sink = Sink { limit: step, taken: Vec::new(), writes: 0 };
            while sink.taken.len() < taken {
                sink.limit = step.min(taken - sink.taken.len());
                let _ = outbox.poll_write(&mut sink, &mut Context::from_waker(Waker::noop()));
            }
            outbox.drop_unbegun();
            let end = if taken == 0 { 0 } else { *borders.iter().find(|border| **border >= taken).unwrap() };
            assert_eq!(outbox.len(), end - taken);
            outbox.push_close(Some(1013), "");
            let rest = drain(&mut outbox, 700).taken;
            assert!([sink.taken, rest].concat() == [&all[..end], b"\x88\x02\x03\xf5"].concat(), "after {taken}");
        }
    }
}

#[test]
fn dropping_gives_the_memory_back() {
    let large = Bytes::from(vec![0; 1_000_000]);
    let mut outbox = Outbox::default();
    (0..20_000).for_each(|_| outbox.push(Outgoing::text([Bytes::from(vec![b'x'; 100])])));
    outbox.push(Outgoing::text([large.clone()]));
    let mut sink = Sink { limit: 50, taken: Vec::new(), writes: 0 };
    let _ = outbox.poll_write(&mut sink, &mut Context::from_waker(Waker::noop()));
    outbox.drop_unbegun();
    assert!(large.is_unique());
    assert_eq!((outbox.len(), outbox.pieces.len()), (52, 1));
    assert!(outbox.pieces[0].is_unique());
}

#[test]
fn large_parts_are_not_copied() {
    let large = Bytes::from(vec![0; 100_000]);
    let mut outbox = Outbox::default();
    outbox.push(Outgoing::text([large.clone()]));
    assert_eq!(outbox.pieces[1].as_ptr(), large.as_ptr());
    assert_eq!(outbox.len(), 100_010);
}
