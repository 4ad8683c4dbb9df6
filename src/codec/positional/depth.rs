//! How deeply values may be nested, on the way out and on the way in alike.

/// How deeply values may be nested, at most. The stack of a thread is finite, the nesting that bytes can ask for is not.
pub(super) const DEPTH_MAX: u32 = 128;

/// What is told of a value that goes past it.
pub(super) fn too_deep() -> String {
    format!("values are nested more than {DEPTH_MAX} deep")
}
