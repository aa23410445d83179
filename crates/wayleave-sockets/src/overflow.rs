//! What the system dropped before anybody could receive it.

/// How many datagrams of `socket` the system has dropped since it was opened, mostly because its buffer was full.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub fn overflowed(socket: &impl std::os::fd::AsRawFd) -> u64 {
    // `SO_RXQ_OVFL` would tell the same number with each datagram, and cost a control message for each.
    let mut numbers = [0_u32; NUMBERS];
    let mut length = libc::socklen_t::try_from(size_of_val(&numbers)).unwrap_or_default();
    // SAFETY: the system writes at most `length` bytes to `numbers`, which is that long and outlives the call; any bytes are
    // numbers. A descriptor that is none is an error.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // Systems before Linux 4.12 do not know the option and leave zero.
    if result == 0 { u64::from(numbers[DROPS]) } else { 0 }
}

/// Elsewhere the platform does not tell.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub fn overflowed<S>(_: &S) -> u64 {
    0
}

/// As many numbers as `SO_MEMINFO` has, and the place of the drops among them (`SK_MEMINFO_VARS` and `SK_MEMINFO_DROPS`).
#[cfg(any(target_os = "android", target_os = "linux"))]
const NUMBERS: usize = 9;
#[cfg(any(target_os = "android", target_os = "linux"))]
const DROPS: usize = 8;
