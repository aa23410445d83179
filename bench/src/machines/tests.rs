use super::*;

#[test]
fn every_case_does_its_work() {
    for name in names() {
        repeat(name, 1).unwrap();
    }
}
