//! Forces a source port, or a range of them, on one unmodified program.
