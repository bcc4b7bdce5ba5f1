//! YAML from files that anybody may have written.

use std::collections::BTreeMap;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::{Yaml, YamlLoader};

/// No compose file or manifest nests deeper.
const DEPTH: usize = 64;
/// No compose file or manifest has more nodes once its aliases are replaced.
const NODES: u64 = 1 << 20;

/// The documents of a text; none if it is no YAML, or could only be read at a price: aliases of
/// aliases grow without bound, and so does the stack under brackets in brackets.
pub(super) fn documents(text: &str) -> Vec<Yaml> {
    if !is_modest(text) {
        return Vec::new();
    }
    YamlLoader::load_from_str(text).unwrap_or_default()
}

/// Counts the nodes as they will be when every alias is replaced by what it stands for.
fn is_modest(text: &str) -> bool {
    let mut parser = Parser::new_from_str(text);
    // What is open: the anchor's number, 0 for none, and the nodes so far.
    let mut open: Vec<(usize, u64)> = vec![(0, 0)];
    let mut anchored: BTreeMap<usize, u64> = BTreeMap::new();
    let mut total: u64 = 0;
    loop {
        let Ok((event, _)) = parser.next_token() else { return false };
        let nodes = match event {
            Event::StreamEnd => return true,
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, 1));
                0
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, nodes) = open.pop().unwrap_or_default();
                anchored.insert(anchor, nodes);
                nodes
            }
            Event::Scalar(_, _, anchor, _) => {
                anchored.insert(anchor, 1);
                1
            }
            Event::Alias(anchor) => anchored.get(&anchor).copied().unwrap_or(1),
            _ => 0,
        };
        if let Some((_, inside)) = open.last_mut() {
            *inside = inside.saturating_add(nodes);
        }
        total = total.saturating_add(nodes);
        if total > NODES || open.len() > DEPTH {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_fine_until_they_explode() {
        assert_eq!(documents("a: &x [1, 2]\nb: *x\n").len(), 1);
        let mut bomb = "a0: &a0 [x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let below = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}]\n"));
        }
        assert_eq!(documents(&bomb).len(), 0);
    }

    #[test]
    fn brackets_in_brackets_are_refused() {
        assert_eq!(documents(&"[".repeat(100_000)).len(), 0);
        assert_eq!(documents("a: [").len(), 0);
        assert_eq!(documents("[[[]]]").len(), 1);
    }
}
