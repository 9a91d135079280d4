use std::time::Duration;

use super::{Alert, Config, Hit, NOTICE, shorten};
use crate::hotlist::{Entry, Listed, Match, MatchKind, StateAgreement};
use crate::passage::Read;
use crate::words::{CameraId, Candidate, ListName, Moment, Plate, Probability, Reading, RecordId, UnitId};

/// Remembered alerts; in any real street the time runs out first.
const RECENT_MAX: usize = 1000;
/// A better read is one that is surer by this much; less is not worth an officer's second look.
const BETTER_BY: f64 = 0.05;

/// Decides what becomes an alert, and what is the same alert again.
pub struct Alerts {
    unit: UnitId,
    config: Config,
    recent: Vec<Recent>,
    repeats: u64,
}

struct Recent {
    what: What,
    alert: Alert,
    /// Uptime at which the vehicle was last matched.
    last: Duration,
}

/// A listed vehicle at a camera.
#[derive(PartialEq)]
struct What {
    camera: CameraId,
    list: ListName,
    entry: Entry,
    /// A pattern may fit many vehicles; what was read tells them apart.
    plate: Option<Plate>,
}

impl What {
    fn of(read: &Read, matched: &Match) -> Self {
        Self {
            camera: read.camera.clone(),
            list: matched.list.list.clone(),
            plate: (matched.kind == MatchKind::Pattern).then_some(matched.read_as),
            entry: matched.entry.clone(),
        }
    }
}

impl Alerts {
    pub fn new(unit: UnitId, config: Config) -> Self {
        Self { unit, config, recent: Vec::new(), repeats: 0 }
    }

    /// The alerts of one read: new ones, and those whose `revision` rose because this read says more than the one
    /// before, or takes back what that said.
    pub fn decide(&mut self, read: &Read, matches: Vec<Match>, now: Moment) -> Vec<Alert> {
        let window = self.config.repeat_after();
        self.recent
            .retain(|recent| recent.alert.read == read.id || now.uptime.saturating_sub(recent.last) < window);
        let Some(best) = read.candidates.first() else { return Vec::new() };
        let mut matched_again = Vec::new();
        let mut alerts = Vec::new();
        for matched in matches {
            if let Some((id, alert)) = self.decide_one(read, best, matched, now) {
                matched_again.push(id);
                alerts.extend(alert);
            }
        }
        alerts.extend(self.take_back(read, best, &matched_again, now));
        alerts
    }

    /// Whether a match is likely enough for an alert. One that is not must not make a read a hit either, since more is
    /// kept of hits, and for longer.
    pub fn concerns(&self, matched: &Match) -> bool {
        self.hit(matched).is_some()
    }

    /// Which of a read's matches raised no alert, and why: for the audit log, once [`Alerts::decide`] has decided about it.
    pub fn suppressed(&self, read: &Read, matches: &[Match]) -> Vec<(ListName, String)> {
        let why = |matched: &Match| {
            if self.hit(matched).is_none() {
                let percent = matched.probability.value() * 100.0;
                return Some(format!("too unlikely: {percent:.0} %"));
            }
            let what = What::of(read, matched);
            let recent = self.recent.iter().find(|recent| recent.what == what)?;
            (recent.alert.read != read.id)
                .then(|| format!("the same vehicle had just raised the alert {}", recent.alert.id))
        };
        matches.iter().filter_map(|matched| Some((matched.list.list.clone(), why(matched)?))).collect()
    }

    /// Reads of a vehicle that had just raised an alert, and were no better.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// The alert that the match belongs to, and the alert itself if people must see it.
    fn decide_one(
        &mut self,
        read: &Read,
        best: &Candidate,
        matched: Match,
        now: Moment,
    ) -> Option<(RecordId, Option<Alert>)> {
        let hit = self.hit(&matched)?;
        let what = What::of(read, &matched);
        let alert = self.alert(read, best, matched, hit, now);
        if let Some(recent) = self.recent.iter_mut().find(|recent| recent.what == what) {
            recent.last = now.uptime;
            let id = recent.alert.id;
            if !says_more(&alert, &recent.alert) {
                self.repeats += 1;
                return Some((id, None));
            }
            return Some((id, Some(recent.update(alert))));
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.remove(0);
        }
        self.recent.push(Recent { what, alert: alert.clone(), last: now.uptime });
        Some((alert.id, Some(alert)))
    }

    /// A passage's final read may correct its early one, on whose word somebody may be about to stop a vehicle. What it
    /// no longer matches stays an alert, since people have seen it, but one that says so.
    fn take_back(
        &mut self,
        read: &Read,
        best: &Candidate,
        matched_again: &[RecordId],
        now: Moment,
    ) -> Vec<Alert> {
        let mut recent = std::mem::take(&mut self.recent);
        let outdone = recent
            .iter_mut()
            .filter(|recent| recent.alert.read == read.id && !matched_again.contains(&recent.alert.id));
        let taken_back = outdone.map(|recent| {
            let matched = no_longer(&recent.alert.matched, &recent.what.entry, read);
            recent.update(self.alert(read, best, matched, Hit::Possible, now))
        });
        let taken_back = taken_back.collect();
        self.recent = recent;
        taken_back
    }

    /// None: too unlikely for an alert.
    fn hit(&self, matched: &Match) -> Option<Hit> {
        let sure = matched.probability >= self.config.full_from;
        let exact = matched.kind == MatchKind::Exact;
        if exact && sure && matched.state != StateAgreement::Differs {
            Some(Hit::Full)
        } else {
            (matched.probability >= self.config.possible_from).then_some(Hit::Possible)
        }
    }

    fn alert(&self, read: &Read, best: &Candidate, matched: Match, hit: Hit, now: Moment) -> Alert {
        let (state, state_confidence) = read.state.best().unzip();
        shorten::fit(Alert {
            id: RecordId::new(),
            revision: 1,
            unit: self.unit.clone(),
            camera: read.camera.clone(),
            seen: read.last_seen.wall,
            read: read.id,
            text: best.plate,
            confidence: best.probability,
            doubtful: doubtful(&read.reading, &best.plate, &self.config),
            state,
            state_confidence,
            course: read.course(),
            level: matched.entry.level(),
            hit,
            list_age_s: matched.list.age_s(now.wall),
            position: None,
            matched,
            notice: NOTICE.to_owned(),
        })
    }
}

impl Recent {
    /// The same alert in the light of another read.
    fn update(&mut self, new: Alert) -> Alert {
        let revision = self.alert.revision.saturating_add(1);
        self.alert = Alert { id: self.alert.id, revision, ..new };
        self.alert.clone()
    }
}

/// Whether a read of an alerted vehicle is worth another look. One that takes something back always is: of the
/// same passage it is the better vote, and of another it must have seen the state more surely.
fn says_more(new: &Alert, old: &Alert) -> bool {
    let surer = new.matched.probability.value() >= old.matched.probability.value() + BETTER_BY;
    let better = new.hit > old.hit || (new.hit == old.hit && surer);
    let same_passage = new.read == old.read;
    let other_words = new.hit != old.hit || new.text != old.text;
    let other_state = new.matched.state != old.matched.state
        && (same_passage || new.state_confidence > old.state_confidence);
    better || other_state || (same_passage && other_words)
}

/// What is left of a match that this read of the same passage does not bear out.
fn no_longer(old: &Match, entry: &Entry, read: &Read) -> Match {
    let probability = match &entry.plate {
        Listed::Plate(plate) => read.reading.probability_of(plate),
        Listed::Pattern(pattern) => {
            let fitting = read.candidates.iter().filter(|candidate| pattern.fits(&candidate.plate));
            Probability::clamped(fitting.map(|candidate| candidate.probability.value()).sum())
        }
    };
    let kind = if old.kind == MatchKind::Exact { MatchKind::LookAlike } else { old.kind };
    Match {
        entry: entry.clone(),
        kind,
        probability,
        state: StateAgreement::of(entry.state, &read.state),
        state_probability: entry.state.map(|state| read.state.probability_of(state)),
        ..old.clone()
    }
}

/// The positions whose character was read with less than enough confidence.
fn doubtful(reading: &Reading, text: &Plate, config: &Config) -> Vec<u8> {
    let slots = reading.slots().iter().zip(text.as_bytes()).zip(0..);
    slots
        .filter(|((slot, character), _)| {
            f64::from(slot.probability_of(Some(**character))) < config.doubtful_below.value()
        })
        .map(|(_, position)| position)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::capture::{Frame, OwnedPlanes};
    use crate::hotlist::{Category, Level, ListVersion, Listed, Text};
    use crate::passage::Direction;
    use crate::vision::Corners;
    use crate::words::{ALPHABET, Place, Position, Probability, Slot, State, StateReading};

    fn at(seconds: u64) -> Moment {
        let uptime = Duration::from_secs(seconds);
        Moment { uptime, wall: "2026-06-01T12:00:00Z".parse::<Timestamp>().unwrap() + uptime }
    }

    /// A read of `text` that is as sure of each character as `sure` says.
    fn read(text: &str, sure: f32, camera: &str, now: Moment) -> Read {
        let slot = |&character: &u8| {
            let mut logits = [((1.0 - sure) / 36.0).ln(); 37];
            logits[ALPHABET.iter().position(|&c| c == character).unwrap()] = sure.ln();
            Slot::from_logits(&logits)
        };
        let reading = Reading::new(text.as_bytes().iter().map(slot).collect());
        let camera = CameraId::parse(camera).unwrap();
        let scene = Frame::new(camera.clone(), now, 0, Arc::new(OwnedPlanes::grey(vec![0], 1, 1)));
        let mut state = [0.0; 52];
        state[State::Ma as usize] = 9.0;
        Read {
            id: RecordId::new(),
            camera,
            started: now.wall,
            ended: now.wall,
            last_seen: now,
            candidates: reading.candidates(5, Probability::clamped(0.01)),
            reading,
            state: StateReading::from_logits(&state),
            sightings: 9,
            direction: Direction::Approaching,
            lane: None,
            corners: Corners([(0.0, 0.0); 4]),
            width_px: 130.0,
            sharpness: 9.0,
            scene,
        }
    }

    fn matched(plate: &str, kind: MatchKind, probability: f64, state: StateAgreement) -> Match {
        let list = ListName::parse("state").unwrap();
        Match {
            entry: Entry::new(Listed::parse(plate).unwrap(), Category::Stolen),
            kind,
            probability: Probability::clamped(probability),
            read_as: Plate::parse("ABC123").unwrap(),
            state,
            state_probability: None,
            list: ListVersion { list, version: 3, issued: at(0).wall },
        }
    }

    fn alerts() -> Alerts {
        Alerts::new(UnitId::parse("unit-1").unwrap(), Config::default())
    }

    fn hit(kind: MatchKind, probability: f64, state: StateAgreement) -> Option<Hit> {
        let read = read("ABC123", 0.99, "north", at(0));
        let raised = alerts().decide(&read, vec![matched("ABC123", kind, probability, state)], at(0));
        raised.first().map(|alert| alert.hit)
    }

    #[test]
    fn only_a_sure_exact_match_whose_state_does_not_differ_is_a_full_hit() {
        use {MatchKind::*, StateAgreement::*};
        assert_eq!(hit(Exact, 0.95, Equal), Some(Hit::Full));
        assert_eq!(hit(Exact, 0.95, Unknown), Some(Hit::Full));
        assert_eq!(hit(Exact, 1.0, Differs), Some(Hit::Possible));
        assert_eq!(hit(Exact, 0.89, Equal), Some(Hit::Possible));
        assert_eq!(hit(LookAlike, 0.95, Equal), Some(Hit::Possible));
        assert_eq!(hit(Pattern, 0.95, Equal), Some(Hit::Possible));
        assert_eq!(hit(LookAlike, 0.29, Equal), None);
    }

    #[test]
    fn what_raises_no_alert_makes_no_hit() {
        let matched =
            |probability| matched("ABC128", MatchKind::LookAlike, probability, StateAgreement::Equal);
        assert!(!alerts().concerns(&matched(0.1)));
        assert!(alerts().concerns(&matched(0.3)));
    }

    #[test]
    fn the_same_vehicle_updates_its_alert_instead_of_raising_another() {
        let mut alerts = alerts();
        let mut decide = |probability, camera, seconds| {
            let read = read("ABC123", 0.99, camera, at(seconds));
            let matched = matched("ABC123", MatchKind::Exact, probability, StateAgreement::Equal);
            alerts.decide(&read, vec![matched], at(seconds))
        };
        let first = decide(0.5, "north", 0);
        assert_eq!((first.len(), first[0].revision), (1, 1));
        assert_eq!(decide(0.52, "north", 10), [], "no better");
        let better = decide(0.95, "north", 20);
        assert_eq!((better[0].id, better[0].revision, better[0].hit), (first[0].id, 2, Hit::Full));
        assert_ne!(decide(0.95, "south", 21)[0].id, first[0].id, "another camera");
        assert_eq!(decide(0.95, "north", 79), [], "still in sight");
        let again = decide(0.95, "north", 139);
        assert_ne!(again[0].id, first[0].id, "it was gone for 60 s");
        assert_eq!(again[0].revision, 1);
        assert_eq!(alerts.repeats(), 2);
    }

    #[test]
    fn what_raises_no_alert_is_told_with_its_reason_and_an_alerts_own_read_is_not() {
        let mut alerts = alerts();
        let exact = matched("ABC123", MatchKind::Exact, 0.95, StateAgreement::Equal);
        let unlikely = matched("ABC128", MatchKind::LookAlike, 0.1, StateAgreement::Equal);
        let first = read("ABC123", 0.99, "north", at(0));
        let raised = alerts.decide(&first, vec![exact.clone()], at(0)).remove(0);
        let told = alerts.suppressed(&first, &[exact.clone(), unlikely]);
        let list = exact.list.list.clone();
        assert_eq!(told, [(list.clone(), "too unlikely: 10 %".to_owned())]);
        let second = read("ABC123", 0.99, "north", at(9));
        assert_eq!(alerts.decide(&second, vec![exact.clone()], at(9)), []);
        let why = format!("the same vehicle had just raised the alert {}", raised.id);
        assert_eq!(alerts.suppressed(&second, &[exact]), [(list, why)]);
    }

    #[test]
    fn the_final_read_of_a_passage_takes_back_what_its_early_read_said() {
        use {MatchKind::*, StateAgreement::*};
        let mut alerts = alerts();
        let early = read("ABC123", 0.99, "north", at(0));
        let full = alerts.decide(&early, vec![matched("ABC123", Exact, 0.95, Unknown)], at(0)).remove(0);
        assert_eq!(full.hit, Hit::Full);

        // It is sure of the characters and now sees another state.
        let same = Read { id: early.id, ..read("ABC123", 0.99, "north", at(1)) };
        let other_state =
            alerts.decide(&same, vec![matched("ABC123", Exact, 0.96, Differs)], at(1)).remove(0);
        assert_eq!((other_state.id, other_state.revision, other_state.hit), (full.id, 2, Hit::Possible));
        assert_eq!(
            alerts.decide(&same, vec![matched("ABC123", Exact, 0.96, Differs)], at(1)),
            [],
            "told once"
        );

        // It reads another plate, which is not listed: a 7 for the 3.
        let other = Read { id: early.id, ..read("ABC127", 0.99, "north", at(2)) };
        let taken_back = alerts.decide(&other, vec![], at(2)).remove(0);
        assert_eq!((taken_back.id, taken_back.revision, taken_back.hit), (full.id, 3, Hit::Possible));
        assert_eq!(taken_back.text.as_str(), "ABC127");
        assert_eq!(taken_back.matched.kind, LookAlike);
        assert!(taken_back.matched.probability.value() < 0.01);

        let next = read("XYZ999", 0.99, "north", at(3));
        assert_eq!(alerts.decide(&next, vec![], at(3)), [], "another vehicle takes nothing back");
    }

    #[test]
    fn another_look_at_the_same_vehicle_that_sees_a_differing_state_is_told() {
        use {MatchKind::*, StateAgreement::*};
        let mut alerts = alerts();
        let unknown =
            Read { state: StateReading::from_logits(&[0.0; 52]), ..read("ABC123", 0.99, "north", at(0)) };
        let full = alerts.decide(&unknown, vec![matched("ABC123", Exact, 0.95, Unknown)], at(0)).remove(0);
        assert_eq!((full.hit, full.state), (Hit::Full, None));
        let again = read("ABC123", 0.99, "north", at(9));
        let told = alerts.decide(&again, vec![matched("ABC123", Exact, 0.95, Differs)], at(9)).remove(0);
        assert_eq!((told.id, told.hit), (full.id, Hit::Possible));
    }

    #[test]
    fn one_pattern_that_fits_two_vehicles_raises_two_alerts() {
        let mut alerts = alerts();
        let read = read("ABC123", 0.99, "north", at(0));
        let one = matched("ABC*", MatchKind::Pattern, 0.9, StateAgreement::Unknown);
        let other = Match { read_as: Plate::parse("ABC999").unwrap(), ..one.clone() };
        assert_eq!(alerts.decide(&read, vec![one, other], at(0)).len(), 2);
    }

    #[test]
    fn says_which_characters_are_in_doubt_and_how_old_the_list_is() {
        let mut read = read("ABC123", 0.99, "north", at(0));
        let mut slots = read.reading.slots().to_vec();
        slots[2] = Slot::from_logits(&std::array::from_fn(|index| if index == 12 { 4.0 } else { 0.0 }));
        read.reading = Reading::new(slots);
        let matched = matched("ABC123", MatchKind::Exact, 0.6, StateAgreement::Equal);
        let alert = alerts().decide(&read, vec![matched], at(7200)).remove(0);
        assert_eq!(alert.doubtful, [2]);
        assert_eq!((alert.list_age_s, alert.level, alert.state), (7200, Level::High, Some(State::Ma)));
        assert!(alert.notice.contains("before any stop"));
    }

    #[test]
    fn the_longest_alert_keeps_within_its_bound() {
        let longest = "x".repeat(64);
        let read = read("ABCDEFGH12", 0.8, &longest, at(0));
        let second = jiff::SignedDuration::from_nanos(123_456_789);
        let mut entry = Entry::new(Listed::parse("?BCDEFGH123*").unwrap(), Category::MissingCollegeStudent);
        for filler in ["\"", "\u{1f698}", "x"] {
            entry = Entry {
                state: Some(State::Ma),
                level: Some(Level::Critical),
                reason: Text::parse(&filler.repeat(200)).unwrap(),
                authority: Text::parse(&filler.repeat(100)).unwrap(),
                case: Text::parse(&filler.repeat(60)).unwrap(),
                instructions: Text::parse(&filler.repeat(500)).unwrap(),
                from: Some(at(0).wall - second),
                until: Some(at(0).wall + second),
                ..entry
            };
            let matched = Match {
                entry: entry.clone(),
                read_as: Plate::parse("ABCDEFGH12").unwrap(),
                state_probability: Some(Probability::clamped(0.123_456_789_012_345_67)),
                list: ListVersion {
                    list: ListName::parse(&longest).unwrap(),
                    version: u64::MAX,
                    issued: at(0).wall - second,
                },
                ..matched("ABC", MatchKind::LookAlike, 0.312_345_678_901_234_5, StateAgreement::Unknown)
            };
            let unit = UnitId::parse(&longest).unwrap();
            let alert = Alerts::new(unit, Config::default()).decide(&read, vec![matched], at(0)).remove(0);
            let longest =
                Alert { list_age_s: u64::MAX, revision: u32::MAX, seen: at(0).wall - second, ..alert };
            let far = Place::new(-89.123_456_78, -179.123_456_78).unwrap();
            let alert = longest.seen_from(Some(Position::of_fix(far, Some(1e9), u64::MAX)));
            let json = serde_json::to_string(&alert).unwrap();
            assert!(json.len() <= Alert::JSON_MAX, "{} bytes: {json}", json.len());
            assert!(alert.doubtful.len() == 10 && json.contains('…'));
            assert_eq!(serde_json::from_str::<Alert>(&json).unwrap(), alert);
        }
    }
}
