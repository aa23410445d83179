use super::escaped;

#[test]
fn what_is_not_printable_is_escaped_and_never_cut_in_half() {
    for (bytes, limit, expected) in [
        (&b"curl/8.5"[..], 120, "curl/8.5"),
        (b"a\r\nb\x1b[2J", 120, "a\\x0d\\x0ab\\x1b[2J"),
        (b"\xffa\\", 120, "\\xffa\\\\"),
        (b"abc", 2, "ab"),
        (b"ab\n", 5, "ab"),
        (b"ab\n", 6, "ab\\x0a"),
        (b"\\", 1, ""),
        (b"x", 0, ""),
    ] {
        assert_eq!(escaped(bytes, limit), expected);
    }
}
