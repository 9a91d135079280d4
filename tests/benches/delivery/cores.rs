//! Who runs where, and what they used.

/// The cores that a process is held to.
#[derive(Debug, Clone, Copy)]
pub enum Cores {
    First,
    /// All but the first; on a machine with one core that one.
    Others,
}

/// Holds a process and all threads that it will start to some cores. 0 is this thread and what it starts.
pub fn hold(process: u32, cores: Cores) {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let chosen = match cores {
        Cores::First => 0..1,
        Cores::Others => 1.min(count - 1)..count,
    };
    // SAFETY: the set is plain data, made and filled here, and the kernel only reads it.
    let held = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        chosen.for_each(|core| libc::CPU_SET(core, &mut set));
        libc::sched_setaffinity(process.cast_signed(), size_of_val(&set), &raw const set)
    };
    assert_eq!(held, 0, "a process can be held to a core: {}", std::io::Error::last_os_error());
}

/// Seconds of processor time that a process has had.
pub fn seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(')').expect("the name ends so, by proc(5)");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|field| field.parse::<f64>().expect("in ticks")).sum::<f64>() / 100.0
}
