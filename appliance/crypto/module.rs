//! Which build of AWS-LC does the cryptography of this program.

use std::fmt;

/// The cryptographic library that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// The build of the FIPS 140-3 module, in its approved mode. Which versions have their certificate and which are still
    /// with NIST, only NIST's lists say: the version is what to look up there.
    Fips,
    /// The ordinary build.
    Ordinary,
}

/// Why the program must not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    #[error(
        "this is a FIPS build, and AWS-LC does not run in its validated mode ({0}): install the build as it came"
    )]
    Library(&'static str),
    #[error(
        "this is a FIPS build, and TLS would go outside of the FIPS module: install the build as it came"
    )]
    Tls,
}

impl Module {
    /// Looks at what runs, and not at how it was built. AWS-LC's own self-tests have then passed: this build of it ends the
    /// process where they fail.
    ///
    /// # Errors
    /// If the program was built with the feature `fips`, and something else than the FIPS module runs.
    pub fn running(tls: &rustls::crypto::CryptoProvider) -> Result<Self, ModuleError> {
        let library = aws_lc_rs::try_fips_mode();
        match library {
            Ok(()) if tls.fips() => Ok(Self::Fips),
            _ if !cfg!(feature = "fips") => Ok(Self::Ordinary),
            Ok(()) => Err(ModuleError::Tls),
            Err(why) => Err(ModuleError::Library(why)),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = aws_lc_rs::awslc_version();
        match self {
            Self::Fips => write!(f, "AWS-LC FIPS {version}: the FIPS 140-3 module, in its approved mode"),
            Self::Ordinary => write!(f, "AWS-LC {version}: the ordinary build, not the FIPS module"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_runs() {
        let expected = if cfg!(feature = "fips") { Module::Fips } else { Module::Ordinary };
        assert_eq!(Module::running(&rustls::crypto::aws_lc_rs::default_provider()), Ok(expected));
    }

    /// What a program built with the feature meets where TLS is handed a provider with something unapproved.
    #[test]
    #[cfg(feature = "fips")]
    fn refuses_tls_that_is_not_the_modules() {
        use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
        let unapproved =
            rustls::crypto::CryptoProvider { kx_groups: vec![kx_group::X25519], ..default_provider() };
        assert_eq!(Module::running(&unapproved), Err(ModuleError::Tls));
    }
}
