use serde::{Deserialize, Serialize};

macro_rules! states {
    ($($variant:ident $code:literal $name:literal),* $(,)?) => {
        /// A state of issuance: the fifty states and the District of Columbia.
        ///
        /// "Unknown" is not a state: where it may be unknown, it is an `Option<State>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum State { $($variant),* }

        impl State {
            /// In the order of their postal codes, which is also the order of the reader's state output.
            pub const ALL: [Self; 51] = [$(Self::$variant),*];

            /// The postal code in lower case, as in `"ma"`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

states! {
    Ak "ak" "Alaska", Al "al" "Alabama", Ar "ar" "Arkansas", Az "az" "Arizona", Ca "ca" "California",
    Co "co" "Colorado", Ct "ct" "Connecticut", Dc "dc" "District of Columbia", De "de" "Delaware",
    Fl "fl" "Florida", Ga "ga" "Georgia", Hi "hi" "Hawaii", Ia "ia" "Iowa", Id "id" "Idaho",
    Il "il" "Illinois", In "in" "Indiana", Ks "ks" "Kansas", Ky "ky" "Kentucky", La "la" "Louisiana",
    Ma "ma" "Massachusetts", Md "md" "Maryland", Me "me" "Maine", Mi "mi" "Michigan", Mn "mn" "Minnesota",
    Mo "mo" "Missouri", Ms "ms" "Mississippi", Mt "mt" "Montana", Nc "nc" "North Carolina",
    Nd "nd" "North Dakota", Ne "ne" "Nebraska", Nh "nh" "New Hampshire", Nj "nj" "New Jersey",
    Nm "nm" "New Mexico", Nv "nv" "Nevada", Ny "ny" "New York", Oh "oh" "Ohio", Ok "ok" "Oklahoma",
    Or "or" "Oregon", Pa "pa" "Pennsylvania", Ri "ri" "Rhode Island", Sc "sc" "South Carolina",
    Sd "sd" "South Dakota", Tn "tn" "Tennessee", Tx "tx" "Texas", Ut "ut" "Utah", Va "va" "Virginia",
    Vt "vt" "Vermont", Wa "wa" "Washington", Wi "wi" "Wisconsin", Wv "wv" "West Virginia", Wy "wy" "Wyoming",
}

impl State {
    /// Finds a state by its postal code, in either case.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code().eq_ignore_ascii_case(code))
    }
}

impl TryFrom<String> for State {
    type Error = String;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::from_code(&code).ok_or_else(|| format!("{code:?} is not the postal code of a US state or DC"))
    }
}

impl From<State> for String {
    fn from(state: State) -> Self {
        state.code().to_owned()
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.code().to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_as_the_reader_orders_them() {
        assert!(State::ALL.is_sorted_by_key(|state| state.code()));
        assert_eq!(State::from_code("MA"), Some(State::Ma));
        assert_eq!(State::from_code("zz"), None);
    }
}
