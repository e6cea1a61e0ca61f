//! Can this function be passed through: yes, with company, no and why.
