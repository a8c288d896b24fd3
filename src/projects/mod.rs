//! Projects as files: one TOML file each, read, checked whole with their examples, and compiled into what a turn uses.
//! Unaware of where the set in force is kept.

mod file;
mod live;
mod set;

pub(crate) use file::example_post;
pub use file::{ProjectText, Routes, is_slug, read_project, write_project};
pub use live::{Live, Route};
pub use set::{ProjectSet, check_set, read_directory};
