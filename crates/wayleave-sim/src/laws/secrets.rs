//! Law 8: what must never be shown.

/// The secrets of a run.
#[derive(Debug, Default)]
pub struct Secrets {
    needles: Vec<String>,
}

impl Secrets {
    /// Remembers a secret. Its last characters stand for it, since a part that is cut off at the end shows none of them.
    pub fn add(&mut self, secret: &str) {
        let from = secret.len().saturating_sub(NEEDLE);
        self.needles.push(secret.get(from..).unwrap_or(secret).to_owned());
    }

    /// Whether `text` shows one of them.
    pub fn shows(&self, text: &str) -> bool {
        self.needles.iter().any(|needle| text.contains(needle.as_str()))
    }
}

const NEEDLE: usize = 24;
