//! `inspect image`: what references point at, each answer as it arrives.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{StreamExt as _, iter};
use serde_json::{Value, json};

use super::super::super::args::Format;
use super::super::super::inspect_args::ImageArgs;
use super::super::super::output::style::Style;
use super::super::super::output::{self, text};
use super::super::super::settings;
use super::super::{Context, runtime};
use crate::base::{Class, Fault, fault};
use crate::model::ImageReference;
use crate::ports::images::{Images, Look};
use crate::registry::{Offline, RegistryClient};

/// Some references failed.
const SOME_FAILED: u8 = 4;

/// Longest line read as a reference, in bytes: twice what the longest valid one has.
const LONGEST_LINE: u64 = 2048;

/// Most references read from one place.
const MOST: usize = 1_000_000;

/// Asks for all references and prints each answer when it comes. Order is that of the answers.
pub(super) fn image(context: &Context, args: &ImageArgs) -> Result<u8, Fault> {
    let inputs = inputs(args)?;
    let operator = &context.operator;
    let images: Arc<dyn Images> =
        if operator.offline { Arc::new(Offline) } else { Arc::new(RegistryClient::new(settings::registry(operator)?)?) };
    // The client bounds requests; this bounds what waits for them.
    let (format, style, waiting) = (operator.output, context.err, 2 * usize::from(operator.jobs));
    let asking = async move {
        let mut answers = iter(inputs).map(|input| answered(Arc::clone(&images), input)).buffer_unordered(waiting);
        let mut failed = false;
        while let Some((input, answer)) = answers.next().await {
            failed |= answer.is_err();
            show(format, style, &input, &answer);
        }
        if failed { SOME_FAILED } else { 0 }
    };
    // A task of its own runs where connections are polled; the main thread would have to be woken for each answer.
    let asked = runtime()?.block_on(async { tokio::spawn(asking).await });
    asked.map_err(|error| Fault::new(Class::Internal, format!("asking broke off: {error}")))
}

type Answer = Result<(ImageReference, Look), Fault>;

async fn answered(images: Arc<dyn Images>, input: String) -> (String, Answer) {
    let reference = match ImageReference::parse(&input) {
        Ok(reference) => reference,
        Err(error) => {
            let told = Fault::new(Class::Config, format!("{}: {error}", fault::foreign(&input)));
            return (input, Err(told));
        }
    };
    let look = images.look(&reference).await;
    (input, look.map(|look| (reference, look)))
}

fn show(format: Format, style: Style, input: &str, answer: &Answer) {
    if format == Format::Text {
        return match answer {
            Ok((reference, look)) => {
                let platforms: Vec<&str> = look.platforms.iter().map(|(platform, _)| platform.as_str()).collect();
                output::print(&format!("{reference} {} {} {}\n", look.digest, look.media_type, platforms.join(",")).replace(" \n", "\n"));
            }
            Err(fault) => text::fault(fault, style),
        };
    }
    let value = document(input, answer);
    match format {
        Format::Yaml => {
            output::print("---\n");
            output::structured(&value, format);
        }
        _ => output::print(&format!("{value}\n")),
    }
}

fn document(input: &str, answer: &Answer) -> Value {
    match answer {
        Ok((reference, look)) => {
            let platforms = look.platforms.iter().map(|(platform, digest)| json!({ "platform": platform, "digest": digest.as_str() }));
            json!({
                "input": input,
                "canonical": reference.canonical(),
                "digest": look.digest.as_str(),
                "mediaType": look.media_type,
                "platforms": platforms.collect::<Vec<_>>(),
            })
        }
        Err(fault) => json!({ "input": input, "error": { "class": fault.class.word(), "message": fault.text, "hint": fault.hint } }),
    }
}

/// The references asked for, those of files without blank lines.
fn inputs(args: &ImageArgs) -> Result<Vec<String>, Fault> {
    let mut inputs = Vec::new();
    for reference in &args.references {
        if reference == "-" {
            lines("standard input", std::io::stdin().lock(), &mut inputs)?;
        } else {
            inputs.push(reference.clone());
        }
    }
    match &args.from {
        Some(path) if path == Path::new("-") => lines("standard input", std::io::stdin().lock(), &mut inputs)?,
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| Fault::new(Class::Local, format!("{name}: {error}")))?;
            lines(&name, file, &mut inputs)?;
        }
        None => {}
    }
    Ok(inputs)
}

fn lines(name: &str, input: impl Read, into: &mut Vec<String>) -> Result<(), Fault> {
    let refuse = |why: String| Fault::new(Class::Local, format!("{name}: {why}"));
    let mut input = BufReader::new(input);
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|error| refuse(error.to_string()))?;
        if read == 0 {
            return Ok(());
        }
        if into.len() >= MOST || (line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n")) {
            return Err(refuse(format!("there is a line of more than {LONGEST_LINE} bytes, or more than {MOST} lines")));
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if !text.is_empty() {
            into.push(text);
        }
    }
}
