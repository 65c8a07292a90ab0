//! Seeded mutants: the same in every run.

use fastrand::Rng;
use serde_json::{Value, json};

use super::cases::Case;

/// What is put into Dockerfiles.
const DOCKERFILE_TOKENS: &[&str] = &[
    "FROM ",
    "RUN ",
    "COPY ",
    "ADD ",
    "ARG ",
    "ENV ",
    "ONBUILD ",
    "LABEL ",
    "CMD ",
    "HEALTHCHECK ",
    "VOLUME ",
    "USER ",
    " AS ",
    "--from=",
    "--mount=",
    "--platform=",
    "type=cache",
    ",from=",
    ",target=/t",
    "<<EOF",
    "<<-",
    "\nEOF\n",
    "\\\n",
    "\\",
    "`",
    "\"",
    "'",
    "$",
    "${",
    "}",
    ":-",
    ":+",
    ":?",
    "#",
    "##",
    "%",
    "/",
    "//",
    "*",
    "?",
    " ",
    "\t",
    "\n",
    "\r\n",
    "# ",
    "# escape=`\n",
    "# syntax=a/b\n",
    "=",
    "[",
    "]",
    "[\"",
    "\"]",
    ",",
    "@",
    ":",
    "-",
    "--",
    "0",
    "1",
    "alpine",
    "scratch",
    "a",
    "b",
    "$V",
    "${V}",
    "\u{a0}",
    "\u{e9}",
    "\u{feff}",
    "\u{b}",
    "<<",
    "<",
    "as",
];

/// What is put into references.
const REFERENCE_TOKENS: &[&str] = &[
    "a",
    "B",
    "0",
    ".",
    "..",
    "-",
    "_",
    "__",
    "/",
    "//",
    ":",
    "@",
    "[",
    "]",
    "::",
    "localhost",
    "docker.io/",
    "index.docker.io/",
    "library/",
    ":5000",
    "sha256:",
    "sha512:",
    "md5:",
    "0123456789abcdef0123456789abcdef",
    "latest",
    " ",
    "\u{e9}",
    "+",
    "%",
    "é",
    "K",
];

/// What is put into ranges and tags.
const RANGE_TOKENS: &[&str] = &[
    "1", "0", "2", ".", "x", "X", "*", "-", "-rc.1", "+b", "v", ">", "<", "=", "!", "~", "^", "|", "||", ",", " ", " - ", "\t", "01", "a",
    "\n",
];

fn boundary(rng: &mut Rng, text: &str) -> usize {
    let mut at = rng.usize(0..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Changes a text once: something put in, cut out, copied, or swapped for a token.
fn change(rng: &mut Rng, text: &str, tokens: &[&str], other: &str) -> String {
    let (one, two) = (boundary(rng, text), boundary(rng, text));
    let (start, end) = (one.min(two), one.max(two).min(one.min(two) + 12));
    let end = (end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let token = tokens[rng.usize(..tokens.len())];
    match rng.u8(..7) {
        0 | 1 => format!("{}{token}{}", &text[..start], &text[start..]),
        2 => format!("{}{}", &text[..start], &text[end..]),
        3 => format!("{}{token}{}", &text[..start], &text[end..]),
        4 => format!("{}{}{}", &text[..end], &text[start..end], &text[end..]),
        5 => {
            let at = boundary(rng, other);
            format!("{}{}", &text[..start], &other[at..])
        }
        _ => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            if lines.len() > 1 {
                let (one, two) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
                match rng.u8(..3) {
                    0 => lines.swap(one, two),
                    1 => drop(lines.remove(one)),
                    _ => lines.insert(one, lines[two]),
                }
            }
            lines.concat()
        }
    }
}

/// Mutants of Dockerfiles, without end.
pub(super) fn dockerfiles(cases: &[Case]) -> impl Iterator<Item = Case> {
    let mut rng = Rng::with_seed(20_261_125);
    (0usize..).map(move |number| {
        let mut case = cases[rng.usize(..cases.len())].clone();
        for _ in 0..rng.usize(1..=4) {
            let other = &cases[rng.usize(..cases.len())].text;
            case.text = change(&mut rng, &case.text, DOCKERFILE_TOKENS, other);
        }
        case.name = format!("mutant {number} of {}", case.name);
        case
    })
}

/// Mutants of references, without end.
pub(super) fn references(cases: &[String]) -> impl Iterator<Item = String> {
    let mut rng = Rng::with_seed(20_261_126);
    std::iter::repeat_with(move || {
        let mut text = cases[rng.usize(..cases.len())].clone();
        for _ in 0..rng.usize(1..=3) {
            let other = &cases[rng.usize(..cases.len())];
            text = change(&mut rng, &text, REFERENCE_TOKENS, other);
        }
        text
    })
}

/// Mutants of scenarios, without end: another constraint, other tags, another limit.
pub(super) fn scenarios(cases: &[Value]) -> impl Iterator<Item = Value> {
    let mut rng = Rng::with_seed(20_261_127);
    std::iter::repeat_with(move || {
        let mut scenario = cases[rng.usize(..cases.len())].clone();
        let other = cases[rng.usize(..cases.len())]["constraint"].as_str().unwrap_or("1").to_owned();
        match rng.u8(..4) {
            0 | 1 => {
                let constraint = scenario["constraint"].as_str().unwrap_or(&other).to_owned();
                scenario["constraint"] = json!(change(&mut rng, &constraint, RANGE_TOKENS, &other));
            }
            2 => {
                for tag in scenario["tags"].as_array_mut().into_iter().flatten() {
                    let text = tag["tag"].as_str().unwrap().to_owned();
                    tag["tag"] = json!(change(&mut rng, &text, RANGE_TOKENS, "1.2.3"));
                }
            }
            _ => {
                scenario["discovery_limit"] = json!(rng.i64(-1..30));
                scenario["strict_semvers"] = json!(rng.bool());
            }
        }
        scenario
    })
}
