//! What a Token04 carries for the application.

/// The payload of a Token04.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// The room, privileges and streams of a privilege token.
    Room(Room),
    /// Any other text that is not empty.
    Text(String),
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

/// The word of a privilege token on one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// It may (1).
    Allowed,
    /// It may not (0).
    Denied,
}
