//! Empty room: see ARCHITECTURE.md.
