//! What a Token04 carries for the application.

use serde_json::{Map, Value};

use super::super::json;

/// The payload of a Token04.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// The room, privileges and streams of a privilege token.
    Room(Room),
    /// Any other text that is not empty.
    Text(String),
}

impl Payload {
    /// Takes `text`; `None` where it is empty.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let room = json::object(text.as_bytes()).and_then(|members| Room::read(&members));
        Some(room.map_or_else(|| Self::Text(text.to_owned()), Self::Room))
    }
}

/// What a privilege token allows in the application's own world. The relay hands it on and decides nothing by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// The room; any where there is none.
    pub room_id: Option<String>,
    /// Whether the bearer may log in to the room.
    pub login: Option<Privilege>,
    /// Whether the bearer may publish a stream.
    pub publish: Option<Privilege>,
    /// The streams that it is about; any where there is none.
    pub stream_ids: Option<Vec<String>>,
}

impl Room {
    /// `None` where `members` is not the payload of a privilege token, or a member has not the form that it has there.
    fn read(members: &Map<String, Value>) -> Option<Self> {
        if !MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return None;
        }
        let room_id = match members.get("room_id") {
            None | Some(Value::Null) => None,
            Some(room) => Some(room.as_str()?.to_owned()).filter(|room| !room.is_empty()),
        };
        let privileges = match members.get("privilege") {
            None | Some(Value::Null) => None,
            Some(privileges) => Some(privileges.as_object()?),
        };
        let privilege = |name| match privileges.and_then(|privileges| privileges.get(name)) {
            None => Some(None),
            Some(value) if value.as_u64() == Some(0) => Some(Some(Privilege::Denied)),
            Some(value) if value.as_u64() == Some(1) => Some(Some(Privilege::Allowed)),
            Some(_) => None,
        };
        let stream_ids = match members.get("stream_id_list") {
            None | Some(Value::Null) => Vec::new(),
            Some(ids) => {
                ids.as_array()?.iter().map(|id| id.as_str().map(str::to_owned)).collect::<Option<_>>()?
            }
        };
        let stream_ids = Some(stream_ids).filter(|ids: &Vec<_>| !ids.is_empty());
        Some(Self { room_id, login: privilege("1")?, publish: privilege("2")?, stream_ids })
    }
}

/// The word of a privilege token on one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Privilege {
    /// It may (1).
    Allowed,
    /// It may not (0).
    Denied,
}

const MEMBERS: [&str; 3] = ["room_id", "privilege", "stream_id_list"];
