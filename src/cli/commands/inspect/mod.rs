//! `inspect`: one question, one answer, made for scripts.

mod image;

use super::super::inspect_args::{Inspect, InspectArgs};
use super::Context;
use crate::base::Fault;

/// Answers the question.
pub(super) fn inspect(context: &Context, args: &InspectArgs) -> Result<u8, Fault> {
    match &args.what {
        Inspect::Image(args) => image::image(context, args),
    }
}
