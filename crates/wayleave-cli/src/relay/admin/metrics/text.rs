//! Metrics as text: the format of Prometheus, version 0.0.4, and [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/).

use super::{Family, Kind};

/// In which format they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// What a client takes that says so in `Accept` (RFC 9110 §12.5.1): OpenMetrics where it names that, and does not like the other
    /// better.
    pub(in super::super) fn accepted(accept: Option<&str>) -> Self {
        let ranges = || accept.unwrap_or_default().split(',').map(range);
        let best = |name: &str| {
            ranges().filter(|(range, _)| range.eq_ignore_ascii_case(name)).map(|(_, weight)| weight).max()
        };
        match best("application/openmetrics-text") {
            Some(weight) if weight > 0 && Some(weight) >= best("text/plain") => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    /// The media type of the text.
    pub(in super::super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// One media range, and its weight in thousandths.
fn range(range: &str) -> (&str, u32) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
    let weight = weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or_default());
    (name, (weight.clamp(0.0, 1.0) * 1_000.0) as u32)
}

/// The whole exposition.
pub(in super::super) fn text(families: &[Family], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        let (name, kind) = family.described(format);
        text += &format!("# HELP {name} {}.\n# TYPE {name} {kind}\n", family.help);
        if format == Format::OpenMetrics && name.ends_with("_bytes") {
            text += &format!("# UNIT {name} bytes\n");
        }
        let sample = family.sample();
        for (value, count) in &family.samples {
            let labels = match family.label {
                "" => String::new(),
                label => format!("{{{label}=\"{value}\"}}"),
            };
            text += &format!("{sample}{labels} {count}\n");
        }
    }
    if format == Format::OpenMetrics {
        text += "# EOF\n";
    }
    text
}

impl Family {
    /// The name of its samples.
    pub(super) fn sample(&self) -> String {
        let end = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
            Kind::Info => "_info",
        };
        format!("{}{end}", self.name)
    }

    /// Name and type in what describes it. OpenMetrics names the family there, without what the type adds to its samples.
    fn described(&self, format: Format) -> (String, &'static str) {
        match (format, self.kind) {
            (Format::OpenMetrics, Kind::Info) => (self.name.to_owned(), "info"),
            (Format::OpenMetrics, Kind::Counter) => (self.name.to_owned(), "counter"),
            (Format::Prometheus, Kind::Counter) => (self.sample(), "counter"),
            (_, Kind::Gauge) | (Format::Prometheus, Kind::Info) => (self.sample(), "gauge"),
        }
    }
}
