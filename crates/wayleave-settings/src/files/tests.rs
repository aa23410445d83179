use std::sync::mpsc::channel;
use std::time::Duration;

use super::read::within;
use super::*;
use crate::testing::Directory;

#[test]
fn only_regular_files_of_a_bounded_length_are_read() {
    let directory = Directory::new();
    let file = directory.file("file", "12345");
    assert_eq!(read(&file, 5), Ok(b"12345".to_vec()));
    let missing = directory.path().join("none");
    for (path, most, told) in [
        (file.as_path(), 4, "it has more than 4 bytes"),
        (directory.path(), 9, "this is a directory; give a regular file"),
        (&missing, 9, "there is no such file"),
        #[cfg(unix)]
        (Path::new("/dev/zero"), 9, "this is a device; give a regular file"),
    ] {
        let said = read(path, most).unwrap_err().to_string();
        assert!(said.starts_with(told), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_to_is_told_and_not_waited_for() {
    let directory = Directory::new();
    let path = directory.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert_eq!(read(&path, 9), Err(Unread::NoFile("a pipe")));
}

#[test]
fn a_file_that_hangs_is_given_up_and_not_begun_again_until_it_answers() {
    let path = Path::new("/on/a/mount/that/hangs");
    let (answer, hung) = channel::<()>();
    let hangs = within(path, Duration::from_millis(20), move || {
        let _ = hung.recv();
        Ok(b"late".to_vec())
    });
    assert_eq!(hangs, Err(Unread::Hangs));
    let patience = Duration::from_secs(20);
    assert_eq!(within(path, patience, || panic!("it is begun again")), Err(Unread::Hangs));
    answer.send(()).unwrap();
    // Its thread lets go of the path a moment after that.
    while within(path, patience, || Ok(b"now".to_vec())) != Ok(b"now".to_vec()) {
        std::thread::yield_now();
    }
}

#[test]
fn a_change_counts_once_it_was_the_same_at_two_looks() {
    let mut rest = AtRest::new(1);
    let looks = [(1, false), (2, false), (3, false), (3, true), (3, false), (1, false), (1, true)];
    for (number, (print, is_new)) in looks.into_iter().enumerate() {
        assert_eq!(rest.look(print), is_new, "look {number}");
    }
    assert!(!rest.read(1) && rest.read(2), "at once, when asked");
    assert!(!rest.look(2));
}

#[tokio::test]
async fn whoever_asks_gets_what_is_there_now() {
    struct Counting(u32);
    impl Look for Counting {
        type Found = u32;

        fn look(&mut self) -> Option<u32> {
            None
        }

        fn read(&mut self) -> u32 {
            self.0 += 1;
            self.0
        }
    }
    let mut follower = Follower::start(Counting(0), Duration::from_millis(1)).unwrap();
    for number in 1..=2 {
        assert_eq!(follower.ask(), number);
        assert_eq!(follower.next().await, (u32::try_from(number).unwrap(), Some(number)));
    }
}
