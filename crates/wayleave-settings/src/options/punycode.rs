//! The ASCII form of names with other letters ([RFC 3492](https://www.rfc-editor.org/rfc/rfc3492)), to suggest it.

/// `text` with each label in ASCII, as DNS has it; `None` where that cannot be said. Letters are put into lower case, and
/// nothing else of UTS 46: it is for a person to look at.
pub(super) fn name(text: &str) -> Option<String> {
    let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
    let labels: Option<Vec<String>> = host.to_lowercase().split(['.', '\u{3002}']).map(label).collect();
    Some(labels?.join(".") + rest)
}

fn label(text: &str) -> Option<String> {
    if text.is_ascii() {
        return Some(text.to_owned());
    }
    if !text.chars().all(|c| c.is_alphanumeric() || c == '-') {
        return None;
    }
    Some(format!("xn--{}", encode(text)?))
}

/// RFC 3492 §6.3.
fn encode(text: &str) -> Option<String> {
    let mut output: String = text.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(output.len()).ok()?;
    if basic > 0 {
        output.push('-');
    }
    let length = u32::try_from(text.chars().count()).ok()?;
    let (mut n, mut delta, mut bias, mut done) = (128_u32, 0_u32, 72, basic);
    while done < length {
        let next = text.chars().map(u32::from).filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(done + 1)?)?;
        n = next;
        for c in text.chars().map(u32::from) {
            if c < n {
                delta = delta.checked_add(1)?;
            }
            if c == n {
                write(&mut output, delta, bias)?;
                bias = adapt(delta, done + 1, done == basic);
                (delta, done) = (0, done + 1);
            }
        }
        (delta, n) = (delta.checked_add(1)?, n.checked_add(1)?);
    }
    Some(output)
}

/// One number, in digits whose weights follow `bias`.
fn write(output: &mut String, mut number: u32, bias: u32) -> Option<()> {
    let mut k = BASE;
    loop {
        let threshold = k.saturating_sub(bias).clamp(1, 26);
        if number < threshold {
            output.push(digit(number)?);
            return Some(());
        }
        output.push(digit(threshold + (number - threshold) % (BASE - threshold))?);
        number = (number - threshold) / (BASE - threshold);
        k += BASE;
    }
}

/// RFC 3492 §6.1.
const fn adapt(delta: u32, points: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > 455 {
        delta /= BASE - 1;
        k += BASE;
    }
    k + BASE * delta / (delta + 38)
}

fn digit(number: u32) -> Option<char> {
    char::from_digit(number, 36).map(|_| {
        // Letters stand before digits here.
        let byte = u8::try_from(number).unwrap_or_default();
        char::from(if byte < 26 { b'a' + byte } else { b'0' + byte - 26 })
    })
}

const BASE: u32 = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_form_that_dns_has() {
        for (text, ascii) in [
            ("bücher.example:443", "xn--bcher-kva.example:443"),
            ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            // RFC 3492 §7.1 (B) and (L).
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
        ] {
            assert_eq!(name(text).as_deref(), Some(ascii), "{text}");
        }
        assert_eq!(name("a☃b c"), None);
    }
}
