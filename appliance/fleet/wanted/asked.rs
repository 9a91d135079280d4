//! The address of a page: what it asks for, and the address that asks for that.

use serde::Deserialize;

use super::{Area, Sort, Wanted};
use crate::fleet::unit::Condition;

/// Longer than whatever anybody types.
const TYPED_MAX: usize = 100;

/// As it stands in the address of a page; every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// Words that all must stand somewhere: in the unit's name, its reasons, its lists.
    pub q: String,
    /// One of [`Condition`]'s names.
    pub state: String,
    /// One reason's name.
    pub reason: String,
    /// One of [`UnitKind`](crate::words::UnitKind)'s names.
    pub kind: String,
    /// `south,west,north,east` in degrees.
    pub area: String,
    pub sort: String,
    /// From 1.
    pub page: String,
}

/// What of an address makes no sense, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(pub(super) String);

impl Asked {
    pub fn understood(&self) -> Result<Wanted, NotUnderstood> {
        let not = |what: &str, is: &str| NotUnderstood(format!("{what:?} is not {is}."));
        let short: String = self.q.chars().take(TYPED_MAX).collect();
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let condition = Condition::ALL.into_iter().find(|condition| condition.token() == self.state);
        if condition.is_none() && !self.state.is_empty() {
            return Err(not(&self.state, "a state of a unit"));
        }
        let sort = Sort::ALL.into_iter().find(|sort| sort.token() == self.sort);
        if sort.is_none() && !self.sort.is_empty() {
            return Err(not(&self.sort, "an order to sort by"));
        }
        let kind = match named(&self.kind) {
            None => None,
            Some(kind) => {
                Some(serde_json::from_value(kind.into()).map_err(|_| not(&self.kind, "a kind of unit"))?)
            }
        };
        let page = match self.page.as_str() {
            "" => 1,
            page => page.parse().map_err(|_| not(page, "the number of a page"))?,
        };
        Ok(Wanted {
            words: short.to_lowercase().split_whitespace().map(str::to_owned).collect(),
            condition,
            reason: named(&self.reason),
            kind,
            area: named(&self.area).map(|area| Area::parse(&area)).transpose()?,
            sort: sort.unwrap_or_default(),
            page: usize::max(page, 1),
        })
    }

    /// The address that asks for this.
    pub fn path(&self) -> String {
        let fields = [
            ("q", &self.q),
            ("state", &self.state),
            ("reason", &self.reason),
            ("kind", &self.kind),
            ("area", &self.area),
            ("sort", &self.sort),
            ("page", &self.page),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
    }

    pub fn is_filter(&self) -> bool {
        [&self.q, &self.state, &self.reason, &self.kind, &self.area].iter().any(|text| !text.is_empty())
    }
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' => {
                escaped.push(char::from(byte));
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_asked() {
        let asked = Asked { q: "a&b ü".into(), state: "silent".into(), ..Asked::default() };
        assert_eq!(asked.path(), "/?q=a%26b%20%C3%BC&state=silent");
        assert_eq!(Asked::default().path(), "/");
    }
}
