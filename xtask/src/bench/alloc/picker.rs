//! What programs do that want "some free port": bind, close, and hope. portpicker does it for them.

use std::collections::HashSet;
use std::net::TcpListener;
use std::time::Instant;

use super::Measured;
use super::figure::Figure;

const SECTION: &str = "A free port for a program, 3,000 times";
const PICKS: usize = 3_000;

pub(super) fn measure() -> Measured {
    let bind = || {
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        listener.local_addr().ok().map(|address| address.port())
    };
    let mut figures = Vec::new();
    for (what, pick) in [
        ("portpicker 0.1", &portpicker::pick_unused_port as &dyn Fn() -> Option<u16>),
        ("bind(0), listen, close", &bind),
    ] {
        let mut seen = HashSet::new();
        let (mut times, mut twice) = (Vec::new(), 0);
        for _ in 0..PICKS {
            let start = Instant::now();
            let port = pick().ok_or_else(|| format!("{what} found no port"))?;
            times.push(start.elapsed().as_nanos() as f64);
            twice += usize::from(!seen.insert(port));
        }
        figures.push(Figure::new(SECTION, what, "median ns", super::super::median(times), ""));
        figures.push(Figure::new(SECTION, what, "picked twice", twice as f64, ""));
    }
    Ok(figures)
}
