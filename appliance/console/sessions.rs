//! Who is signed in: tokens to people, in memory alone. A restart signs everybody out.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use tokio::sync::watch;

use super::accounts::Person;
use crate::crypto::{hex, random, sha256};
use crate::words::{Moment, PersonName};

/// Without use for this long a session ends (CJIS Security Policy).
const IDLE: Duration = Duration::from_secs(30 * 60);
/// However busy, a session ends after a long shift.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// More people than ever stand at one unit; the longest unused makes room.
const SESSIONS_MAX: usize = 64;

/// What a signed-in request carries.
#[derive(Debug, Clone)]
pub struct Session {
    pub person: Person,
    csrf: String,
    began: Moment,
    used: Moment,
    over: watch::Receiver<()>,
}

impl Session {
    /// The token that every form of this session repeats, so that no other site can send one.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    pub fn csrf_fits(&self, shown: &str) -> bool {
        verify_slices_are_equal(self.csrf.as_bytes(), shown.as_bytes()).is_ok()
    }

    /// Returns once it was ended: somebody signed out, or was signed out.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut over = self.over.clone();
        // Nothing is ever sent: that the sender is gone is the message.
        async move { while over.changed().await.is_ok() {} }
    }

    fn is_over(&self, now: Moment) -> bool {
        now.since(&self.used) >= IDLE || now.since(&self.began) >= LONGEST
    }
}

/// A session, and what its end is told by: whatever waits for it wakes up when this is dropped.
struct Kept {
    session: Session,
    _alive: watch::Sender<()>,
}

#[derive(Default)]
pub struct Sessions {
    /// By the token's digest: a lookup then tells nothing of a token through its time.
    by_digest: HashMap<[u8; 32], Kept>,
}

impl Sessions {
    /// The token to put into the cookie; 256 random bits.
    pub fn begin(&mut self, person: Person, now: Moment) -> String {
        self.by_digest.retain(|_, kept| !kept.session.is_over(now));
        if self.by_digest.len() >= SESSIONS_MAX {
            let oldest = self.by_digest.iter().min_by_key(|(_, kept)| kept.session.used).map(|(key, _)| *key);
            oldest.map(|key| self.by_digest.remove(&key));
        }
        let token = hex(&random::<32>());
        let (alive, over) = watch::channel(());
        let session = Session { person, csrf: hex(&random::<32>()), began: now, used: now, over };
        self.by_digest.insert(sha256(token.as_bytes()), Kept { session, _alive: alive });
        token
    }

    /// The session of a token; `used` says whether a person did something, which a page that refreshes
    /// itself did not.
    pub fn look(&mut self, token: &str, used: bool, now: Moment) -> Option<Session> {
        let digest = sha256(token.as_bytes());
        let Kept { session, .. } = self.by_digest.get_mut(&digest)?;
        if session.is_over(now) {
            self.by_digest.remove(&digest);
            return None;
        }
        if used {
            session.used = now;
        }
        Some(session.clone())
    }

    pub fn end(&mut self, token: &str) {
        self.by_digest.remove(&sha256(token.as_bytes()));
    }

    /// For a person whose account was disabled or reset: signed out everywhere, at once.
    pub fn end_all_of(&mut self, name: &PersonName) {
        self.by_digest.retain(|_, kept| kept.session.person.name != *name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::accounts::Role;
    use crate::system::{Clock, ManualClock};

    fn person(name: &str) -> Person {
        Person { name: PersonName::parse(name).unwrap(), role: Role::Officer }
    }

    fn clock() -> ManualClock {
        ManualClock::at(jiff::Timestamp::from_second(1_790_000_000).unwrap())
    }

    #[test]
    fn thirty_minutes_without_use_sign_out() {
        let (clock, mut sessions) = (clock(), Sessions::default());
        let token = sessions.begin(person("Jo Hill"), clock.now());
        clock.advance(Duration::from_secs(29 * 60));
        assert!(sessions.look(&token, true, clock.now()).is_some());
        clock.advance(Duration::from_secs(29 * 60));
        // A page that polls is no use.
        assert!(sessions.look(&token, false, clock.now()).is_some());
        clock.advance(Duration::from_secs(60));
        assert!(sessions.look(&token, true, clock.now()).is_none());
    }

    #[test]
    fn a_step_of_the_wall_clock_neither_ends_nor_extends_a_session() {
        let (clock, mut sessions) = (clock(), Sessions::default());
        let token = sessions.begin(person("Jo Hill"), clock.now());
        clock.step_wall(jiff::Timestamp::from_second(1_890_000_000).unwrap());
        assert!(sessions.look(&token, false, clock.now()).is_some());
        clock.step_wall(jiff::Timestamp::from_second(1_590_000_000).unwrap());
        clock.advance(IDLE);
        assert!(sessions.look(&token, false, clock.now()).is_none());
    }

    #[test]
    fn no_session_outlives_a_shift() {
        let (clock, mut sessions) = (clock(), Sessions::default());
        let token = sessions.begin(person("Jo Hill"), clock.now());
        for _ in 0..47 {
            clock.advance(Duration::from_secs(15 * 60));
            assert!(sessions.look(&token, true, clock.now()).is_some());
        }
        clock.advance(Duration::from_secs(15 * 60));
        assert!(sessions.look(&token, true, clock.now()).is_none());
    }

    #[test]
    fn a_person_is_signed_out_everywhere_and_others_stay() {
        let (clock, mut sessions) = (clock(), Sessions::default());
        let tokens = ["Jo Hill", "Jo Hill", "Sam Poe"].map(|name| sessions.begin(person(name), clock.now()));
        sessions.end_all_of(&person("Jo Hill").name);
        let alive = tokens.map(|token| sessions.look(&token, true, clock.now()).is_some());
        assert_eq!(alive, [false, false, true]);
    }

    #[test]
    fn many_sign_ins_push_out_the_longest_unused() {
        let (clock, mut sessions) = (clock(), Sessions::default());
        let first = sessions.begin(person("Jo Hill"), clock.now());
        clock.advance(Duration::from_secs(1));
        let second = sessions.begin(person("Jo Hill"), clock.now());
        for _ in 2..=SESSIONS_MAX {
            clock.advance(Duration::from_secs(1));
            sessions.begin(person("Jo Hill"), clock.now());
        }
        assert!(sessions.look(&first, true, clock.now()).is_none());
        assert!(sessions.look(&second, true, clock.now()).is_some());
    }
}
