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

    /// Remembers a secret of bytes, in the forms in which they are usually shown.
    pub fn add_bytes(&mut self, secret: &[u8]) {
        let tail = &secret[secret.len().saturating_sub(NEEDLE / 2)..];
        self.needles.push(tail.iter().map(|byte| format!("{byte:02x}")).collect());
        self.needles.push(format!("{tail:?}").trim_matches(['[', ']']).to_owned());
        if let Ok(text) = core::str::from_utf8(tail).map(str::to_owned)
            && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            self.needles.push(text);
        }
    }

    /// Whether `text` shows one of them.
    pub fn shows(&self, text: &str) -> bool {
        self.needles.iter().any(|needle| text.contains(needle.as_str()))
    }
}

const NEEDLE: usize = 24;
