/// Blocks from this size on are the kernel's, and go back to it when they are freed.
const LARGE: libc::c_int = 1 << 20;

/// Has freed memory go back to the system. glibc learns from the first large block that is freed (a password's hash
/// takes 19 MiB) to keep such blocks, in each thread that ever had one. For a program whose memory is mostly such blocks;
/// to be called before any other thread is there.
pub fn give_back_freed_memory() {
    // SAFETY: mallopt only sets numbers of the allocator; no other thread allocates meanwhile. What it refuses (0) stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}
