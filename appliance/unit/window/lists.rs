//! The hot lists, and entries that people add.

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use super::Window;
use crate::audit::{Event, Who};
use crate::console::{EntryRequest, Listing, Lists, ListsChecked, ManualView, Refused};
use crate::hotlist::{
    Author, Entry, Freshness, ListSummary, Listed, ManualChange, ManualEntry, Request, Text,
};
use crate::words::{PersonName, RecordId, sentence};

impl Listing for Window {
    fn lists(&self) -> Lists {
        let now = self.clock.now().wall;
        let view = |manual: ManualEntry| ManualView {
            state: manual.state(self.hotlist.date(now)),
            expires_soon: self.hotlist.manual_expires_soon(&manual, now),
            manual,
        };
        let checked = self.saved.lists_checked().unwrap_or_else(|error| {
            warn!(%error, "the last check of the lists is not known");
            None
        });
        Lists {
            lists: self.hotlist.summary(now),
            manual: self.hotlist.manual_list().into_iter().map(view).collect(),
            checked,
        }
    }

    fn request_entry(&self, request: EntryRequest, by: &PersonName) -> Result<(), Refused> {
        let now = self.clock.now().wall;
        let replaces = request.replaces;
        let entry = entry_of(request, now)?;
        self.ask(
            match replaces {
                Some(of) => Request::Change { of, entry },
                None => Request::Add { entry },
            },
            by,
        )
    }

    fn request_removal(&self, of: RecordId, reason: &str, by: &PersonName) -> Result<(), Refused> {
        let reason = text_of("reason", reason)?;
        self.ask(Request::Remove { of, reason }, by)
    }

    fn approve_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let author = Author::signed_in(by.clone());
        let change = self.hotlist.manual_approve(id, &author, self.clock.now().wall);
        self.note_manual(&change.map_err(|error| Refused(sentence(error)))?, by);
        Ok(())
    }

    fn decline_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let author = Author::signed_in(by.clone());
        let change = self.hotlist.manual_decline(id, &author, self.clock.now().wall);
        self.note_manual(&change.map_err(|error| Refused(sentence(error)))?, by);
        Ok(())
    }

    fn check_lists(&self, by: &PersonName) -> Result<(), Refused> {
        let now = self.clock.now().wall;
        let lists = self.hotlist.summary(now);
        let current = lists.iter().all(|list| list.freshness == Freshness::Fresh);
        let stands = |list: &ListSummary| match (list.version, list.age_s) {
            (Some(version), Some(age_s)) => {
                format!("{} version {version}, {} min old", list.list, age_s / 60)
            }
            _ => format!("{} missing", list.list),
        };
        let checked = ListsChecked { by: by.clone(), at: now, current };
        self.saved.keep_lists_checked(&checked).map_err(|error| Refused(sentence(error)))?;
        let lists = lists.iter().map(stands).collect::<Vec<_>>().join("; ");
        self.audit.note(Who::Person(by.clone()), Event::ListsChecked { current, lists });
        Ok(())
    }
}

impl Window {
    fn ask(&self, request: Request, by: &PersonName) -> Result<(), Refused> {
        let author = Author::signed_in(by.clone());
        let asked = self.hotlist.manual_request(RecordId::new(), request, &author, self.clock.now().wall);
        if let Some(change) = asked.map_err(|error| Refused(sentence(error)))? {
            self.note_manual(&change, by);
        }
        Ok(())
    }

    fn note_manual(&self, change: &ManualChange, by: &PersonName) {
        self.manual.note(Who::Person(by.clone()), change, self.clock.now());
    }
}

fn entry_of(request: EntryRequest, now: Timestamp) -> Result<Entry, Refused> {
    let plate = Listed::parse(&request.plate).map_err(|error| Refused(sentence(error)))?;
    Ok(Entry {
        state: request.state,
        reason: text_of("reason", &request.reason)?,
        authority: text_of("authority", &request.authority)?,
        case: text_of("case", &request.case)?,
        instructions: text_of("instructions", &request.instructions)?,
        until: request.hours.map(|hours| now + SignedDuration::from_hours(hours.into())),
        ..Entry::new(plate, request.category)
    })
}

fn text_of<const MAX: usize>(field: &str, typed: &str) -> Result<Text<MAX>, Refused> {
    Text::parse(typed).map_err(|error| Refused(format!("The {field} cannot be taken: {error}.")))
}
