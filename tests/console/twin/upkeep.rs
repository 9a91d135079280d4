//! Its maintenance, and its log.

use super::*;

impl Upkeep for Twin {
    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused> {
        let (state, reasons) = match to {
            ServiceChange::OutOfService => (ServiceState::OutOfService, vec![reason.to_owned()]),
            ServiceChange::Return => (ServiceState::InService, vec![]),
        };
        lock(&self.overview).service = Service { state, reasons, since: NOW, by: Some(by.clone()) };
        Ok(())
    }

    fn note_work(&self, work: Work, done_by: &str, note: &str, by: &PersonName) -> Result<(), Refused> {
        let done_by = if done_by.is_empty() { String::new() } else { format!(" by {done_by}") };
        lock(&self.work).push(format!("{by}: {}{done_by}: {note}", work.words()));
        Ok(())
    }

    fn deployment(&self) -> Option<Deployed> {
        lock(&self.deployed).clone()
    }

    fn deploy(&self, deployment: Deployment, by: &PersonName) -> Result<(), Refused> {
        *lock(&self.deployed) = Some(Deployed { deployment, by: by.clone(), at: NOW });
        Ok(())
    }

    fn logbook(&self, limit: usize) -> Vec<AuditEntry> {
        let entry = |(number, what): (usize, &String)| AuditEntry {
            number: number as u64 + 1,
            at: NOW,
            who: what.split(':').next().unwrap().to_owned(),
            what: what.clone(),
        };
        lock(&self.work).iter().enumerate().map(entry).take(limit).collect()
    }

    fn statement(&self, by: &PersonName) -> Result<Vec<u8>, Refused> {
        Ok(format!("{{\"asked_by\":\"{by}\"}}").into_bytes())
    }
}

impl Logging for Twin {
    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        let entry = |(number, access): (usize, &Access)| AuditEntry {
            number: number as u64 + 1,
            at: access.at,
            who: access.who.as_ref().map_or("somebody".into(), |name| name.to_string()),
            what: access.act.to_string(),
        };
        let accesses = lock(&self.accesses);
        let entries = accesses.iter().enumerate().rev().map(entry);
        let fits = |entry: &AuditEntry| {
            entry.who.contains(&filter.who)
                && entry.what.contains(&filter.what)
                && filter.from.is_none_or(|from| entry.at >= from)
                && filter.until.is_none_or(|until| entry.at < until)
        };
        entries.filter(fits).take(limit).collect()
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String> {
        // Far more than fits into one block.
        (after + 1..=12_000).take(limit).map(|number| format!("{{\"number\":{number}}}")).collect()
    }

    fn audit(&self, access: Access) {
        lock(&self.accesses).push(access);
    }
}
