use std::sync::Arc;

use super::accounts::{Roster, RosterChange};
use super::reception::Reception;
use crate::words::PersonName;

/// Who may come in, for whoever hears it from the department.
#[derive(Clone)]
pub struct Admission(Arc<Reception>);

impl Admission {
    pub(super) fn new(reception: Arc<Reception>) -> Self {
        Self(reception)
    }

    /// From now on the department's accounts are those of this roster, or none. Whoever may not be signed in any more is
    /// signed out at once: pages, tools and what waits for news. Gives what changed. Blocks while a password is checked.
    pub fn take_roster(&self, roster: Option<Roster>) -> Vec<(RosterChange, PersonName)> {
        self.0.take_roster(roster)
    }
}
