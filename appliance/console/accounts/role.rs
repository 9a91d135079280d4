use serde::{Deserialize, Serialize};

/// What a person may do at the console. Not a ladder: a technician never sees whom the unit looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Technician,
    Officer,
    Administrator,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Technician, Self::Officer, Self::Administrator];

    /// As it stands in forms and files.
    pub fn token(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Officer => "officer",
            Self::Administrator => "administrator",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.token())
    }
}
