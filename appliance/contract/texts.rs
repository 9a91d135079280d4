//! What travels as a text or a number of a form of its own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::console::GivenSecret;
use crate::crypto::{Digest, KeyId};
use crate::hotlist::{Listed, Text};
use crate::words::{
    CameraId, LaneName, ListName, PersonName, Plate, Probability, RecordId, RosterName, State, UnitId,
};

macro_rules! forms {
    ($($name:ident $schema:tt)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

/// A jiff `Timestamp`, which schemars does not know.
pub struct Time;

/// A jiff `Date`.
pub struct Day;

const NAME: &str = "^[a-z0-9_-]{1,64}$";

forms! {
    UnitId {
        "description": "The name of a unit, which is its certificate's common name.",
        "type": "string",
        "pattern": NAME,
    }
    CameraId {
        "description": "The name of one camera of a unit.",
        "type": "string",
        "pattern": NAME,
    }
    LaneName {
        "description": "What people call a lane: no spaces around it.",
        "type": "string",
        "pattern": "^[A-Za-z0-9 _-]{1,16}$",
    }
    ListName {
        "description": "The name of a hot list. `manual` is that of the entries that people made at the unit.",
        "type": "string",
        "pattern": NAME,
    }
    RosterName {
        "description": "The name of a roster: the people of a department who may sign in at its units.",
        "type": "string",
        "pattern": NAME,
    }
    GivenSecret {
        "description": "PHC string (Argon2id) of a person's code in capitals, without hyphens. One that does not change leaves alone \
                        what the person did at a unit: an own password, a lock. A new one takes their place.",
        "type": "string",
        "pattern": r"^\$argon2id\$v=19\$m=19456,t=2,p=1\$",
        "maxLength": 128,
    }
    PersonName {
        "description": "A person's name as it stands in the audit log; no control characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
    }
    RecordId {
        "description": "A UUID in lower case, of version 7 where a unit made it: names a record for ever and everywhere.",
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    }
    Plate {
        "description": "1 to 10 characters as on the plate; O and 0 differ. No spaces, hyphens or dots.",
        "type": "string",
        "pattern": "^[A-Z0-9]{1,10}$",
    }
    Listed {
        "description": "A plate, or a partial one of up to 12 characters with `?` for one unknown character and `*` for any \
                        number of them; at least two must be known.",
        "type": "string",
        "pattern": "^([A-Z0-9]{1,10}|(?=.*[?*])[A-Z0-9?*]{3,12})$",
    }
    State {
        "description": "A state of issuance by its postal code in lower case: the fifty states and `dc`.",
        "type": "string",
        "enum": State::ALL.map(State::code).to_vec(),
    }
    Probability {
        "description": "A probability.",
        "type": "number",
        "minimum": 0,
        "maximum": 1,
    }
    Digest {
        "description": "A SHA-256 in lower-case hexadecimal digits.",
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
    }
    KeyId {
        "description": "Which key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.",
        "type": "string",
        "pattern": "^[0-9a-f]{16}$",
    }
}

/// Those without a name of their own in the document.
macro_rules! formats {
    ($($name:ident $schema:tt)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

formats! {
    Time { "type": "string", "format": "date-time" }
    Day { "type": "string", "format": "date" }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX })
    }
}
