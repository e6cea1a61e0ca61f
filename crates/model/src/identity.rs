//! Which device this is, whatever its address.
