use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// An outlet that the test plays: it says how each write ends, and gets what was written.
struct Played {
    wrote: Sender<Vec<u8>>,
    answers: Arc<Mutex<Receiver<io::Result<usize>>>>,
    opened: Sender<()>,
    troubles: Sender<String>,
}

struct Out {
    wrote: Sender<Vec<u8>>,
    answers: Arc<Mutex<Receiver<io::Result<usize>>>>,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wrote.send(bytes.to_vec()).unwrap();
        // Who answers no more lets all be written.
        let answer = self.answers.lock().unwrap().recv().unwrap_or(Ok(usize::MAX));
        answer.map(|most| most.min(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outlet for Played {
    fn open(&mut self) -> io::Result<Box<dyn Write + Send>> {
        let _ = self.opened.send(());
        Ok(Box::new(Out { wrote: self.wrote.clone(), answers: Arc::clone(&self.answers) }))
    }

    fn left_out(&self, count: u64) -> String {
        format!("{count} left out\n")
    }

    fn trouble(&self, trouble: Trouble<'_>) {
        let _ = self.troubles.send(match trouble {
            Trouble::Kept(error) => format!("kept: {error}"),
            Trouble::Over(count) => format!("over: {count}"),
            Trouble::Unwritten(error) => format!("unwritten: {error}"),
        });
    }
}

struct Stage {
    lines: Lines,
    wrote: Receiver<Vec<u8>>,
    answer: Sender<io::Result<usize>>,
    opened: Receiver<()>,
    troubles: Receiver<String>,
}

impl Stage {
    fn new(most: usize) -> Self {
        let (wrote, written) = channel();
        let (answer, answers) = channel();
        let (opened, openings) = channel();
        let (troubles, told) = channel();
        let outlet = Played { wrote, answers: Arc::new(Mutex::new(answers)), opened, troubles };
        let lines = Lines::start("test", outlet, most).unwrap();
        Self { lines, wrote: written, answer, opened: openings, troubles: told }
    }

    fn push(&self, text: &str) {
        self.lines.push(text.as_bytes().to_vec());
    }

    /// What the outlet is asked to write next.
    fn asked(&self) -> String {
        String::from_utf8(self.wrote.recv_timeout(PATIENCE).unwrap()).unwrap()
    }

    /// Takes the next write whole.
    fn takes(&self) -> String {
        let text = self.asked();
        self.answer.send(Ok(usize::MAX)).unwrap();
        text
    }

    fn fails(&self, kind: io::ErrorKind) -> String {
        let text = self.asked();
        self.answer.send(Err(kind.into())).unwrap();
        text
    }
}

#[test]
fn whoever_writes_never_waits_for_a_reader_that_stands_still() {
    let stage = Stage::new(3 * (2 + COST));
    stage.push("0\n");
    assert_eq!(stage.asked(), "0\n");
    // The reader stands still from here: three wait, the rest is counted.
    for number in 1..=100 {
        stage.push(&format!("{}\n", number % 10));
    }
    assert!(!stage.lines.flush(Instant::now()), "there is something to write");
    stage.answer.send(Ok(usize::MAX)).unwrap();
    assert_eq!([(); 4].map(|()| stage.takes()), ["1\n", "2\n", "3\n", "97 left out\n"]);
    stage.push("a\n");
    assert_eq!(stage.takes(), "a\n");
    assert!(stage.lines.flush(Instant::now() + PATIENCE));
}

#[test]
fn a_reader_that_is_gone_ends_nothing_and_one_that_comes_back_hears_what_is_missing() {
    let stage = Stage::new(10_000);
    for text in ["a\n", "b\n", "c\n"] {
        stage.push(text);
        stage.fails(io::ErrorKind::BrokenPipe);
    }
    stage.push("d\n");
    assert_eq!([(); 2].map(|()| stage.takes()), ["3 left out\n", "d\n"]);
    assert!(stage.lines.flush(Instant::now() + PATIENCE));
    let told: Vec<String> = stage.troubles.try_iter().collect();
    assert_eq!(told, ["unwritten: broken pipe", "over: 3"]);
}

#[test]
fn a_full_disk_tears_no_other_line() {
    let stage = Stage::new(10_000);
    stage.push("whole\n");
    assert_eq!(stage.asked(), "whole\n");
    stage.answer.send(Ok(3)).unwrap();
    assert_eq!(stage.fails(io::ErrorKind::StorageFull), "le\n");
    stage.push("next\n");
    assert_eq!([(); 3].map(|()| stage.takes()), ["\n", "1 left out\n", "next\n"]);
}

#[test]
fn it_is_opened_anew_behind_what_waited() {
    let stage = Stage::new(10_000);
    stage.opened.recv_timeout(PATIENCE).unwrap();
    stage.push("a\n");
    assert_eq!(stage.asked(), "a\n");
    stage.push("b\n");
    stage.lines.reopen();
    stage.answer.send(Ok(usize::MAX)).unwrap();
    assert_eq!(stage.asked(), "b\n");
    assert!(stage.opened.try_recv().is_err(), "what was said before belongs to the old one");
    stage.answer.send(Ok(usize::MAX)).unwrap();
    stage.opened.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn an_outlet_that_does_not_exist_is_told_at_once() {
    struct Nowhere;
    impl Outlet for Nowhere {
        fn open(&mut self) -> io::Result<Box<dyn Write + Send>> {
            Err(io::ErrorKind::NotFound.into())
        }

        fn left_out(&self, _: u64) -> String {
            String::new()
        }
    }
    assert_eq!(Lines::start("test", Nowhere, 1_000).unwrap_err().kind(), io::ErrorKind::NotFound);
}

const PATIENCE: Duration = Duration::from_secs(20);
