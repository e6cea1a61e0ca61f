//! Lists in which each thing stands once.

/// Each thing once, in the order in which it was found.
pub(crate) fn add<T: PartialEq>(list: &mut Vec<T>, thing: T) {
    if !list.contains(&thing) {
        list.push(thing);
    }
}
