//! The URI template of a proxy for UDP, [RFC 9298 §2](https://www.rfc-editor.org/rfc/rfc9298#section-2).

use crate::base::Target;

use super::{authority, percent};

/// A template that makes the path of a CONNECT-UDP request from a target.
///
/// It understands the part of [RFC 6570](https://www.rfc-editor.org/rfc/rfc6570) that is allowed there: plain
/// expressions, `{?..}` and `{&..}`. Variables other than `target_host` and `target_port` have no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    authority: Option<String>,
    parts: Vec<Part>,
}

impl UriTemplate {
    /// Reads an absolute template such as `https://proxy.example/masque{?target_host,target_port}`.
    ///
    /// # Errors
    /// The rule of [RFC 9298 §2](https://www.rfc-editor.org/rfc/rfc9298#section-2) that the template breaks.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TemplateError::Characters);
        }
        let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        let rest = scheme.and_then(|scheme| text.get(scheme.len()..)).ok_or(TemplateError::Scheme)?;
        let (authority, path) =
            rest.find('/').and_then(|slash| rest.split_at_checked(slash)).ok_or(TemplateError::Path)?;
        if authority.contains(['{', '}']) {
            return Err(TemplateError::Place);
        }
        if authority.contains('?') {
            return Err(TemplateError::Path);
        }
        if !authority::is_valid(authority) {
            return Err(TemplateError::Authority);
        }
        Ok(Self { authority: Some(authority.to_ascii_lowercase()), parts: parts(path)? })
    }

    /// The template of a proxy of which only the host and the port are known:
    /// `/.well-known/masque/udp/{target_host}/{target_port}/`.
    pub fn well_known() -> Self {
        let text = |text: &str| Part::Text(text.into());
        let variable = |variable| Part::Expression(Operator::Plain, vec![variable]);
        let parts =
            vec![text(WELL_KNOWN), variable(Variable::Host), text("/"), variable(Variable::Port), text("/")];
        Self { authority: None, parts }
    }

    /// The host, with its port where there is one, that an absolute template names.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The path and the query for `target`, ready for a request line or `:path`.
    pub fn expand_path(&self, target: &Target) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression(operator, variables) => expand(*operator, variables, target, &mut out),
            }
        }
        out
    }
}

/// Why a text is not a template of a proxy for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The authority is not a host with maybe a port.
    #[error("the template needs a valid host, with a port or without, after https://")]
    Authority,
    /// There are characters outside of printable ASCII, or such as a URI never has.
    #[error("the template contains a character that is not allowed in a URI template")]
    Characters,
    /// A brace without its partner, an empty expression, or a name that is none.
    #[error("the template contains a malformed expression")]
    Expression,
    /// An expression of level 4, or an operator that is not allowed here.
    #[error("the template may use only expressions like {{name}}, {{?name}} and {{&name}}")]
    Operator,
    /// There is no path.
    #[error("the template needs a path that starts with a slash")]
    Path,
    /// A variable stands outside of the path and the query.
    #[error("the template may have variables only in its path and query")]
    Place,
    /// It does not start with `https://`.
    #[error("the template must start with https://")]
    Scheme,
    /// `target_host` or `target_port` is missing.
    #[error("the template must contain target_host and target_port")]
    Variables,
}

/// A run of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// An expression, with those of its variables that have a value.
    Expression(Operator, Vec<Variable>),
    /// Text that stays as it is.
    Text(String),
}

/// What an expression does with its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// `{&a,b}` makes `&a=1&b=2`.
    Continue,
    /// `{a,b}` makes `1,2`.
    Plain,
    /// `{?a,b}` makes `?a=1&b=2`.
    Query,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Host,
    Port,
}

/// Reads the path and the query of a template.
fn parts(mut path: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    while !path.is_empty() {
        let (text, rest) = path.split_at_checked(path.find('{').unwrap_or(path.len())).unwrap_or((path, ""));
        check_text(text)?;
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        let Some(rest) = rest.strip_prefix('{') else { break };
        let (inner, rest) = rest.split_once('}').ok_or(TemplateError::Expression)?;
        parts.push(expression(inner)?);
        path = rest;
    }
    let has = |wanted| {
        parts.iter().any(|part| matches!(part, Part::Expression(_, variables) if variables.contains(&wanted)))
    };
    if has(Variable::Host) && has(Variable::Port) { Ok(parts) } else { Err(TemplateError::Variables) }
}

fn check_text(text: &str) -> Result<(), TemplateError> {
    match text {
        _ if text.contains('}') => Err(TemplateError::Expression),
        // An absolute URI has no fragment, RFC 3986 §4.3.
        _ if text.contains(['#', '"', '<', '>', '\\', '^', '`', '|']) => Err(TemplateError::Characters),
        _ if !percent::is_encoded(text) => Err(TemplateError::Characters),
        _ => Ok(()),
    }
}

/// Reads what stands between two braces.
fn expression(inner: &str) -> Result<Part, TemplateError> {
    let (operator, names) = match inner.chars().next() {
        None => return Err(TemplateError::Expression),
        Some('?') => (Operator::Query, inner.get(1..).unwrap_or_default()),
        Some('&') => (Operator::Continue, inner.get(1..).unwrap_or_default()),
        // The operators of RFC 6570 that RFC 9298 rules out, and those that are reserved.
        Some('+' | '#' | '.' | '/' | ';' | '=' | ',' | '!' | '@' | '|') => {
            return Err(TemplateError::Operator);
        }
        Some(_) => (Operator::Plain, inner),
    };
    let mut variables = Vec::new();
    for name in names.split(',') {
        if name.contains([':', '*']) {
            return Err(TemplateError::Operator);
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'%');
        if name.is_empty() || !name.bytes().all(legal) || !percent::is_encoded(name) {
            return Err(TemplateError::Expression);
        }
        match name {
            "target_host" => variables.push(Variable::Host),
            "target_port" => variables.push(Variable::Port),
            _ => {}
        }
    }
    Ok(Part::Expression(operator, variables))
}

fn expand(operator: Operator, variables: &[Variable], target: &Target, out: &mut String) {
    for (index, variable) in variables.iter().enumerate() {
        out.push_str(match (operator, index) {
            (Operator::Plain, 0) => "",
            (Operator::Plain, _) => ",",
            (Operator::Query, 0) => "?",
            (Operator::Query | Operator::Continue, _) => "&",
        });
        let (name, value) = match variable {
            Variable::Host => ("target_host=", target.host.to_string()),
            Variable::Port => ("target_port=", target.port.to_string()),
        };
        if operator != Operator::Plain {
            out.push_str(name);
        }
        percent::encode(&value, out);
    }
}

/// Where a proxy serves UDP unless its template says otherwise.
pub(super) const WELL_KNOWN: &str = "/.well-known/masque/udp/";

const SCHEME: &str = "https://";

#[cfg(test)]
mod tests;
