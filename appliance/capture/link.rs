//! When a camera counts as lost, and when it is tried again. No I/O: it is told what happened and when.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

pub use super::fault::LinkFault;
use crate::words::Moment;

/// Without a byte for this long a camera is lost. With the look each [`LOOK`] it stays well inside the
/// 5 s in which a dead camera must be noticed; slower than one picture in 3 s no camera is set.
const SILENCE: Duration = Duration::from_millis(3500);
/// Bytes without a picture may be the wait for a key frame, which cameras send each 1 to 10 s.
const NO_PICTURE: Duration = Duration::from_secs(12);
/// How long the thread may wait for a picture before it looks around again.
const LOOK: Duration = Duration::from_millis(100);
const FIRST_REST: Duration = Duration::from_millis(500);
/// With jitter at most twice this.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// A stream that lived this long was sound, so the next fault starts with a short rest again.
const SOUND_AFTER: Duration = Duration::from_secs(10);
/// The frame rate is an average over windows of this length.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// The state of one camera's link, for whoever asks.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStatus {
    pub state: LinkState,
    pub since: Moment,
    pub last_picture: Option<Moment>,
    /// Pictures since the program started.
    pub pictures: u64,
    /// How often the link was lost or could not be made since the program started.
    pub faults: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LinkState {
    Connecting,
    Streaming(Stream),
    /// Out of order, and tried again by itself.
    Faulted(LinkFault),
    /// A file or folder that does not repeat is through, or the camera was stopped.
    Ended,
}

/// What comes over a working link.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    pub width: usize,
    pub height: usize,
    /// 0 until the first window is full.
    pub fps: f32,
    /// The element that decodes, such as `avdec_h264`; none for raw pictures.
    pub decoder: Option<Arc<str>>,
}

/// What the thread does next. On everything but `Watch` it closes the feed that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Open,
    Watch(Duration),
    Rest(Duration),
    Finish,
}

/// The life of one link.
pub(super) struct Link {
    /// Whether the end of the source is a fault, a new beginning or the end.
    at_end: AtEnd,
    phase: Phase,
    rests: ExponentialBackoff,
    rest_plan: ExponentialBuilder,
    status: LinkStatus,
}

/// What the end of the pictures means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// A camera has none.
    Fault,
    Repeat,
    Finish,
}

enum Phase {
    Idle,
    Open(Watch),
    Resting { until: Duration },
    Over,
}

/// What is known of an open feed; all times are uptimes.
struct Watch {
    opened: Duration,
    /// The feed's count of encoded buffers, and when it last rose.
    heard: (u64, Duration),
    pictured: Option<Duration>,
    window: (Duration, u32),
}

impl Link {
    pub fn new(at_end: AtEnd, now: Moment) -> Self {
        let plan = ExponentialBuilder::new()
            .with_min_delay(FIRST_REST)
            .with_max_delay(LONGEST_REST)
            .without_max_times()
            .with_jitter();
        let status = LinkStatus {
            state: LinkState::Connecting,
            since: now,
            last_picture: None,
            pictures: 0,
            faults: 0,
        };
        Self { at_end, phase: Phase::Idle, rests: plan.build(), rest_plan: plan, status }
    }

    pub fn status(&self) -> &LinkStatus {
        &self.status
    }

    /// What to do now. Notices silence, so it must be asked at least each [`LOOK`].
    pub fn turn(&mut self, now: Moment) -> Turn {
        if let Some(fault) = self.overdue(now) {
            self.failed(fault, now);
        }
        match &self.phase {
            Phase::Idle => Turn::Open,
            Phase::Open(_) => Turn::Watch(LOOK),
            Phase::Resting { until } if *until <= now.uptime => {
                self.phase = Phase::Idle;
                Turn::Open
            }
            Phase::Resting { until } => Turn::Rest(*until - now.uptime),
            Phase::Over => Turn::Finish,
        }
    }

    fn overdue(&self, now: Moment) -> Option<LinkFault> {
        let Phase::Open(watch) = &self.phase else { return None };
        let last_picture = watch.pictured.unwrap_or(watch.opened);
        let without_picture = now.uptime.saturating_sub(last_picture);
        let without_sound = now.uptime.saturating_sub(watch.heard.1.max(last_picture));
        if without_sound >= SILENCE {
            Some(LinkFault::Silent(without_sound))
        } else {
            (without_picture >= NO_PICTURE).then_some(LinkFault::NoPicture(without_picture))
        }
    }

    pub fn opened(&mut self, now: Moment) {
        self.phase = Phase::Open(Watch {
            opened: now.uptime,
            heard: (0, now.uptime),
            pictured: None,
            window: (now.uptime, 0),
        });
        // The shown state stays until a picture or a fault says otherwise: a person wants to see what is
        // wrong with the camera, or that a clip goes on, not a flicker of "connecting" at each attempt.
    }

    /// `count` encoded buffers have come so far: a sign of life before there is a picture.
    pub fn heard(&mut self, count: u64, now: Moment) {
        if let Phase::Open(watch) = &mut self.phase
            && watch.heard.0 != count
        {
            watch.heard = (count, now.uptime);
        }
    }

    pub fn picture(&mut self, width: usize, height: usize, decoder: Option<Arc<str>>, now: Moment) {
        let Phase::Open(watch) = &mut self.phase else { return };
        watch.pictured = Some(now.uptime);
        watch.window.1 += 1;
        let elapsed = now.uptime.saturating_sub(watch.window.0);
        let rate = (elapsed >= RATE_WINDOW).then(|| {
            let rate = watch.window.1 as f32 / elapsed.as_secs_f32();
            watch.window = (now.uptime, 0);
            rate
        });
        if now.uptime.saturating_sub(watch.opened) >= SOUND_AFTER {
            self.rests = self.rest_plan.build();
        }
        self.status.pictures += 1;
        self.status.last_picture = Some(now);
        match &mut self.status.state {
            LinkState::Streaming(stream) if (stream.width, stream.height) == (width, height) => {
                stream.fps = rate.unwrap_or(stream.fps);
            }
            _ => self.change(LinkState::Streaming(Stream { width, height, fps: 0.0, decoder }), now),
        }
    }

    /// The pictures came to their end.
    pub fn ended(&mut self, now: Moment) {
        let seen_any = matches!(&self.phase, Phase::Open(watch) if watch.pictured.is_some());
        match self.at_end {
            AtEnd::Fault => self.failed(LinkFault::HungUp, now),
            // Repeating what gives nothing would spin.
            _ if !seen_any => self.failed(LinkFault::Empty("the source".to_owned()), now),
            AtEnd::Repeat => self.phase = Phase::Idle,
            AtEnd::Finish => self.stopped(now),
        }
    }

    pub fn failed(&mut self, fault: LinkFault, now: Moment) {
        let rest = self.rests.next().unwrap_or(LONGEST_REST);
        let rest = if fault.wants_long_rest() { rest.max(LONGEST_REST) } else { rest };
        self.phase = Phase::Resting { until: now.uptime + rest };
        self.status.faults += 1;
        self.change(LinkState::Faulted(fault), now);
    }

    pub fn stopped(&mut self, now: Moment) {
        self.phase = Phase::Over;
        self.change(LinkState::Ended, now);
    }

    /// `since` stays while the kind of state does, so that it tells for how long a camera is gone.
    fn change(&mut self, state: LinkState, now: Moment) {
        let kind = |state: &LinkState| match state {
            LinkState::Faulted(fault) => fault.kind(),
            LinkState::Connecting => "connecting",
            LinkState::Streaming(_) => "streaming",
            LinkState::Ended => "ended",
        };
        if kind(&self.status.state) != kind(&state) {
            self.status.since = now;
        }
        self.status.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, ManualClock};

    struct Bench {
        clock: ManualClock,
        link: Link,
    }

    impl Bench {
        fn new(at_end: AtEnd) -> Self {
            let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
            let link = Link::new(at_end, clock.now());
            Self { clock, link }
        }

        fn opened(at_end: AtEnd) -> Self {
            let mut bench = Self::new(at_end);
            assert_eq!(bench.turn(), Turn::Open);
            bench.link.opened(bench.clock.now());
            bench
        }

        fn turn(&mut self) -> Turn {
            self.link.turn(self.clock.now())
        }

        fn wait(&mut self, millis: u64) {
            self.clock.advance(Duration::from_millis(millis));
        }

        fn picture(&mut self) {
            self.link.picture(1280, 720, None, self.clock.now());
        }

        fn fault(&self) -> Option<&'static str> {
            match &self.link.status().state {
                LinkState::Faulted(fault) => Some(fault.kind()),
                _ => None,
            }
        }
    }

    #[test]
    fn a_camera_that_never_answers_is_noticed_within_five_seconds() {
        let mut bench = Bench::opened(AtEnd::Fault);
        bench.wait(3400);
        assert_eq!(bench.turn(), Turn::Watch(LOOK));
        bench.wait(200);
        assert!(matches!(bench.turn(), Turn::Rest(_)));
        assert_eq!(bench.fault(), Some("silent"));
    }

    #[test]
    fn a_stream_that_stops_is_noticed_within_five_seconds() {
        let mut bench = Bench::opened(AtEnd::Fault);
        for _ in 0..50 {
            bench.wait(40);
            bench.picture();
            assert_eq!(bench.turn(), Turn::Watch(LOOK));
        }
        bench.wait(4000);
        assert!(matches!(bench.turn(), Turn::Rest(_)));
        assert_eq!(bench.fault(), Some("silent"));
    }

    #[test]
    fn data_before_the_first_key_frame_is_a_sign_of_life_but_not_for_ever() {
        let mut bench = Bench::opened(AtEnd::Fault);
        for count in 1..=11 {
            bench.wait(1000);
            bench.link.heard(count, bench.clock.now());
            assert_eq!(bench.turn(), Turn::Watch(LOOK), "after {count} s");
        }
        bench.wait(1000);
        bench.link.heard(12, bench.clock.now());
        bench.turn();
        assert_eq!(bench.fault(), Some("no-picture"));
    }

    #[test]
    fn rests_grow_to_their_cap_and_go_on_for_ever() {
        let mut bench = Bench::new(AtEnd::Fault);
        for attempt in 0..200 {
            assert_eq!(bench.turn(), Turn::Open);
            bench.link.failed(LinkFault::HungUp, bench.clock.now());
            let Turn::Rest(rest) = bench.turn() else { panic!("no rest after attempt {attempt}") };
            let planned = FIRST_REST.saturating_mul(1 << attempt.min(10)).min(LONGEST_REST);
            assert!(rest >= planned && rest <= planned * 2, "attempt {attempt} rests {rest:?}");
            bench.clock.advance(rest);
        }
        assert_eq!(bench.link.status().faults, 200);
        assert_eq!(
            bench.link.status().since.uptime,
            Duration::ZERO,
            "the same fault since the first attempt"
        );
    }

    #[test]
    fn a_sound_stream_makes_the_next_rest_short_again() {
        let mut bench = Bench::new(AtEnd::Fault);
        for _ in 0..10 {
            bench.link.failed(LinkFault::HungUp, bench.clock.now());
        }
        bench.wait(30_000);
        assert_eq!(bench.turn(), Turn::Open);
        bench.link.opened(bench.clock.now());
        for _ in 0..11 {
            bench.wait(1000);
            bench.picture();
        }
        bench.link.ended(bench.clock.now());
        let Turn::Rest(rest) = bench.turn() else { panic!("no rest after a hang-up") };
        assert!(rest <= FIRST_REST * 2, "{rest:?}");
    }

    #[test]
    fn a_wrong_password_is_not_tried_again_at_once() {
        let mut bench = Bench::opened(AtEnd::Fault);
        bench.link.failed(LinkFault::Refused, bench.clock.now());
        bench.wait(9000);
        assert!(matches!(bench.turn(), Turn::Rest(_)));
    }

    #[test]
    fn a_camera_that_changes_its_size_goes_on_streaming() {
        let mut bench = Bench::opened(AtEnd::Fault);
        bench.picture();
        bench.link.picture(640, 480, Some("avdec_h264".into()), bench.clock.now());
        let LinkState::Streaming(stream) = &bench.link.status().state else { panic!("not streaming") };
        assert_eq!((stream.width, stream.height), (640, 480));
    }

    #[test]
    fn the_frame_rate_is_measured() {
        let mut bench = Bench::opened(AtEnd::Fault);
        for _ in 0..60 {
            bench.wait(50);
            bench.picture();
        }
        let LinkState::Streaming(stream) = &bench.link.status().state else { panic!("not streaming") };
        assert!((stream.fps - 20.0).abs() < 0.5, "{}", stream.fps);
    }

    #[test]
    fn a_file_repeats_or_ends_as_it_was_told() {
        let mut bench = Bench::opened(AtEnd::Repeat);
        bench.picture();
        bench.link.ended(bench.clock.now());
        assert_eq!(bench.turn(), Turn::Open);
        assert!(matches!(bench.link.status().state, LinkState::Streaming(_)), "no flicker at the seam");

        let mut bench = Bench::opened(AtEnd::Finish);
        bench.picture();
        bench.link.ended(bench.clock.now());
        assert_eq!(bench.turn(), Turn::Finish);
        assert_eq!(bench.link.status().state, LinkState::Ended);
    }

    #[test]
    fn a_file_without_a_picture_is_a_fault_and_not_a_spin() {
        let mut bench = Bench::opened(AtEnd::Repeat);
        bench.link.ended(bench.clock.now());
        assert!(matches!(bench.turn(), Turn::Rest(_)));
        assert_eq!(bench.fault(), Some("empty"));
    }
}
