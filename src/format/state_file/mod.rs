//! `state/` files: read leniently, written canonically, keys of others kept.

mod base;
mod image;
mod keys;
mod ledger;
mod rebuild;
mod sightings;

pub use base::{read_base, write_base};
pub use image::{read_image, write_image};
pub use keys::{StateError, written};
