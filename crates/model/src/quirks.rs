//! Devices that are known, by their ids, to need care.
