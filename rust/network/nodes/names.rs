//! How nodes are called: as the layers of the user's list, in which residual connections nest.

use std::ops::Range;

use super::layer::Layer;

/// The name of each node: "0", "1.0", "1.1", "1", "2" for a residual connection of two layers between two
/// others.
pub(in crate::network) fn names(layers: &[Layer]) -> Vec<String> {
    let mut names = Vec::new();
    names.resize(layers.len(), String::new());
    name(layers, 0..layers.len(), "", &mut names);
    names
}

/// Names the nodes of one list.
fn name(layers: &[Layer], list: Range<usize>, prefix: &str, names: &mut [String]) {
    // The last node of each entry says where the entry begins.
    let mut entries = Vec::new();
    let mut end = list.end;
    while end > list.start {
        let first = match &layers[end - 1] {
            Layer::Sum(sum) => sum.from,
            _ => end - 1,
        };
        entries.push(first..end);
        end = first;
    }
    for (place, entry) in entries.into_iter().rev().enumerate() {
        let own = format!("{prefix}{place}");
        let last = entry.end - 1;
        if entry.start < last {
            name(layers, entry.start..last, &format!("{own}."), names);
        }
        names[last] = own;
    }
}

#[cfg(test)]
mod tests {
    use super::super::sum::Sum;
    use super::*;

    #[test]
    fn nested_sums_have_the_names_of_nested_lists() {
        let (flat, sum) = (Layer::Flatten, |from| Layer::Sum(Sum { from }));
        // a, [b, [c], d], [[e]], f
        let layers = [
            flat.clone(),
            flat.clone(),
            flat.clone(),
            sum(2),
            flat.clone(),
            sum(1),
            flat.clone(),
            sum(6),
            sum(6),
            flat,
        ];
        let expected = ["0", "1.0", "1.1.0", "1.1", "1.2", "1", "2.0.0", "2.0", "2", "3"];
        assert_eq!(names(&layers), expected);
        assert!(names(&[]).is_empty());
    }
}
