//! A bad link between two network namespaces: two TUN devices and, between them, threads that delay, limit, lose, reorder and
//! drop packets as `tc netem` would. In user space, because kernels without netem are common (this needs root, or a user
//! namespace, and `/dev/net/tun`); TCP, TLS and MQTT above it are the real ones.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The unit's side and the broker's, in the range that is kept for documentation.
const NEAR: &str = "192.0.2.1";
pub const FAR: &str = "192.0.2.2";

/// What the link does to each packet, in both directions alike.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Bits a second; 0: no limit.
    pub rate: u64,
    pub delay: Duration,
    /// Out of a hundred packets.
    pub lost: u32,
    /// Out of a hundred, so many overtake the others.
    pub reordered: u32,
    /// Out of a hundred, so many come twice.
    pub doubled: u32,
    /// Everything vanishes, and nobody is told.
    pub cut: bool,
}

/// As many packets queue as netem lets by default: on a slow link minutes of them.
const QUEUE: usize = 1000;

pub struct Link {
    near: Namespace,
    far: Namespace,
    weather: Arc<Mutex<Weather>>,
    over: Arc<AtomicBool>,
}

impl Link {
    /// # Errors
    /// Where the machine does not let a test make namespaces or TUN devices.
    pub fn lay(weather: Weather) -> io::Result<Self> {
        let (near, far) = (Namespace::make()?, Namespace::make()?);
        let near_end = Arc::new(near.inside(|| tun(NEAR))?);
        let far_end = Arc::new(far.inside(|| tun(FAR))?);
        let link = Self { near, far, weather: Arc::new(Mutex::new(weather)), over: Arc::default() };
        link.carry(near_end.clone(), far_end.clone());
        link.carry(far_end, near_end);
        Ok(link)
    }

    pub fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Runs this on the unit's side. Threads and processes that it starts stay there.
    pub fn near<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        self.near.inside(run)
    }

    /// The same on the broker's side.
    pub fn far<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        self.far.inside(run)
    }

    /// One direction: a thread takes packets and decides their fate, another hands them over when they are due. Both end with
    /// the first packet after the link is dropped, or with the process.
    fn carry(&self, from: Arc<File>, to: Arc<File>) {
        let road = Arc::new((Mutex::new(BTreeMap::<(Instant, u64), Vec<u8>>::new()), Condvar::new()));
        let (weather, over, way) = (self.weather.clone(), self.over.clone(), road.clone());
        std::thread::spawn(move || {
            let (mut chance, mut free, mut number) = (Chance(0x2545_f491_4f6c_dd1d), Instant::now(), 0);
            let mut packet = vec![0; 65536];
            while let Ok(length) = from.as_ref().read(&mut packet) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let weather = *weather.lock().unwrap();
                let mut packets = way.0.lock().unwrap();
                if weather.cut || chance.hits(weather.lost) || packets.len() >= QUEUE {
                    continue;
                }
                let now = Instant::now();
                if weather.rate > 0 {
                    let takes = Duration::from_secs_f64(length as f64 * 8.0 / weather.rate as f64);
                    free = free.max(now) + takes;
                }
                let sent = if weather.rate > 0 { free } else { now };
                let copies = 1 + u32::from(chance.hits(weather.doubled));
                for _ in 0..copies {
                    let early = chance.hits(weather.reordered);
                    let due = if early { sent } else { sent + weather.delay };
                    number += 1;
                    packets.insert((due, number), packet[..length].to_vec());
                }
                way.1.notify_one();
            }
        });
        let over = self.over.clone();
        std::thread::spawn(move || {
            let (packets, more) = &*road;
            let mut waiting = packets.lock().unwrap();
            while !over.load(Ordering::Relaxed) {
                let now = Instant::now();
                let due = waiting.first_key_value().map(|((due, _), _)| *due);
                match due {
                    Some(due) if due <= now => {
                        let (_, packet) = waiting.pop_first().expect("it is the first");
                        drop(waiting);
                        // A device that is going down takes nothing.
                        let _ = to.as_ref().write(&packet);
                        waiting = packets.lock().unwrap();
                    }
                    _ => {
                        let patience = due.map_or(Duration::from_millis(100), |due| due - now);
                        waiting = more.wait_timeout(waiting, patience).unwrap().0;
                    }
                }
            }
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A network of its own, which lives as long as this.
struct Namespace(File);

impl Namespace {
    fn make() -> io::Result<Self> {
        let made = std::thread::spawn(|| {
            // SAFETY: unshare(2) takes flags alone; it moves this new thread, and nothing else, into a new network.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                return Err(io::Error::last_os_error());
            }
            ip("link set lo up")?;
            File::open("/proc/thread-self/ns/net")
        });
        made.join().expect("it does not panic").map(Self)
    }

    fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                // SAFETY: setns(2) takes a descriptor, which is open as long as `self`, and moves only this new thread.
                let moved = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
                assert_eq!(moved, 0, "a namespace cannot be entered: {}", io::Error::last_os_error());
                run()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// A TUN device with this address in the network of the calling thread.
fn tun(address: &str) -> io::Result<File> {
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: `ifreq` is plain data, for which zero bytes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"link0") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the request is valid for the call, which reads and fills it.
    if unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    ip(&format!("addr add {address}/30 dev link0"))?;
    ip("link set link0 up")?;
    Ok(device)
}

fn ip(words: &str) -> io::Result<()> {
    let output = Command::new("ip").args(words.split(' ')).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Marsaglia's xorshift: the same losses in every run.
struct Chance(u64);

impl Chance {
    fn hits(&mut self, percent: u32) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % 100 < u64::from(percent)
    }
}
