use std::future::poll_fn;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::reactor::{Reactor, Side, Socket};
use crate::wait::Waiters;

#[test]
fn a_deadline_that_has_passed_is_forgotten() {
    let reactor = Reactor::new().unwrap();
    let deadline = reactor.now() + Duration::from_millis(5);
    let (sender, receiver) = mpsc::channel::<()>();
    let (mut polls, mut is_due) = (0, false);
    reactor.run(poll_fn(|cx| {
        polls += 1;
        if !is_due && reactor.poll_deadline(deadline).is_ready() {
            is_due = true;
            // Nobody asks for another deadline; the thread sleeps until it is called.
            let (waker, sender) = (cx.waker().clone(), sender.clone());
            thread::spawn(move || {
                Arc::new(Waiters::default()).wait(Some(Duration::from_millis(50)), |_| Poll::<()>::Pending);
                sender.send(()).unwrap();
                waker.wake();
            });
        }
        if receiver.try_recv().is_ok() { Poll::Ready(()) } else { Poll::Pending }
    }));
    assert!(is_due && polls <= 6, "{polls}");
}

#[test]
fn a_socket_tells_of_both_sides_and_leaves_when_it_is_dropped() {
    let reactor = Reactor::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let socket = Socket::new(stream, &reactor);
    let (peer, _) = listener.accept().unwrap();
    let mut bytes = [0; 4];
    reactor.run(poll_fn(|cx| {
        match socket.poll(Side::Reader, cx, |mut stream| io::Read::read(&mut stream, &mut bytes)) {
            Poll::Pending => {
                if socket.poll_writable(cx).is_ready() {
                    io::Write::write_all(&mut &peer, b"told").unwrap();
                }
                Poll::Pending
            }
            Poll::Ready(count) => {
                assert_eq!((count.unwrap(), &bytes), (4, b"told"));
                Poll::Ready(())
            }
        }
    }));
    assert_eq!(reactor.socket_count(), 1);
    drop(socket);
    assert_eq!(reactor.socket_count(), 0);
}
