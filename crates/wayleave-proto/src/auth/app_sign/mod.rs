//! The app sign: an application proves its own key on each TLS connection
//! ([RFC 9729](https://www.rfc-editor.org/rfc/rfc9729)).

mod key;

pub use key::AppSignKey;
