use serde::Deserialize;

use super::Policy;

/// `[record]` of milepost.toml: what is kept, and how much of the disk it may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What may be kept and for how long: `massachusetts-model`, `hits-only`, `three-minutes`, or the path of
    /// a file like those in `config/policy/`. Default `massachusetts-model`. Change to what your law and
    /// your department's policy say.
    #[serde(deserialize_with = "Policy::by_name")]
    pub policy: Policy,
    /// Megabytes of disk that records may take; beyond, the oldest reads without a match go first, then
    /// their pictures, and each loss is counted; evidence of a hit is kept even beyond. Default 4096, a
    /// week without network on a busy road. Change to half of what the unit's data partition holds.
    pub max_mb: u64,
    /// Megabytes of memory for alerts and their evidence while the disk is full or read-only. Default 16,
    /// about 150 alerts with their pictures. Change only where memory is short.
    pub memory_mb: u64,
    /// Records in one file, a power of the store's own and not of the field: tests make it small.
    #[serde(skip)]
    pub segment_records: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::load("massachusetts-model").expect("the presets are part of the program"),
            max_mb: 4096,
            memory_mb: 16,
            // 4096 reads are some 4 MB: the unit of loss when the disk is full, and small beside a week's.
            segment_records: 4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_policy_is_refused_with_the_field() {
        let error = toml::from_str::<Config>("policy = 'none'").unwrap_err().to_string();
        assert!(error.contains("policy = 'none'") && error.contains("hits-only"), "{error}");
        assert_eq!(toml::from_str::<Config>("policy = 'hits-only'").unwrap().policy.name, "hits-only");
    }
}
